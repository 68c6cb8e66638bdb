//! Checks that the documents are true: every command line in their sentences is valid, and every message that they
//! explain exists. Command lines that stand by themselves are run by the tests of the binary.

use crate::args::Cli;
use clap::Parser as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents() -> Vec<(PathBuf, String)> {
    let docs =
        fs::read_dir(root().join("docs")).expect("a folder").map(|entry| entry.expect("readable").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let all = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "DESIGN.md", "COMPARE.md", "CHANGELOG.md"]
        .map(|name| root().join(name))
        .into_iter()
        .chain(pages);
    all.map(|path| (path.clone(), fs::read_to_string(path).expect("UTF-8"))).collect()
}

/// What stands between backquotes in a line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The words of a call of this command, after any variables that are set for it or what is piped into it. Optional
/// parts are included, and placeholders are replaced.
fn call(line: &str) -> Option<Vec<String>> {
    let line = line.rsplit("| ").next().unwrap_or_default();
    let line = line.replace(['[', ']'], "").replace("COMMAND", "send").replace("SHELL", "bash");
    let words: Vec<_> =
        line.split_whitespace().skip_while(|word| word.contains('=')).map(str::to_owned).collect();
    // The bare name of a command is not meant to be typed.
    (words.first().is_some_and(|word| word == "bowline") && (words.len() > 2 || line.ends_with("demo")))
        .then_some(words)
}

#[test]
fn every_command_line_in_a_sentence_is_one() {
    let mut count = 0;
    for (path, text) in documents() {
        for line in quoted(&text) {
            let Some(words) = call(line) else { continue };
            count += 1;
            match Cli::try_parse_from(words) {
                Err(error) if error.use_stderr() => panic!("{}: {line}\n{error}", path.display()),
                _ => {}
            }
        }
    }
    assert!(count >= 18, "{count} were found");
}

#[test]
fn every_option_in_the_readme_is_known() {
    let cli = <Cli as clap::CommandFactory>::command();
    let known: Vec<_> = cli
        .get_subcommands()
        .chain([&cli])
        .flat_map(|command| command.get_arguments().filter_map(|a| a.get_long()))
        .collect();
    let text = fs::read_to_string(root().join("README.md")).expect("UTF-8");
    // The table of this command; options of cargo stand elsewhere.
    let table = text.lines().filter(|line| line.starts_with("| `"));
    let options = table.flat_map(|line| {
        line.split("--").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .next()
                .unwrap_or_default()
                .trim_end_matches('-')
        })
    });
    let options: Vec<_> = options.filter(|option| !option.is_empty()).collect();
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(known.contains(&option), "--{option}");
    }
}

/// The expected page with all options.
fn options() -> String {
    let mut cli = <Cli as clap::CommandFactory>::command();
    cli.build();
    let mut page = String::from(
        "# Options\n\nAll options of each command, as `bowline COMMAND --help` prints them. A name next to an option, such as\n\
         `BOWLINE_TOKEN`, is an environment variable that sets it.\n",
    );
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let about =
            command.get_long_about().or(command.get_about()).expect("it says what it does").to_string();
        let words: Vec<_> = command.get_positionals().map(ToString::to_string).collect();
        let line = format!("bowline {name} [OPTIONS] {}", words.join(" "));
        let about = about.trim_end_matches('.');
        page.extend(["\n## bowline ", name, "\n\n", about, ".\n\n```text\n", line.trim_end(), "\n```\n\n"]);
        page += "| | what | default |\n|---|---|---|\n";
        for argument in
            command.get_arguments().filter(|a| !["help", "version"].contains(&a.get_id().as_str()))
        {
            page += &row(argument);
        }
    }
    page
}

/// An option in a table.
fn row(argument: &clap::Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let values = argument.get_value_names().unwrap_or_default().join(" ");
    let takes_value = argument.get_action().takes_values();
    let name = match argument.get_long() {
        // Without the equals sign, the value would be taken for the next word.
        Some(long) if argument.is_require_equals_set() => format!("`{short}--{long}[={values}]`"),
        Some(long) if takes_value => format!("`{short}--{long} {values}`"),
        Some(long) => format!("`{short}--{long}`"),
        None => format!("`{values}`"),
    };
    let variable = argument.get_env().map(|name| format!(", `{}`", name.display())).unwrap_or_default();
    let help = argument.get_long_help().or(argument.get_help()).expect("it says what it does").to_string();
    let is_shown = takes_value && !argument.is_hide_default_value_set();
    let defaults = argument.get_default_values().iter().filter(|_| is_shown);
    let defaults: Vec<_> = defaults.map(|value| format!("`{}`", value.display())).collect();
    format!("| {name}{variable} | {} | {} |\n", help.replace('|', "\\|"), defaults.join(" "))
}

#[test]
fn the_page_of_options_has_all_of_them() {
    let path = root().join("docs/options.md");
    let page = options();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).expect("writable");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "BLESS=1 cargo test -p bowline page_of_options writes docs/options.md");
}

/// All our source code, without the tests.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs")
            && path.file_name().is_some_and(|n| n != "documents.rs")
        {
            *all += &fs::read_to_string(path).expect("UTF-8");
        }
    }
}

#[test]
fn every_sentence_that_is_explained_is_said() {
    let mut all = String::new();
    for entry in fs::read_dir(root().join("crates")).expect("a folder") {
        sources(&entry.expect("readable").path().join("src"), &mut all);
    }
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("UTF-8");
    let quoted = page
        .lines()
        .filter(|line| line.starts_with("## \""))
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    let (mut count, mut missing) = (0, Vec::new());
    for sentence in quoted {
        for part in sentence.split(" ... ") {
            count += 1;
            // The program inserts the codes.
            let words = part.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
            let words = words
                .split(|c: char| c.is_ascii_digit() || "()/".contains(c))
                .max_by_key(|words| words.len());
            let words = words.unwrap_or_default().trim();
            if !all.contains(words) {
                missing.push(words.to_owned());
            }
        }
    }
    assert!(count >= 8 && missing.is_empty(), "{count}, not said: {missing:?}");
}
