//! `bowline serve`: a folder that takes and offers files.

use crate::args::{Papers, Serve, parse_token};
use crate::exit::Trouble;
use crate::report::json::Line;
use crate::report::print_line;
use crate::signals::{Hangups, Interrupt};
use crate::trust;
use crate::units::Size;
use bowline_core::transfer::SafeName;
use bowline_store::{Config, DiskStore, Principal};
use bowline_tokio::tls::ServerTls;
use bowline_tokio::{FileEvent, Server, ServerConfig, ServerEvent};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

pub(crate) async fn run(args: Serve, interrupt: Interrupt) -> Result<(), Trouble> {
    let store = store(&args)?;
    let tls = trust::server(&args.papers)?;
    let mut config = config(&args)?;
    config.tls.clone_from(&tls);
    let server = Server::new(store, config);
    let listener = TcpListener::bind(&args.listen).await.map_err(|e| {
        Trouble::failed(format!("cannot listen on {}: {e}; choose another --listen", args.listen))
    })?;
    let address = listener.local_addr().map_err(Trouble::failed)?;
    let output = args.common.output;
    let open = args.token.token.is_none() && args.tokens.is_none();
    if !output.quiet && !address.ip().is_loopback() && open {
        print_line(
            "whoever reaches this address may send and fetch files; set BOWLINE_TOKEN to ask for a secret",
        );
    }
    let events = server.events();
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    // Before anybody knows where we are: a signal that nobody waits for ends the process.
    let _renewing = match tls {
        Some(tls) => Some(renewing(tls, args.papers, output.quiet)?),
        None => None,
    };
    announce(&format!("listening on {scheme}://{address}"))?;
    let telling = tokio::spawn(tell(events, output.json, output.quiet));
    // The server goes with the block, so that its events have an end.
    let served = async move { server.serve(listener, interrupt.come()).await }.await;
    // The last events are still to be told; to a reader who does not read, they are not.
    let _ = tokio::time::timeout(Duration::from_secs(1), telling).await;
    served.map_err(|e| Trouble::failed(format!("cannot accept connections any more: {e}")))
}

/// Ends a task with whoever started it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes other certificates whenever somebody says that there are some.
fn renewing(tls: ServerTls, papers: Papers, quiet: bool) -> Result<AbortOnDrop, Trouble> {
    let mut hangups = Hangups::listen()
        .map_err(|e| Trouble::failed(format!("the system allows no handling of signals: {e}")))?;
    Ok(AbortOnDrop(tokio::spawn(async move {
        loop {
            hangups.next().await;
            match trust::renew(&tls, &papers) {
                Ok(()) if quiet => {}
                Ok(()) => print_line("the certificate was read again"),
                Err(trouble) => print_line(&format!("{trouble}; the certificate stays as it was")),
            }
        }
    })))
}

fn store(args: &Serve) -> Result<DiskStore, Trouble> {
    std::fs::create_dir_all(&args.dir).map_err(|e| {
        Trouble::failed(format!("{}: cannot be made: {e}; choose another --dir", args.dir.display()))
    })?;
    let mut config = Config::default();
    config.overwrite = args.overwrite;
    config.quota.bytes = Some(args.quota);
    config.expire_after = Some(args.expire_after);
    config.max_age = config.max_age.map(|age| age.max(args.expire_after));
    DiskStore::open(&args.dir, config).map_err(Trouble::failed)
}

fn config(args: &Serve) -> Result<ServerConfig, Trouble> {
    let mut config = ServerConfig::default();
    config.connection.heartbeat.interval = args.common.heartbeat;
    config.connection.heartbeat.timeout = args.common.timeout;
    config.transfer.limit_rate = args.common.limit_rate;
    config.transfer.min_rate = args.min_rate.0;
    config.token.clone_from(&args.token.token);
    if let Some(path) = &args.tokens {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| Trouble::failed(format!("{}: {e}", path.display())))?;
        config.tokens = tokens(&text).map_err(|why| Trouble::usage(format!("{}: {why}", path.display())))?;
    }
    Ok(config)
}

/// A line for each: a name and a token.
fn tokens(text: &str) -> Result<Vec<(Principal, String)>, String> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parsed: Vec<_> = lines
        .map(|(n, line)| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [name, token] = fields[..] else {
                return Err(format!("line {n} has {} words; a name and a token are needed", fields.len()));
            };
            let who = Principal::named(name).map_err(|e| format!("line {n}: {e}"))?;
            Ok((who, parse_token(token).map_err(|why| format!("line {n}: {why}"))?))
        })
        .collect::<Result<_, _>>()?;
    let different: BTreeSet<_> = parsed.iter().map(|(_, token)| token).collect();
    if different.len() < parsed.len() {
        return Err("two names have the same token".into());
    }
    Ok(parsed)
}

/// The first line on stdout, for whoever started us. If it cannot be read, nobody knows where we are.
fn announce(line: &str) -> Result<(), Trouble> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|e| Trouble::failed(format!("cannot write to stdout: {e}")))
}

async fn tell(mut events: broadcast::Receiver<ServerEvent>, json: bool, quiet: bool) {
    loop {
        match events.recv().await {
            Ok(event) if json => line(&event).map_or((), Line::print),
            Ok(event) if !quiet => {
                if let Some(sentence) = sentence(&event) {
                    print_line(&sentence);
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                print_line(&format!("{missed} events came too fast to be told"));
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// An event for programs.
fn line(event: &ServerEvent) -> Option<Line> {
    Some(match event {
        ServerEvent::Connected { peer } => Line::new("connected").with("peer", peer.as_str()),
        ServerEvent::Disconnected { peer, disconnect } => {
            Line::new("disconnected").with("peer", peer.as_str()).with("why", disconnect.to_string())
        }
        ServerEvent::Rejected { peer, why } => {
            Line::new("rejected").with("peer", peer.as_str()).with("why", why.as_str())
        }
        ServerEvent::Received(file) => crossed("received", file),
        ServerEvent::Sent(file) => crossed("sent", file),
        ServerEvent::Failed { peer, name, failure } => Line::new("failed")
            .with("name", name.as_ref().map(SafeName::as_str))
            .with("error", failure.to_string())
            .with("peer", peer.as_str()),
        _ => return None,
    })
}

fn crossed(event: &str, file: &FileEvent) -> Line {
    let line = Line::new(event)
        .with("name", file.name.as_str())
        .with("bytes", file.bytes)
        .with("blake3", file.digest.to_string())
        .with("peer", file.peer.as_str())
        .with("already_there", file.deduplicated);
    let line = if file.folder { line.with("folder", true) } else { line };
    match &file.batch {
        Some(batch) => {
            line.with("batch", batch.to_string()).with("index", batch.index).with("count", batch.count)
        }
        None => line,
    }
}

/// An event for people: ends of files only.
fn sentence(event: &ServerEvent) -> Option<String> {
    Some(match event {
        // Most were made on the way to a file.
        ServerEvent::Received(file) if file.folder => return None,
        ServerEvent::Received(file) if file.deduplicated => {
            format!("already there: {} ({}), offered by {}", file.name, Size(file.bytes), file.peer)
        }
        ServerEvent::Received(file) => {
            let FileEvent { name, bytes, peer, digest, .. } = file;
            format!("received {name}: {} from {peer}, blake3 {digest}", Size(*bytes))
        }
        ServerEvent::Sent(file) => {
            let FileEvent { name, bytes, peer, digest, .. } = file;
            format!("sent {name}: {} to {peer}, blake3 {digest}", Size(*bytes))
        }
        ServerEvent::Failed { peer, name, failure } => {
            let name = name.as_ref().map_or("a transfer", |name| name.as_str());
            format!("not transferred: {name} with {peer}: {failure}")
        }
        ServerEvent::Rejected { peer, why } => format!("turned away: {peer}: {why}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn a_server_does_what_the_command_line_says() {
        let line = "bowline serve --heartbeat 3s --timeout 4s --limit-rate 5k --token seven";
        let Ok(Cli { command: Command::Serve(args) }) = Cli::try_parse_from(line.split(' ')) else {
            panic!("{line}")
        };
        let config = config(&args).expect("it reads no file");
        let heartbeat = config.connection.heartbeat;
        assert_eq!((heartbeat.interval, heartbeat.timeout), (Duration::from_secs(3), Duration::from_secs(4)));
        assert_eq!(config.transfer.limit_rate, Some(5000));
        assert_eq!(config.token.as_deref(), Some("seven"));
        assert_eq!(config.transfer.min_rate, Some(1024));
    }

    #[test]
    fn a_server_bears_what_it_is_told_to() {
        for (option, least) in [("2k", Some(2000)), ("3MiB/s", Some(3 << 20)), ("none", None)] {
            let line = ["bowline", "serve", "--min-rate", option];
            let Ok(Cli { command: Command::Serve(args) }) = Cli::try_parse_from(line) else {
                panic!("{line:?}")
            };
            assert_eq!(config(&args).expect("it reads no file").transfer.min_rate, least);
        }
    }

    #[test]
    fn a_file_of_tokens_has_a_line_for_each_name() {
        let parsed = tokens("# who may come\nalice one\n\n  bob\ttwo  \n").expect("good lines");
        let parsed: Vec<_> = parsed.iter().map(|(who, token)| (who.name(), token.as_str())).collect();
        assert_eq!(parsed, [("alice", "one"), ("bob", "two")]);
        let why = |text| tokens(text).expect_err("not so");
        assert_eq!(why("alice"), "line 1 has 1 words; a name and a token are needed");
        assert_eq!(why("#\nalice one two"), "line 2 has 3 words; a name and a token are needed");
        assert!(why("alice ö").starts_with("line 1: only printable ASCII"));
        assert_eq!(why("alice one\nbob one"), "two names have the same token");
    }
}
