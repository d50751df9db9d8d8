//! Figures: least, middle and most over the rounds, as tables for people and as JSON for tools.

use std::collections::BTreeMap;

use serde::Serialize;

/// Of several rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let upper = sorted.get(middle)?;
        let lower = if sorted.len().is_multiple_of(2) { sorted.get(middle.checked_sub(1)?)? } else { upper };
        Some(Self { min, median: (lower + upper) / 2.0, max })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 10.0 {
            2
        } else if self.median < 1_000.0 {
            1
        } else {
            0
        };
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.min, self.max)
    }
}

/// One figure of all these.
pub(crate) fn spread_of<T>(runs: &[T], figure: fn(&T) -> f64) -> Option<Spread> {
    Spread::of(runs.iter().map(figure))
}

/// By group of threads.
pub(crate) fn by_group<'a>(
    runs: impl Iterator<Item = &'a BTreeMap<&'static str, f64>> + Clone,
) -> BTreeMap<&'static str, Spread> {
    let groups = runs.clone().flat_map(BTreeMap::keys).copied();
    let spread = |group| Spread::of(runs.clone().filter_map(|cpu| cpu.get(group).copied()));
    groups.filter_map(|group| Some((group, spread(group)?))).collect()
}

pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map(|r| format!("{r:.2}")).unwrap_or_default()
}

pub(crate) fn tls(tls: bool) -> &'static str {
    if tls { ", TLS" } else { "" }
}

/// The report as it was asked for.
pub(crate) fn print<T: Serialize>(
    report: &T,
    json: bool,
    as_text: impl FnOnce(&T) -> String,
) -> Result<(), String> {
    if json {
        println!("{}", serde_json::to_string_pretty(report).map_err(|e| e.to_string())?);
    } else {
        print!("{}", as_text(report));
    }
    Ok(())
}

/// The figure that this share of sorted ones do not exceed; 0 of none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round();
    sorted.iter().copied().nth(at as usize).unwrap_or(0.0)
}

/// A table in Markdown, its columns aligned.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head.get(column).map_or(0, |cell| cell.chars().count())]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let mut text = line(&mut head.iter().copied());
    text.push_str(&format!(
        "|{}\n",
        widths.iter().map(|w| format!("{}|", "-".repeat(w + 2))).collect::<String>()
    ));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}
