//! The cost of many connections, many uploads, and of large and many messages and files: tables that show whether it
//! grows faster than the work.
//!
//! ```text
//! many [--only idle|sockets|messages|files|transfers|uploads] [--quick] [--out DIR]
//! many --only uploads [--clients N...]      these rows alone
//! many serve DIR                            a server for the uploads, which starts it itself
//! ```

mod costs;
mod idle;
mod machine;
mod sockets;
mod table;
mod uploads;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use table::Table;

/// Which part of it is measured.
#[derive(Default)]
struct Extent {
    quick: bool,
    /// How many clients upload at once, with a row for each number; if there are none, the usual ones.
    clients: Vec<u64>,
}

type Part = fn(&Extent) -> Result<Table, Box<dyn Error>>;

const PARTS: [(&str, Part); 6] = [
    ("idle", |extent| Ok(idle::idle(extent.quick))),
    ("sockets", |extent| sockets::sockets(extent.quick)),
    ("messages", |extent| Ok(costs::messages(extent.quick))),
    ("files", |extent| Ok(costs::files(extent.quick))),
    ("transfers", |extent| Ok(costs::transfers(extent.quick))),
    ("uploads", |extent| uploads::uploads(extent.quick, &extent.clients)),
];

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1).peekable();
    let (mut only, mut extent, mut out) = (None, Extent::default(), None::<PathBuf>);
    while let Some(word) = words.next() {
        match word.as_str() {
            "serve" => return uploads::serve(Path::new(&words.next().ok_or("serve DIR")?)),
            "--quick" => extent.quick = true,
            "--only" => only = words.next(),
            "--clients" => {
                while let Some(Ok(clients @ 1..)) = words.peek().map(|word| word.parse()) {
                    extent.clients.push(clients);
                    words.next();
                }
            }
            "--out" => out = words.next().map(Into::into),
            other => return Err(format!("unknown: {other}").into()),
        }
    }
    if !extent.clients.is_empty() && only.as_deref() != Some("uploads") {
        return Err("--clients goes with --only uploads".into());
    }
    let Some(only) = only else { return each_by_itself() };
    let (_, part) = PARTS.into_iter().find(|(name, _)| *name == only).ok_or("no such part")?;
    let table = part(&extent)?;
    println!("{}", table.markdown());
    if let Some(out) = out {
        std::fs::create_dir_all(&out)?;
        let page = format!("{}\n{}\n", table.markdown(), machine::describe());
        std::fs::write(out.join(format!("many-{}.md", table.name)), page)?;
        std::fs::write(out.join(format!("many-{}.csv", table.name)), table.csv())?;
    }
    Ok(())
}

/// Each part runs in a process of its own: memory that one has freed would hide what the next one takes.
fn each_by_itself() -> Result<(), Box<dyn Error>> {
    for (name, _) in PARTS {
        let words = ["--only", name].map(String::from).into_iter().chain(std::env::args().skip(1));
        let status = Command::new(std::env::current_exe()?).args(words).status()?;
        if !status.success() {
            return Err(format!("{name}: {status}").into());
        }
    }
    Ok(())
}
