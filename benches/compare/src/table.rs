//! The measurements, round by round, and what follows from them.

use std::collections::BTreeMap;

/// Which of two figures is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// Rows of contenders and columns of cases; each cell holds a figure for each round.
pub struct Table {
    /// A short name for files.
    pub name: &'static str,
    pub title: String,
    /// How it was measured.
    pub note: String,
    pub unit: &'static str,
    pub better: Better,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// The target, if anything was promised: a value, or a share of the limit.
    pub goals: Vec<Option<Goal>>,
}

#[derive(Clone, Copy, Debug)]
pub enum Goal {
    Value(f64),
    OfLimit(f64),
}

pub struct Row {
    pub name: String,
    pub kind: Kind,
    /// By column and round.
    pub cells: BTreeMap<usize, Vec<f64>>,
}

/// The role of a row in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the machine needs for the same bytes.
    Limit,
    Bowline,
    Peer,
}

impl Kind {
    /// By the name of the row.
    fn of(name: &str) -> Self {
        match name {
            _ if name.starts_with("bowline") => Self::Bowline,
            _ if name.starts_with("limit") => Self::Limit,
            _ => Self::Peer,
        }
    }
}

/// The median of the rounds, and the least and the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Table {
    pub fn new(
        name: &'static str,
        title: &str,
        unit: &'static str,
        better: Better,
        columns: Vec<String>,
    ) -> Self {
        let goals = vec![None; columns.len()];
        Self {
            name,
            title: title.into(),
            note: String::new(),
            unit,
            better,
            columns,
            rows: Vec::new(),
            goals,
        }
    }

    /// One more figure of this contender in this column.
    pub fn add(&mut self, row: &str, column: usize, value: f64) {
        let found = self.rows.iter().position(|known| known.name == row);
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row { name: row.into(), kind: Kind::of(row), cells: BTreeMap::new() });
            self.rows.len() - 1
        });
        self.rows[at].cells.entry(column).or_default().push(value);
    }

    /// A contender's figure in this column.
    pub fn figure(&self, row: &Row, column: usize) -> Option<Figure> {
        row.cells.get(&column).and_then(|values| figure(values))
    }

    /// One contender compared with another: the median over the rounds, each of which compares measurements from about
    /// the same time.
    pub fn ratio(&self, row: &Row, to: &Row, column: usize) -> Option<f64> {
        let (values, others) = (row.cells.get(&column)?, to.cells.get(&column)?);
        let ratios: Vec<f64> = values.iter().zip(others).map(|(value, other)| value / other).collect();
        figure(&ratios).map(|figure| figure.median).filter(|ratio| ratio.is_finite())
    }

    /// The limit, if there is one.
    pub fn limit(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.kind == Kind::Limit)
    }

    /// The best of this kind in this column.
    pub fn best(&self, kind: Kind, column: usize) -> Option<&Row> {
        let rows = self.rows.iter().filter(|row| row.kind == kind);
        let figures = rows.filter_map(|row| Some((row, self.figure(row, column)?.median)));
        let (row, _) = match self.better {
            Better::More => figures.max_by(|a, b| a.1.total_cmp(&b.1)),
            Better::Less => figures.min_by(|a, b| a.1.total_cmp(&b.1)),
        }?;
        Some(row)
    }
}

fn figure(values: &[f64]) -> Option<Figure> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    Some(Figure { median, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("t", "T", "GiB/s", Better::More, vec!["a".into()]);
        for (row, values) in
            [("limit: copy", [10.0, 20.0, 40.0]), ("bowline", [5.0, 5.0, 40.0]), ("other", [1.0, 6.0, 7.0])]
        {
            values.into_iter().for_each(|value| table.add(row, 0, value));
        }
        table
    }

    #[test]
    fn a_ratio_is_the_median_of_ratios_within_rounds() {
        let table = table();
        assert_eq!(table.ratio(&table.rows[1], &table.rows[0], 0), Some(0.5));
    }

    #[test]
    fn the_best_is_the_one_with_the_best_median() {
        let table = table();
        assert_eq!(table.best(Kind::Peer, 0).map(|row| row.name.as_str()), Some("other"));
        assert_eq!(table.figure(&table.rows[2], 0), Some(Figure { median: 6.0, low: 1.0, high: 7.0 }));
    }
}
