//! A table for people, and one for programs.

use std::fmt::Write;

pub(crate) struct Table {
    pub(crate) name: &'static str,
    title: String,
    note: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(name: &'static str, title: &str, note: &str, columns: &[&'static str]) -> Self {
        Self { name, title: title.into(), note: note.into(), columns: columns.into(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n{}\n\n| {} |\n", self.title, self.note, self.columns.join(" | "));
        let _ = writeln!(out, "|{}", "---|".repeat(self.columns.len()));
        for row in &self.rows {
            let _ = writeln!(out, "| {} |", row.join(" | "));
        }
        out
    }

    pub(crate) fn csv(&self) -> String {
        let mut out = self.columns.join(",") + "\n";
        for row in &self.rows {
            let _ = writeln!(
                out,
                "{}",
                row.iter().map(|cell| cell.replace(',', "")).collect::<Vec<_>>().join(",")
            );
        }
        out
    }
}

/// A length in the unit that makes it short.
pub(crate) fn bytes(len: u64) -> String {
    match len {
        _ if len >= 1 << 30 => format!("{} GiB", len >> 30),
        _ if len >= 1 << 20 => format!("{} MiB", len >> 20),
        _ if len >= 1 << 10 => format!("{} KiB", len >> 10),
        _ => format!("{len} B"),
    }
}
