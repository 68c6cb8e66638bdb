//! Bowline and its peers, measured in turn in one process.
//!
//! ```text
//! compare [--only frames|streams|echo|control] [--quick] [--rounds N] [--out DIR]
//! ```
//!
//! Prints each table when it is done, and writes all of them as Markdown, CSV and SVG: to benches/results/DATE after a
//! complete run, and otherwise to target/compare.
#![deny(unsafe_code)]

mod control;
mod cpu;
mod echo;
mod frames;
mod machine;
mod peers;
mod report;
mod stream;
mod streams;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use table::Table;

/// The requested run.
struct Options {
    only: Option<String>,
    quick: bool,
    rounds: Option<usize>,
    out: Option<PathBuf>,
}

const USAGE: &str = "compare [--only frames|streams|echo|control] [--quick] [--rounds N] [--out DIR]";

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let rounds = |usual, quick| options.rounds.unwrap_or(if options.quick { quick } else { usual });
    let mib = if options.quick { 256 } else { 1024 };
    type Part<'a> = (&'static str, Box<dyn Fn() -> Vec<Table> + 'a>);
    let parts: Vec<Part> = vec![
        ("frames", Box::new(|| frames::parse(rounds(15, 5)))),
        ("frames", Box::new(|| frames::serialise(rounds(15, 5)))),
        ("streams", Box::new(|| streams::streams(rounds(7, 3), mib))),
        ("echo", Box::new(|| echo::echo(rounds(5, 3), options.quick))),
        ("control", Box::new(control::control)),
    ];
    let mut tables = Vec::new();
    for (name, part) in &parts {
        if options.only.as_ref().is_none_or(|only| only == name) {
            for table in part() {
                println!("{}", report::show(&table));
                tables.push(table);
            }
        }
    }
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let is_whole = options.only.is_none() && !options.quick;
    let place =
        if is_whole { here.join("../results").join(machine::day()) } else { here.join("target/compare") };
    let out = options.out.unwrap_or(place);
    if let Err(error) = report::write(&out, &machine::describe(), &tables) {
        eprintln!("{}: {error}", out.display());
        return ExitCode::FAILURE;
    }
    eprintln!("written to {}", out.display());
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut options = Options { only: None, quick: false, rounds: None, out: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options.quick = true,
            "--only" => {
                options.only = Some(
                    words
                        .next()
                        .filter(|name| ["frames", "streams", "echo", "control"].contains(&name.as_str()))?,
                )
            }
            "--rounds" => options.rounds = Some(words.next()?.parse().ok().filter(|rounds| *rounds > 0)?),
            "--out" => options.out = Some(words.next()?.into()),
            _ => return None,
        }
    }
    Some(options)
}
