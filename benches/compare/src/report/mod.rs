//! Tables for people and programs.

mod csv;
mod markdown;
mod plot;

use std::path::Path;
use std::{fs, io};

use crate::table::Table;

/// Writes `compare.md`, `compare.csv` and a plot for each table.
///
/// # Errors
/// Of the file system.
pub fn write(dir: &Path, machine: &str, tables: &[Table]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join("compare.md"), markdown::all(machine, tables))?;
    fs::write(dir.join("compare.csv"), csv::all(tables))?;
    for table in tables {
        fs::write(dir.join(format!("{}.svg", table.name)), plot::plot(table))?;
    }
    Ok(())
}

/// One table, for people.
pub fn show(table: &Table) -> String {
    markdown::table(table)
}

/// With three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        0.0 => "0".into(),
        _ => format!("{value:.3}"),
    }
}
