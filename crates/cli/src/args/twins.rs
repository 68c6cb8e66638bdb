//! Options with environment variables: an option on the command line overrules a variable that stands for a conflicting
//! option.

use super::Cli;
use crate::exit::Trouble;
use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, Command, CommandFactory as _};
use std::ffi::{OsStr, OsString};

/// The definition to parse these words with: without the variables that they overrule.
///
/// # Errors
/// Two variables are set that conflict with each other.
pub(crate) fn definition(words: &[OsString]) -> Result<Command, Trouble> {
    definition_by(words, |variable| std::env::var_os(variable).is_some())
}

fn definition_by(words: &[OsString], is_set: impl Fn(&str) -> bool) -> Result<Command, Trouble> {
    let cli = Cli::command();
    let stands = |arg: &Arg| arg.get_env().and_then(OsStr::to_str).is_some_and(&is_set);
    if !cli.get_subcommands().flat_map(Command::get_arguments).any(stands) {
        return Ok(cli);
    }
    let mut built = Cli::command();
    built.build();
    // A variable that is overruled may have an invalid value. Errors in the words are reported when they are parsed for
    // good.
    let deaf = Cli::command().ignore_errors(true).mut_subcommands(|command| command.mut_args(deafened));
    let Ok(matches) = deaf.try_get_matches_from(words) else { return Ok(cli) };
    let Some((name, matches)) = matches.subcommand() else { return Ok(cli) };
    let Some(command) = built.find_subcommand(name) else { return Ok(cli) };
    let is_said = |arg: &Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let (mut speak, mut overruled) = (Vec::new(), Vec::new());
    for arg in command.get_arguments().filter(|arg| !is_said(arg)) {
        let variable = arg.get_env().and_then(|variable| variable.to_str());
        let Some(variable) = variable.filter(|variable| is_set(variable)) else { continue };
        if command.get_arguments().any(|other| is_said(other) && are_opposed(command, arg, other)) {
            overruled.push(arg.get_id().clone());
        } else {
            speak.push((variable, arg));
        }
    }
    for (at, (one, arg)) in speak.iter().enumerate() {
        if let Some((other, _)) = speak[..at].iter().find(|(_, other)| are_opposed(command, arg, other)) {
            let text =
                format!("the environment has both {other} and {one}, of which only one can count; unset one");
            return Err(Trouble::usage(text));
        }
    }
    Ok(cli.mut_subcommand(name, |command| {
        overruled.into_iter().fold(command, |command, id| command.mut_arg(id, deafened))
    }))
}

/// Whether these two options conflict, as declared by one of them.
pub(crate) fn are_opposed(command: &Command, one: &Arg, other: &Arg) -> bool {
    let says = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
    };
    says(one, other) || says(other, one)
}

/// The same option without its environment variable.
fn deafened(arg: Arg) -> Arg {
    arg.env(Resettable::Reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables that still count if these are set, and these words are given.
    fn heard(line: &str, set: &[&str]) -> Result<Vec<String>, String> {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        let cli = definition_by(&words, |variable| set.contains(&variable))
            .map_err(|trouble| trouble.to_string())?;
        let command = cli.find_subcommand(&*words[1].to_string_lossy()).expect("a command");
        let variables = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned));
        Ok(variables.filter(|variable| set.contains(&&**variable)).collect())
    }

    #[test]
    fn the_command_line_overrules_a_variable_that_stands_for_another_option() {
        let (token, file) = ("BOWLINE_TOKEN", "BOWLINE_TOKEN_FILE");
        let only = |variable: &str| Ok(vec![variable.to_owned()]);
        for command in
            ["send f ws://h", "fetch ws://h/f", "list ws://h", "serve", "probe ws://h", "watch ws://h"]
        {
            let said = |option: &str, set: &[&str]| heard(&format!("bowline {command}{option}"), set);
            assert_eq!(said("", &[token]), only(token), "{command}");
            assert_eq!(said("", &[file]), only(file), "{command}");
            assert_eq!(said(" --token-file x", &[token]), Ok(vec![]), "{command}");
            assert_eq!(said(" --token x", &[file]), Ok(vec![]), "{command}");
            // For one and the same option, the command line wins anyway.
            assert_eq!(said(" --token x", &[token]), only(token), "{command}");
            assert_eq!(said(" --token x", &[token, file]), only(token), "{command}");
            let both = "the environment has both BOWLINE_TOKEN and BOWLINE_TOKEN_FILE, of which only one can count; unset one";
            assert_eq!(said("", &[token, file]), Err(both.to_owned()), "{command}");
        }
    }
}
