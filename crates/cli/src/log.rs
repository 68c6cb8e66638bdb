//! The adapters' log on stderr: its level and its format.

use crate::args::Output;
use crate::stderr;
use clap::ValueEnum;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Nothing
    Off,
    /// What cannot go on
    Error,
    /// What should be looked at
    Warn,
    /// A few lines in the life of each connection
    Info,
    /// What happens to each transfer and connection
    Debug,
    /// Everything
    Trace,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One object a line
    Json,
}

impl Output {
    /// How much to log, if anything. Choosing a format implies logging.
    pub(crate) fn level(self) -> Option<Level> {
        let by_form = || self.log_format.map(|_| Level::Info);
        let level = self.log_level.or_else(|| match self.verbose {
            0 => by_form(),
            1 => Some(Level::Info),
            _ => Some(Level::Debug),
        });
        level.filter(|level| *level != Level::Off)
    }
}

/// Starts logging as requested. If anything is logged, RUST_LOG can select it more finely.
pub(crate) fn start(output: Output) {
    let Some(level) = output.level() else { return };
    let name = level.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(name));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        )
        .with_writer(|| stderr::Log);
    match output.log_format.unwrap_or_default() {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn the_options_choose_the_log_level() {
        for (options, expected) in [
            ("", None),
            ("-v", Some(Level::Info)),
            ("-vv", Some(Level::Debug)),
            ("--log-level trace", Some(Level::Trace)),
            ("--log-level off -vv", None),
            ("--log-format json", Some(Level::Info)),
            ("--log-format json -vv", Some(Level::Debug)),
        ] {
            let line = format!("bowline serve {options}");
            let Ok(Cli { command: Command::Serve(args), .. }) = Cli::try_parse_from(line.split_whitespace())
            else {
                panic!("{line}")
            };
            assert_eq!(args.common.output.level(), expected, "{line}");
        }
    }
}
