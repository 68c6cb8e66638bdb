//! For tests: a machine as a table that a person can read, compared with the one in a file.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use std::{env, fs};

/// What stands where nothing changes.
pub(crate) const NOTHING: &str = "·";

/// Rows of cells under a head, aligned.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: impl IntoIterator<Item = impl ToString>) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row("", head);
        table
    }

    pub(crate) fn row(&mut self, name: &str, cells: impl IntoIterator<Item = impl ToString>) {
        let cells = cells.into_iter().map(|cell| match cell.to_string() {
            nothing if nothing.is_empty() && !name.is_empty() => NOTHING.into(),
            cell => cell,
        });
        self.rows.push([name.to_string()].into_iter().chain(cells).collect());
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.rows.push(Vec::new());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row: &Vec<String>| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        for row in &self.rows {
            let cells =
                row.iter().enumerate().map(|(column, cell)| alloc::format!("{cell:<0$}", width(column)));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Compares what a file says with what happened. With `BLESS=1` in the environment what happened is written to the
/// file instead. The file is named from the folder of the sources.
pub(crate) fn check(file: &str, happened: &str) {
    let file = alloc::format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"));
    if env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&file, happened).expect("a file that can be written");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    for (number, (written, happened)) in written.lines().zip(happened.lines()).enumerate() {
        assert_eq!(written, happened, "{file}:{}; BLESS=1 writes what happened", number + 1);
    }
    assert_eq!(written, happened, "{file}; BLESS=1 writes what happened");
}
