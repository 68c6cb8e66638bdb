//! A file with options: a table for each command, with the long names of its options.
//!
//! ```toml
//! [serve]
//! listen = "0.0.0.0:9000"
//! limit-rate = "20MiB"
//! read-only = true
//! ```
//!
//! Its options are inserted before those of the command line. An option is left out if the command line or the
//! environment also sets it.

use crate::args::{Cli, are_opposed};
use crate::exit::Trouble;
use crate::private::warn_if_exposed;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _};
use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::{env, fs};
use toml::de::{DeTable, DeValue};

/// The file for all users, where only administrators can create it: on Windows anybody could create such a folder.
const SYSTEM: Option<&str> = if cfg!(windows) { None } else { Some("/etc/bowline/config.toml") };

/// Options whose values nobody else should read.
pub(crate) const SECRETS: [&str; 3] = ["token", "header", "proxy"];

/// An option in the file.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    command: String,
    option: String,
    /// As on a command line; empty if the value is `false`.
    words: Vec<String>,
}

/// The command line with the options of the file.
pub(crate) fn command_line(given: Vec<OsString>) -> Result<Vec<OsString>, Trouble> {
    // Errors in it are reported when it is parsed for good.
    let Ok(matches) = Cli::command().ignore_errors(true).try_get_matches_from(&given) else {
        return Ok(given);
    };
    let Some((name, matches)) = matches.subcommand() else { return Ok(given) };
    let named = matches.get_one::<PathBuf>("config").cloned();
    let option = named.as_ref().map(|_| "--config");
    let Some(path) = named.or_else(default_place) else { return Ok(given) };
    let text = fs::read_to_string(&path).map_err(|e| Trouble::unread(&path, option, &e))?;
    let lines = parse(&text).map_err(|why| Trouble::in_file(&path, why))?;
    if lines.iter().any(|line| SECRETS.contains(&line.option.as_str())) {
        // Not every command has this option, nor does one with errors.
        let quiet = matches.try_get_one::<bool>("quiet").ok().flatten();
        warn_if_exposed(&path, quiet.copied().unwrap_or(false));
    }
    let cli = Cli::command();
    let Some(command) = cli.find_subcommand(name) else { return Ok(given) };
    let said = lines.into_iter().filter(|line| line.command == name && !is_overruled(command, matches, line));
    let words: Vec<_> = said.flat_map(|line| line.words).map(OsString::from).collect();
    Ok(insert(given, name, words))
}

/// The first that exists: the user's, or else the machine's.
fn default_place() -> Option<PathBuf> {
    let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // Windows has APPDATA; only some terminals there also have a HOME.
    let user = set("XDG_CONFIG_HOME").or_else(|| set("APPDATA"));
    let user = user.or_else(|| set("HOME").map(|home| home.join(".config")));
    let places = [user.map(|folder| folder.join("bowline/config.toml")), SYSTEM.map(PathBuf::from)];
    places.into_iter().flatten().find(|path| path.is_file())
}

/// Parses a file, and checks each line by itself. Errors name the line, but no values, since they may be secret.
fn parse(text: &str) -> Result<Vec<Line>, String> {
    let number = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        format!("line {}: {}", number(at), error.message())
    })?;
    let cli = Cli::command();
    let mut lines = Vec::new();
    for (key, value) in document.get_ref() {
        let (name, at) = (key.get_ref().as_ref(), number(key.span().start));
        let command = cli.find_subcommand(name).filter(|command| command.get_name() == name);
        let command = command.ok_or_else(|| format!("line {at}: [{name}] is not a command"))?;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(format!("line {at}: {name} is a command: its options stand below [{name}]"));
        };
        for (key, value) in table {
            let (option, number) = (key.get_ref().as_ref(), number(key.span().start));
            let wrong = |why: &str| format!("line {number}: {option}: {why}");
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(option));
            let arg = arg.ok_or_else(|| wrong(&format!("{name} has no such option")))?;
            let words = words(arg, option, value.get_ref()).map_err(|why| wrong(&why))?;
            for word in &words {
                try_out(name, word).map_err(|why| wrong(&why))?;
            }
            lines.push(Line { number, command: name.into(), option: option.into(), words });
        }
    }
    // In the order of the file.
    lines.sort_by_key(|line| line.number);
    Ok(lines)
}

/// The words that would say the same on a command line.
fn words(arg: &Arg, option: &str, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let (takes_values, may_go_without) = (
        arg.get_action().takes_values(),
        !arg.get_action().takes_values() || arg.get_num_args().is_some_and(|range| range.min_values() == 0),
    );
    match value {
        DeValue::Boolean(yes) if may_go_without => {
            Ok(yes.then(|| format!("--{option}")).into_iter().collect())
        }
        DeValue::Boolean(_) => Err("it needs a value, not yes or no".into()),
        _ if !takes_values => Err("it must be true or false".into()),
        DeValue::Array(values) => {
            let words = values.iter().map(|value| words(arg, option, value.get_ref()));
            words.collect::<Result<Vec<_>, _>>().map(|words| words.concat())
        }
        DeValue::String(text) => Ok(vec![format!("--{option}={text}")]),
        DeValue::Integer(number) => Ok(vec![format!("--{option}={}", number.as_str())]),
        DeValue::Float(number) => Ok(vec![format!("--{option}={}", number.as_str())]),
        _ => Err("it must be text or a number".into()),
    }
}

/// Whether the command would accept this word by itself.
fn try_out(command: &str, word: &str) -> Result<(), String> {
    use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument};
    match Cli::command().try_get_matches_from(["bowline", command, word]) {
        Ok(_) => Ok(()),
        // Other words, which are not here, may make it valid.
        Err(error) if matches!(error.kind(), ArgumentConflict | MissingRequiredArgument) => Ok(()),
        Err(error) => Err(error.source().map_or("that is not a value for it".into(), ToString::to_string)),
    }
}

/// Whether the command line or the environment sets this option as well, or one that conflicts with it.
fn is_overruled(command: &Command, matches: &ArgMatches, line: &Line) -> bool {
    let given = |arg: &Arg| {
        let source = matches.value_source(arg.get_id().as_str());
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(&line.option));
    let is_opposed = |arg: &Arg| {
        let mut others = command.get_arguments().filter(|other| given(other));
        others.any(|other| are_opposed(command, arg, other))
    };
    arg.is_some_and(|arg| given(arg) || is_opposed(arg))
}

/// Inserts words after the name of the command.
fn insert(mut given: Vec<OsString>, name: &str, words: Vec<OsString>) -> Vec<OsString> {
    let is_value = |at: usize| given[at - 1] == *"--config";
    let at = (1..given.len()).find(|at| given[*at] == *name && !is_value(*at));
    if let Some(at) = at {
        given.splice(at + 1..=at, words);
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn with_file(text: &str, line: &str) -> Result<String, Trouble> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let path = file.path().to_str().expect("UTF-8");
        let given = line.replace("FILE", path);
        let words = command_line(given.split_whitespace().map(OsString::from).collect())?;
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().replace(path, "FILE")).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn options_from_the_file_come_before_those_of_the_command_line() {
        let text = "[serve]\nlisten = \"127.0.0.1:1\"\nread-only = true\noverwrite = false\n\
                    [send]\nheader = [\"A: b\", \"C: d\"]\n[probe]\npings = 7\nlargest = true\n";
        let said = |line| with_file(text, line).expect("a good file");
        assert_eq!(
            said("bowline serve --config FILE --dir x"),
            "bowline serve --listen=127.0.0.1:1 --read-only --config FILE --dir x"
        );
        assert_eq!(
            said("bowline --config FILE probe u"),
            "bowline --config FILE probe --pings=7 --largest u"
        );
        assert_eq!(
            said("bowline send f u --config FILE"),
            "bowline send --header=A: b --header=C: d f u --config FILE"
        );
        assert_eq!(said("bowline watch u --config FILE"), "bowline watch u --config FILE");
    }

    #[test]
    fn the_command_line_wins() {
        let text = "[serve]\nlisten = \"127.0.0.1:1\"\nread-only = true\n[fetch]\ninsecure = true\n";
        let said = |line| with_file(text, line).expect("a good file");
        let line = "bowline serve --config FILE --listen h:2 --write-only";
        assert_eq!(said(line), line);
        assert_eq!(said("bowline fetch u --config FILE --ca x"), "bowline fetch u --config FILE --ca x");
    }

    #[test]
    fn an_error_in_the_file_is_reported_with_its_line_and_without_its_value() {
        for (text, why) in [
            ("[serve]\n\nlissten = \"s3cret\"\n", "line 3: lissten: serve has no such option"),
            ("[serv]\n", "line 1: [serv] is not a command"),
            ("serve = 1\n", "line 1: serve is a command: its options stand below [serve]"),
            ("[serve]\nheartbeat = \"s3cret\"\n", "line 2: heartbeat: it must begin with a number"),
            ("[serve]\ntoken = \"s3 cret\"\n", "line 2: token: only printable ASCII"),
            ("[serve]\nread-only = \"s3cret\"\n", "line 2: read-only: it must be true or false"),
            ("[serve]\nlisten = true\n", "line 2: listen: it needs a value, not yes or no"),
            ("[serve]\nlisten = { s3cret = 1 }\n", "line 2: listen: it must be text or a number"),
            ("[serve]\nlog-level = \"s3cret\"\n", "line 2: log-level: that is not a value for it"),
            ("[serve]\nlisten = \"a\"\nlisten = \"b\"\n", "line 3: duplicate key"),
            ("[serve]\nlisten\n", "line 2: "),
        ] {
            let error = with_file(text, "bowline serve --config FILE").expect_err(text).to_string();
            let (_, said) = error.split_once(": ").expect("the file comes first");
            assert!(said.starts_with(why) && !said.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_wrong_command_line_is_left_for_the_real_parser_to_report() {
        for line in ["bowline", "bowline frobnicate", "bowline serve --help", "bowline --version"] {
            assert_eq!(with_file("", line).expect("not here"), line);
        }
        assert!(with_file("", "bowline serve --config /nowhere/to/be/found").is_err());
        assert!(with_file("[serve]\ntoken = \"x\"\n", "bowline --config FILE completions bash").is_ok());
    }

    #[test]
    fn a_name_of_a_file_is_not_taken_for_the_command() {
        let given = ["bowline", "--config", "serve", "serve"].map(OsString::from).to_vec();
        let said = insert(given, "serve", vec!["--read-only".into()]);
        assert_eq!(said, ["bowline", "--config", "serve", "serve", "--read-only"]);
    }
}
