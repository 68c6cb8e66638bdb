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
/// A transfer goes on where it stopped: after a lost connection by itself, after a crash or Ctrl-C when the same
/// command is given again. It is done when the far side has confirmed the digest of everything.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// A file with options (TOML): a table of them for each command; what stands here wins [default:
    /// ~/.config/bowline/config.toml, or else /etc/bowline/config.toml; on Windows %APPDATA%\bowline\config.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes: 0 done and verified, 1 failed, 2 wrong usage, 3 gave up: not reachable, \
                          4 another command has taken the transfer over, \
                          130 interrupted (the same command goes on; what comes through a pipe must be sent anew).";

/// Options of a command that puts files on a disk, or has a server do so: there is something else to wait for.
fn for_disks_too(arg: clap::Arg) -> clap::Arg {
    if arg.get_id() != "give_up_after" {
        return arg;
    }
    arg.help(
        "How long to try without a connection, or while a full disk takes nothing [default: 20s for a server never reached, 10m \
         after that]",
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

/// Take uploads into a folder, and offer its files for download
///
/// The first line on stdout is "listening on ws://HOST:PORT". SIGINT or SIGTERM end it: peers are told to come back,
/// and what has arrived of unfinished files is kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline serve --dir inbox
  BOWLINE_TOKEN=a-secret bowline serve --listen 0.0.0.0:9443 --tls-self-signed")]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one. Or a Unix socket, for this user alone: unix:PATH
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    pub(crate) listen: String,
    /// The folder; it is made if there is none
    #[arg(long, value_name = "DIR", default_value = "./inbox")]
    pub(crate) dir: PathBuf,
    /// Let an upload replace another file of its name
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// How many bytes each client's unfinished files may take; those of one token are one client
    #[arg(long, value_name = "SIZE", default_value = "1TiB", value_parser = parse_size)]
    pub(crate) quota: u64,
    /// How long after their last progress unfinished files are kept
    #[arg(long, value_name = "TIME", default_value = "168h", value_parser = parse_duration)]
    pub(crate) expire_after: Duration,
    /// The least that a client must bring over a minute in which it could, in bytes per second; "none": however slow
    #[arg(long, value_name = "RATE", default_value = "1KiB", value_parser = parse_least)]
    pub(crate) min_rate: Least,
    /// Do not say what the folder holds: who fetches has to know a name, of a file or of a folder
    #[arg(long)]
    pub(crate) no_list: bool,
    /// A file with a name, a token and what it allows on each line: who may come, and what he may do; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,
    /// Give files out, and take none
    #[arg(long, conflicts_with = "write_only")]
    pub(crate) read_only: bool,
    /// Take files, and give none out
    #[arg(long)]
    pub(crate) write_only: bool,
    /// Let web pages of this origin, SCHEME://HOST:PORT, come too; may be given more than once. "*": those of any
    /// site, which then reads and writes what its visitors' machines reach here. Without it none but pages of this server
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    pub(crate) allow_origin: Vec<String>,
    /// Where Prometheus finds figures, as http://HOST:PORT/metrics; whoever reaches it reads them
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,
    /// Look whether all settings can be used, and end
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
/// Each arrives under its own name, without the folder that it is in; a folder with all that it holds. Links in a folder
/// are not followed. Files keep the time of their last change. Up to 32 are on their way at once, and small ones beside
/// them. SIGUSR1 pauses everything, SIGUSR2 resumes. What comes through stdin outlives lost connections, but not this
/// process.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline send holiday.tar wss://files.example.org
  bowline send photos holiday.tar ws://127.0.0.1:9000 --limit-rate 2M
  bowline send holiday.tar ws://127.0.0.1:9000 --into 2026/november
  tar c photos | bowline send - ws://127.0.0.1:9000 --name photos.tar")]
#[command(mut_args(for_disks_too))]
pub(crate) struct Send {
    /// The files and folders; a single - sends what comes through stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The name of what comes through stdin
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The server, such as ws://host:9000; a path behind it is a route of the server or of a proxy, and no folder for the
    /// files, which is --into
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// The folder of the server that everything goes into, such as 2026/november
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<String>,
    /// Send Unix permissions too, and the times of folders
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
/// Of a folder, all that it holds comes into a folder here, and what is there already is not fetched again. SIGUSR1 pauses,
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
    /// The name, as it is written; a path in the URL is then a route of the server or of a proxy, as it is for a send
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to put it, a file or a folder itself; a file into a folder that is there, or that a slash at the end names as
    /// one. What a folder holds is put among other things there if NAME ends in a slash [default: under the last part of
    /// its name in this folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only these bytes of a file: FIRST-LAST, both counted from 0 and both fetched, or FIRST- up to the end. Without -o
    /// the part is put under its name and the range, as in beach.jpg.0-999
    #[arg(long, value_name = "A-B", default_value_t, hide_default_value = true)]
    pub(crate) range: ByteRange,
    /// Let a fetched file replace another one of its name
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Keep Unix permissions too, and the times of folders
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

/// Tell what a server holds that can be fetched
///
/// One name a line on stdout, a folder with a slash at its end; on a terminal with sizes and with the times of the last change,
/// in UTC. What folders hold counts for their sizes. The last line, on stderr, sums up.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bowline list ws://127.0.0.1:9000
  bowline list -r ws://127.0.0.1:9000/photos")]
pub(crate) struct List {
    /// The server, such as ws://host:9000, or a folder or a file of it, such as ws://host:9000/holiday
    #[arg(value_name = "URL[/NAME]")]
    pub(crate) url: String,
    /// The name, as it is written, or / for everything; a path in the URL is then a route of the server or of a proxy
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Also what is in folders, and in the folders in them
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

/// Find out what a WebSocket server, and the path to it, do
///
/// Any server will do. Tells how long it takes to connect, whether pings and a close are answered, and on request how large
/// messages may be and how long a connection may be silent before something on the path drops it.
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
    /// Find the longest silence that the path bears, with some connections side by side
    #[arg(long)]
    pub(crate) idle: bool,
    /// The longest silence that is tried; the search may take some four times as long
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_duration)]
    pub(crate) max: Duration,
    /// Find the largest message that is taken, up to this size or else 64MiB; the server gets messages of zeros
    #[arg(long, value_name = "SIZE", num_args = 0..=1, require_equals = true, default_missing_value = "64MiB", value_parser = parse_size)]
    pub(crate) largest: Option<u64>,
    /// The subprotocol to ask for, instead of the one of bowline; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Keep a connection to a WebSocket server open, and show its life
///
/// Any server will do. Each turn is a line, with the sentence that explains an end; on a terminal the line at the bottom
/// shows the present. Ctrl-C ends it, and sums up.
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
    /// The subprotocol to ask for, instead of the one of bowline; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) way: Way,
    /// Print on stderr at the end what happened and when, to the server and on each connection
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Watch a file survive a hostile network, on this machine alone
///
/// A server, a client and a bad link between them run in this process. A file goes up and comes down again while the
/// link slows, stalls, cuts and goes silent; each disconnect is explained.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How large a file
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    pub(crate) size: u64,
    /// What the random bytes and the mishaps are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) record: Record,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Print what a shell needs to complete command lines
///
/// For bash: bowline completions bash > ~/.local/share/bash-completion/completions/bowline
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page, of bowline or of one of its commands
///
/// To read it: bowline man send | man -l -
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Which command
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}
