//! Options between the words of a command.

use super::Cli;
use clap::{Arg, Command, CommandFactory as _};
use std::ffi::{OsStr, OsString};

/// Moves the words of a command behind its options. Otherwise clap would not accept `send FILE --limit-rate 2M URL`,
/// since it takes a list and a word after it only if nothing stands in between.
pub(crate) fn options_first(given: Vec<OsString>) -> Vec<OsString> {
    let mut cli = Cli::command();
    cli.build();
    let mut rest = given.iter();
    let mut options = Options { found: rest.next().into_iter().collect(), cut: None };
    let Some(name) = options.take(&cli, &mut rest) else { return given };
    let Some(command) = name.to_str().and_then(|name| cli.find_subcommand(name)) else { return given };
    options.found.push(name);
    let mut words = Vec::new();
    while let Some(word) = options.take(command, &mut rest) {
        words.push(word);
        if word == "--" {
            words.extend(&mut rest);
        }
    }
    options.found.into_iter().chain(words).chain(options.cut).cloned().collect()
}

/// The options of a command line, with their values.
struct Options<'a> {
    found: Vec<&'a OsString>,
    /// The last option, if its value is missing: it must not take a word as its value.
    cut: Option<&'a OsString>,
}

impl<'a> Options<'a> {
    /// Takes the options that come next, and returns the word after them.
    fn take(
        &mut self,
        command: &Command,
        rest: &mut impl Iterator<Item = &'a OsString>,
    ) -> Option<&'a OsString> {
        while let Some(word) = rest.next() {
            match word.as_encoded_bytes() {
                [b'-', _, ..] if word != "--" => {}
                _ => return Some(word),
            }
            if !wants_next(command, word) {
                self.found.push(word);
            } else if let Some(value) = rest.next() {
                self.found.extend([word, value]);
            } else {
                self.cut = Some(word);
            }
        }
        None
    }
}

/// Whether the value of this option is the next word.
fn wants_next(command: &Command, option: &OsStr) -> bool {
    let Some(option) = option.to_str() else { return false };
    let takes = |arg: &Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    if let Some(long) = option.strip_prefix("--") {
        return command.get_arguments().any(|arg| arg.get_long() == Some(long) && takes(arg));
    }
    // Of several letters, the first that takes a value takes the rest as its value.
    let by = |letter| command.get_arguments().any(|arg| arg.get_short() == Some(letter) && takes(arg));
    option.chars().skip(1).position(by).is_some_and(|at| at + 2 == option.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_after_options_and_each_option_keeps_its_value() {
        for (given, ordered) in [
            ("bowline send a --limit-rate 2M u", "bowline send --limit-rate 2M a u"),
            ("bowline send a --limit-rate=2M u -v b", "bowline send --limit-rate=2M -v a u b"),
            ("bowline send - --name x -vv u", "bowline send --name x -vv - u"),
            ("bowline --config c send a --preserve u", "bowline --config c send --preserve a u"),
            ("bowline send a --preserve -- -b u --quiet", "bowline send --preserve a -- -b u --quiet"),
            ("bowline fetch u -o f", "bowline fetch -o f u"),
            ("bowline fetch u -vo f -of", "bowline fetch -vo f -of u"),
            ("bowline send a u --preserve --limit-rate", "bowline send --preserve a u --limit-rate"),
            ("bowline send - u --name --report", "bowline send --name --report - u"),
            ("bowline serve", "bowline serve"),
            ("bowline frobnicate a --b c", "bowline frobnicate a --b c"),
            ("bowline", "bowline"),
        ] {
            let words = options_first(given.split_whitespace().map(OsString::from).collect());
            assert_eq!(words.join(OsStr::new(" ")), *ordered, "{given}");
        }
    }
}
