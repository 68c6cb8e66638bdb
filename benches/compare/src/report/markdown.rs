//! Tables in Markdown: medians, with the ratio to the limit in brackets.

use std::fmt::Write;

use super::number;
use crate::table::{Better, Goal, Kind, Table};

pub(super) fn all(machine: &str, tables: &[Table]) -> String {
    let mut out = format!(
        "# Bowline and its peers\n\n{machine}\n\nMedians of rounds in which all took turns. In brackets: the ratio to the limit, the median of the \
         ratios within rounds. **Bold**: the best of all but the limits.\n"
    );
    for each in tables {
        let _ = write!(out, "\n{}", table(each));
    }
    out
}

pub(super) fn table(table: &Table) -> String {
    let direction = if table.better == Better::More { "more is better" } else { "less is better" };
    let mut out = format!("## {}\n\n{}, {direction}.{}\n\n", table.title, table.unit, table.note);
    let _ = writeln!(out, "| | {} |\n|---|{}", table.columns.join(" | "), "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let cells = (0..table.columns.len()).map(|column| {
            let Some(figure) = table.figure(row, column) else { return "-".into() };
            let mut cell = number(figure.median);
            let is_best = [Kind::Bowline, Kind::Peer]
                .iter()
                .filter_map(|kind| table.best(*kind, column))
                .filter_map(|best| table.figure(best, column))
                .all(|best| match table.better {
                    Better::More => figure.median >= best.median,
                    Better::Less => figure.median <= best.median,
                });
            if is_best && row.kind != Kind::Limit {
                cell = format!("**{cell}**");
            }
            match table
                .limit()
                .filter(|limit| limit.name != row.name)
                .and_then(|limit| table.ratio(row, limit, column))
            {
                Some(ratio) => format!("{cell} ({ratio:.2})"),
                None => cell,
            }
        });
        let _ = writeln!(out, "| {} | {} |", row.name, cells.collect::<Vec<_>>().join(" | "));
    }
    line(&mut out, table, "*best of bowline / best peer*", |table, column| {
        let (ours, theirs) = (table.best(Kind::Bowline, column)?, table.best(Kind::Peer, column)?);
        table.ratio(ours, theirs, column).map(|ratio| format!("{ratio:.2}"))
    });
    if table.goals.iter().any(Option::is_some) {
        line(&mut out, table, "*to reach*", |table, column| match table.goals[column]? {
            Goal::Value(value) => Some(number(value)),
            Goal::OfLimit(share) => Some(format!("({share:.2})")),
        });
        line(&mut out, table, "*reached*", |table, column| {
            Some(if is_reached(table, column)? { "yes" } else { "no" }.into())
        });
    }
    out
}

/// Whether the best bowline variant reaches what was promised.
fn is_reached(table: &Table, column: usize) -> Option<bool> {
    let ours = table.best(Kind::Bowline, column)?;
    let (value, goal) = match table.goals[column]? {
        Goal::Value(goal) => (table.figure(ours, column)?.median, goal),
        Goal::OfLimit(goal) => (table.ratio(ours, table.limit()?, column)?, goal),
    };
    Some(match table.better {
        Better::More => value >= goal,
        Better::Less => value <= goal,
    })
}

fn line(out: &mut String, table: &Table, name: &str, cell: impl Fn(&Table, usize) -> Option<String>) {
    let cells: Vec<_> =
        (0..table.columns.len()).map(|column| cell(table, column).unwrap_or("-".into())).collect();
    let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
}
