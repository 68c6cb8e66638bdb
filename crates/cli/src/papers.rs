//! Completions for shells and pages for `man`, made from the definitions of the command line.

use crate::args::{Cli, Completions, Man};
use crate::exit::Trouble;
use crate::stdout;
use clap::CommandFactory as _;

/// Prints the completions for a shell.
pub(crate) fn complete(args: &Completions) {
    // The generator would panic if nobody reads on.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bowline", &mut script);
    stdout::print(&script);
}

/// Prints a manual page: of the program, or of one of its commands.
pub(crate) fn explain(args: &Man) -> Result<(), Trouble> {
    let mut cli = Cli::command();
    cli.build();
    let command = match &args.command {
        None => cli,
        Some(name) => {
            let found = cli.find_subcommand(name).cloned();
            found.ok_or_else(|| Trouble::usage(format!("there is no command {name}; see bowline --help")))?
        }
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|e| Trouble::failed(format!("the page cannot be written: {e}")))?;
    stdout::print(&page);
    Ok(())
}
