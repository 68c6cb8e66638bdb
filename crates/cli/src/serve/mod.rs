//! `bowline serve`: a folder that accepts and offers files.

mod access;
mod address;
mod door;
mod metrics;
mod place;
mod tell;

use crate::args::{Papers, Serve};
use crate::descriptors;
use crate::exit::Trouble;
use crate::report::{print_line, print_unbroken};
use crate::self_signed;
use crate::signals::{Hangups, Interrupt};
use crate::trust;
use access::Doors;
use address::Address;
use bowline_store::{Config, DiskStore};
use bowline_tokio::tls::ServerTls;
use bowline_tokio::{Origins, Server, ServerConfig};
use door::Door;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;
use tell::tell;
use tokio::task::JoinHandle;

/// The option that says where metrics are served.
const METRICS: &str = "--metrics";

pub(crate) async fn run(mut args: Serve, interrupt: Interrupt) -> Result<(), Trouble> {
    let output = args.common.output;
    Door::check(&args.listen, &args.papers)?;
    place::check(&args.dir, !args.read_only)?;
    let doors = Doors::of(&args);
    // First of all, since a signal that nobody waits for ends the process. If there is nothing to read again, the
    // hang-up of its terminal ends a server; a service continues.
    let is_told = args.papers.are_some() || doors.has_files() || !io::stdout().is_terminal();
    let hangups = if is_told { Some(Hangups::listen()?) } else { None };
    if args.papers.self_signed {
        args.papers = self_signed::papers(args.check)?;
    }
    let tls = trust::server(&args.papers, output.quiet)?;
    let mut config = config(&args);
    config.access = doors.open(output.quiet)?;
    config.origins = origins(&args.allow_origin)?;
    config.tls.clone_from(&tls);
    if args.check {
        Door::try_out(&args.listen, &args.dir, args.metrics.as_deref()).await?;
        return announce("the settings can be used");
    }
    let door = Door::open(&args.listen, &args.dir).await?;
    let figures = match &args.metrics {
        Some(at) => Some(Address::find(at, METRICS).await?.listen().await?),
        None => None,
    };
    // A server that cannot listen creates no folder.
    let server = Server::new(store(&args)?, config);
    let name = door.name(tls.is_some());
    if !output.quiet && door.is_public() && doors.are_open() {
        print_line(
            "whoever reaches this address may connect without a token; require one with BOWLINE_TOKEN or --tokens",
        );
    }
    if let Some(fingerprint) = trust::fingerprint(&args.papers)?.filter(|_| !output.quiet) {
        let url = door.name_for_clients(tls.is_some());
        let who = if url == name { "" } else { " with the name or address of this machine for HOST" };
        print_unbroken(&format!("to send a file here{who}: bowline send FILE {url} --pin {fingerprint}"));
    }
    let events = server.events();
    let files = Files { tls, papers: args.papers, doors, server: server.clone() };
    let renewing = hangups.map(|hangups| renewing(hangups, files, output.quiet));
    let answering = figures.map(|(listener, address)| {
        if !output.quiet {
            print_line(&format!("figures for Prometheus: http://{address}/metrics"));
        }
        AbortOnDrop(tokio::spawn(metrics::answer(listener, server.clone())))
    });
    announce(&format!("listening on {name}"))?;
    let telling = tokio::spawn(tell(events, output.json, output.quiet));
    let served = door.serve(&server, interrupt.come()).await;
    // Events end when nobody has the server any longer.
    drop((server, renewing, answering));
    // Gives the last events time to be reported, but does not wait for a reader who does not read.
    let _ = tokio::time::timeout(Duration::from_secs(1), telling).await;
    served.map_err(|e| Trouble::failed(format!("cannot accept any more connections: {e}")))
}

/// Aborts a task when its owner is dropped.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is read again on a signal.
struct Files {
    tls: Option<ServerTls>,
    papers: Papers,
    doors: Doors,
    server: Server,
}

/// Reads certificates and tokens again on each signal.
fn renewing(mut hangups: Hangups, files: Files, quiet: bool) -> AbortOnDrop {
    AbortOnDrop(tokio::spawn(async move {
        loop {
            hangups.next().await;
            files.renew(quiet);
        }
    }))
}

impl Files {
    fn are_some(&self) -> bool {
        self.tls.is_some() || self.doors.has_files()
    }

    fn renew(&self, quiet: bool) {
        if !self.are_some() && !quiet {
            print_line("there is nothing to read again");
        }
        if let Some(tls) = &self.tls {
            tell_renewed(quiet, "certificate", trust::renew(tls, &self.papers));
        }
        if self.doors.has_files() {
            let renewed = self.doors.open(quiet).map(|access| self.server.set_access(access));
            tell_renewed(quiet, "list of tokens", renewed);
        }
    }
}

fn tell_renewed(quiet: bool, what: &str, renewed: Result<(), Trouble>) {
    match renewed {
        Ok(()) if quiet => {}
        Ok(()) => print_line(&format!("the {what} was read again")),
        Err(trouble) => print_line(&format!("{trouble}; the {what} stays as it was")),
    }
}

fn store(args: &Serve) -> Result<DiskStore, Trouble> {
    place::make(&args.dir)?;
    let mut config = Config::default();
    config.overwrite = args.overwrite;
    config.quota.bytes = Some(args.quota);
    config.expire_after = Some(args.expire_after);
    config.max_age = config.max_age.map(|age| age.max(args.expire_after));
    DiskStore::open(&args.dir, config).map_err(Trouble::failed)
}

fn config(args: &Serve) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.connection.heartbeat.interval = args.common.beat.heartbeat;
    config.connection.heartbeat.timeout = args.common.beat.timeout;
    config.transfer.max_transfers = descriptors::share(config.transfer.max_transfers);
    config.max_open = config.max_open.map(descriptors::share);
    config.max_connections = descriptors::connections(config.max_connections);
    config.transfer.limit_rate = args.common.limit_rate;
    config.transfer.min_rate = args.min_rate.0;
    config
}

/// The origins whose pages may connect.
fn origins(allowed: &[String]) -> Result<Origins, Trouble> {
    let origins = allowed.iter().try_fold(Origins::own(), |origins, origin| origins.with_origin(origin));
    origins.map_err(Trouble::usage)
}

/// Prints the first line on stdout, for whoever started us. If that fails, nobody knows where we listen.
fn announce(line: &str) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|e| Trouble::failed(format!("cannot write to stdout: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn a_server_does_what_the_command_line_says() {
        let line = "bowline serve --heartbeat 3s --timeout 4s --limit-rate 5k";
        let Ok(Cli { command: Command::Serve(args), .. }) = Cli::try_parse_from(line.split(' ')) else {
            panic!("{line}")
        };
        let config = config(&args);
        let heartbeat = config.connection.heartbeat;
        assert_eq!((heartbeat.interval, heartbeat.timeout), (Duration::from_secs(3), Duration::from_secs(4)));
        assert_eq!(config.transfer.limit_rate, Some(5000));
        assert_eq!(config.transfer.min_rate, Some(1024));
    }

    #[test]
    fn the_minimum_rate_is_taken_from_the_command_line() {
        for (option, least) in [("2k", Some(2000)), ("3MiB/s", Some(3 << 20)), ("none", None)] {
            let line = ["bowline", "serve", "--min-rate", option];
            let Ok(Cli { command: Command::Serve(args), .. }) = Cli::try_parse_from(line) else {
                panic!("{line:?}")
            };
            assert_eq!(config(&args).transfer.min_rate, least);
        }
    }
}
