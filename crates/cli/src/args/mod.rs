//! The command line: the commands here, and what several of them share in `shared`.

mod order;
mod shared;
mod slips;
#[cfg(test)]
mod tests;
mod twins;

pub(crate) use order::options_first;
pub(crate) use shared::{
    Beat, Common, Header, Output, Papers, Reach, Record, Token, Trust, Way, parse_token,
};
pub(crate) use slips::{check_order, explain};
pub(crate) use twins::{are_opposed, definition};

use crate::units::{Least, parse_duration, parse_least, parse_size};
use bowline_core::transfer::ByteRange;
use bowline_tokio::Origins;
use bowline_tokio::accept::OriginError;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Send and fetch files over WebSocket connections that break.
///
/// A transfer resumes where it stopped: automatically after a lost connection, and after a crash or Ctrl-C when you run
/// the same command again. It is done when the other side has confirmed the digest of everything.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// A file with options (TOML), a table of them for each command; the command line wins over it [default:
    /// ~/.config/bowline/config.toml, or else /etc/bowline/config.toml; on Windows %APPDATA%\bowline\config.toml]
    #[arg(long, value_name = "FILE", global = true, display_order = 900)]
    pub(crate) config: Option<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes: 0 done and verified, 1 failed, 2 wrong usage, 3 gave up because the server cannot be \
                          reached, 4 another command has taken over the transfer, 130 interrupted (the same command \
                          resumes; what comes through a pipe must be sent again).";

/// Sets the options of a command that writes to a disk, or has a server do so: it may have to wait for more than the
/// network.
fn for_disks_too(arg: clap::Arg) -> clap::Arg {
    if arg.get_id() != "give_up_after" {
        return arg;
    }
    arg.help(
        "How long to keep trying without a connection that carries something, or while a disk is full [default: 20s for a server \
         never reached, 10m after that]",
    )
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Serve),
    Send(Send),
    Fetch(Fetch),
    List(List),
    Probe(Probe),
    Watch(Watch),
    Demo(Demo),
    Completions(Completions),
    Man(Man),
}

/// Receive uploads into a folder, and offer its files for download
///
/// The first line on stdout is "listening on ws://HOST:PORT". SIGINT or SIGTERM stops the server: clients are told to
/// come back, and what has arrived of unfinished files is kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline serve --dir inbox
  BOWLINE_TOKEN=a-secret bowline serve --listen 0.0.0.0:9443 --tls-self-signed")]
pub(crate) struct Serve {
    /// Where to listen; port 0 picks a free one. unix:PATH is a Unix socket, for this user alone
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    pub(crate) listen: String,
    /// The folder that files come into and are fetched from; it is created if necessary
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub(crate) dir: PathBuf,
    /// Let an upload replace a different file of the same name
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// How many bytes each client's unfinished files may occupy; all connections with one token are one client
    #[arg(long, value_name = "SIZE", default_value = "1TiB", value_parser = parse_size)]
    pub(crate) quota: u64,
    /// How long to keep unfinished files after their last progress
    #[arg(long, value_name = "TIME", default_value = "168h", value_parser = parse_duration)]
    pub(crate) expire_after: Duration,
    /// The least that a client must send over a minute in which it could, in bytes per second; "none" allows any rate
    #[arg(long, value_name = "RATE", default_value = "1KiB", value_parser = parse_least)]
    pub(crate) min_rate: Least,
    /// Do not list what the folder holds: to fetch a file or a folder, a client has to know its name
    #[arg(long)]
    pub(crate) no_list: bool,
    /// Who may connect, and what each may do: a file with a name, a token and permissions on each line; SIGHUP reads it
    /// again
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,
    /// Let clients fetch files, but not send them
    #[arg(long, conflicts_with = "write_only")]
    pub(crate) read_only: bool,
    /// Let clients send files, but not fetch them
    #[arg(long)]
    pub(crate) write_only: bool,
    /// Also admit web pages of this origin, SCHEME://HOST:PORT; may be given more than once. "*" admits the pages of any
    /// site, which can then read and write here from every visitor's machine that reaches this server. Without this
    /// option, only this server's own pages are admitted
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    pub(crate) allow_origin: Vec<String>,
    /// Serve metrics for Prometheus at http://HOST:PORT/metrics; anybody who reaches this address can read them
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,
    /// Check that all settings can be used, and exit
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) papers: Papers,
    #[command(flatten)]
    pub(crate) token: Token,
    #[command(flatten)]
    pub(crate) common: Common,
}

fn parse_origin(text: &str) -> Result<String, OriginError> {
    Origins::own().with_origin(text).map(|_| text.to_owned())
}

/// Send files and folders to a server
///
/// Each arrives under its own name, without the folders that it is in; a folder arrives with everything in it. Links in
/// a folder are not followed. Files keep the time of their last change. Up to 32 large files are sent at once, and
/// small ones besides. SIGUSR1 pauses everything, SIGUSR2 resumes. What comes through stdin survives lost connections,
/// but not the end of this process.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline send holiday.tar wss://files.example.org
  bowline send photos holiday.tar ws://127.0.0.1:9000 --limit-rate 2M
  bowline send holiday.tar ws://127.0.0.1:9000 --into 2026/november
  tar c photos | bowline send - ws://127.0.0.1:9000 --name photos.tar")]
#[command(mut_args(for_disks_too))]
pub(crate) struct Send {
    /// The files and folders to send; a single - sends stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The name under which stdin is sent
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The server, such as ws://host:9000; a path after it is a route of the server or of a proxy. For a folder, use
    /// --into
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Put everything into this folder of the server, such as 2026/november
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<String>,
    /// Also send Unix permissions, and the times of folders
    #[arg(long)]
    pub(crate) preserve: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) record: Record,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Fetch a file or a folder from a server
///
/// A folder arrives as a folder with everything in it; what is already here is not fetched again. SIGUSR1 pauses,
/// SIGUSR2 resumes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline fetch ws://127.0.0.1:9000/holiday.tar -o back.tar
  bowline fetch ws://127.0.0.1:9000/photos -o copy
  bowline fetch ws://127.0.0.1:9000/holiday.tar --range 0-999")]
#[command(mut_args(for_disks_too))]
pub(crate) struct Fetch {
    /// The server and the name, such as ws://host:9000/holiday/beach.jpg
    #[arg(value_name = "URL/NAME")]
    pub(crate) url: String,
    /// The name as it is, without percent-encoding; a path in the URL is then a route of the server or of a proxy, as
    /// it is for a send
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The path that the file or the folder gets here. If this is an existing folder, or ends in a slash, a file is put
    /// inside it. The contents of a folder are put among other things there if NAME ends in a slash [default: the last
    /// part of its name, in the current folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Fetch only these bytes of a file: FIRST-LAST, counted from 0 and both included, or FIRST- up to the end. Without
    /// -o, the name of the part is that of the file with the range, as in beach.jpg.0-999
    #[arg(long, value_name = "A-B", default_value_t, hide_default_value = true)]
    pub(crate) range: ByteRange,
    /// Let a fetched file replace a different one of the same name
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Also keep Unix permissions, and the times of folders
    #[arg(long)]
    pub(crate) preserve: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) record: Record,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// List what can be fetched from a server
///
/// Prints one name per line on stdout, with a slash at the end of each folder; on a terminal, with sizes and the times of
/// the last change, in UTC. The size of a folder is that of everything in it. The last line, on stderr, gives the totals.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline list ws://127.0.0.1:9000
  bowline list -r ws://127.0.0.1:9000/photos")]
pub(crate) struct List {
    /// The server, such as ws://host:9000, or a folder or a file of it, such as ws://host:9000/holiday
    #[arg(value_name = "URL[/NAME]")]
    pub(crate) url: String,
    /// The name as it is, without percent-encoding, or / for everything; a path in the URL is then a route of the
    /// server or of a proxy
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// List folders recursively
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) record: Record,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Find out what a WebSocket server, and the path to it, can do
///
/// Any WebSocket server will do. Measures how long connecting takes, and whether pings and a close are answered. On
/// request, also how large messages may be, and how long a connection may be silent before something on the path drops
/// it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline probe wss://files.example.org
  bowline probe wss://files.example.org --idle --max 5m")]
pub(crate) struct Probe {
    /// The server, such as ws://host:8080/chat
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// How many pings to send
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) pings: u32,
    /// Find the longest silence that the path allows, with several connections in parallel
    #[arg(long)]
    pub(crate) idle: bool,
    /// The longest silence to try; the search may take some four times as long
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_duration)]
    pub(crate) max: Duration,
    /// Find the largest message that is accepted, up to this size, or 64MiB if none is given; the server gets messages
    /// of zeros
    #[arg(long, value_name = "SIZE", num_args = 0..=1, require_equals = true, default_missing_value = "64MiB", value_parser = parse_size)]
    pub(crate) largest: Option<u64>,
    /// The subprotocol to ask for, instead of bowline's own; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// How long to wait for an answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Keep a connection to a WebSocket server open, and report what happens to it
///
/// Any WebSocket server will do. Each event is a line, with a sentence that explains each disconnect; on a terminal, the
/// line at the bottom shows the current state. Ctrl-C stops watching, and prints a summary.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline watch wss://files.example.org --for 1h
  bowline watch ws://127.0.0.1:9000 --for 1h --heartbeat 5s --explain")]
pub(crate) struct Watch {
    /// The server, such as ws://host:8080/chat
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// How long to watch [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) span: Option<Duration>,
    #[command(flatten)]
    pub(crate) beat: Beat,
    /// The subprotocol to ask for, instead of bowline's own; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) way: Way,
    /// At the end, print on stderr what happened and when, to the server and on each connection
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Watch a file survive a hostile network, all on this machine
///
/// A server, a client and a bad link between them run in this process. A file goes up and comes down again while the
/// link slows, stalls, cuts and goes silent; each disconnect is explained.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The size of the file
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    pub(crate) size: u64,
    /// The seed of the random bytes and the mishaps
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) record: Record,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Print a completion script for a shell
///
/// For bash: bowline completions bash > ~/.local/share/bash-completion/completions/bowline
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page of bowline, or of one of its commands
///
/// To read it: bowline man send | man -l -
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Which command
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}
