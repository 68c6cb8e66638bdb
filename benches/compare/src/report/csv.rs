//! One line per figure.

use std::fmt::Write;

use crate::table::{Kind, Table};

pub(super) fn all(tables: &[Table]) -> String {
    let mut out = "table,row,column,unit,rounds,median,low,high,to_limit,to_best_peer\n".to_owned();
    for table in tables {
        for row in &table.rows {
            for (column, title) in table.columns.iter().enumerate() {
                let Some(figure) = table.figure(row, column) else { continue };
                let rounds = row.cells.get(&column).map_or(0, Vec::len);
                let against = |other| {
                    table.ratio(row, other, column).map_or(String::new(), |ratio| format!("{ratio:.4}"))
                };
                let to_limit = table.limit().map_or(String::new(), against);
                let to_best = table.best(Kind::Peer, column).map_or(String::new(), against);
                let _ = writeln!(
                    out,
                    "{},\"{}\",\"{title}\",{},{rounds},{:.6},{:.6},{:.6},{to_limit},{to_best}",
                    table.name, row.name, table.unit, figure.median, figure.low, figure.high
                );
            }
        }
    }
    out
}
