//! The way from each table to the person whom its rows are about: along foreign keys, the fewest first, real ones before
//! proposed ones. Cycles and references of a table to itself end by themselves. Not here: who the persons are
//! (`subjects`).

use super::read::{Live, LiveTable};
use super::relations::Relation;

/// Longer ways are no longer about the person.
const STEPS_MAX: usize = 6;
/// What one more step takes from the confidence.
const STEP_WORTH: f64 = 0.95;
/// What a step against the direction of a reference is worth: the person's row refers to this one.
const BACKWARDS_WORTH: f64 = 0.7;

/// From a table to its person.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// The table of the person.
    pub(super) subject: usize,
    /// Places in the relations, from the table on.
    pub(super) steps: Vec<Step>,
    pub(super) confidence: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) relation: usize,
    /// The person's row, or one that leads to it, refers to this row.
    pub(super) backwards: bool,
}

/// Each table's way, if it has one. `identifying`: whether a table has columns that identify somebody.
pub(super) fn find(live: &Live, subjects: &[usize], identifying: &[bool]) -> Vec<Option<Path>> {
    let mut paths: Vec<Option<Path>> = vec![None; live.tables.len()];
    for subject in subjects {
        if let Some(path) = paths.get_mut(*subject) {
            *path = Some(Path { subject: *subject, steps: Vec::new(), confidence: 1.0 });
        }
    }
    // Widening rounds: a table gets the best way that is one step longer than its neighbours'.
    for _ in 0..STEPS_MAX {
        let mut next: Vec<(usize, Path)> = Vec::new();
        for (number, relation) in live.relations.iter().enumerate() {
            let forwards = Step { relation: number, backwards: false };
            next.extend(step(live, &paths, relation.child, relation.parent, forwards, relation));
        }
        if !put(&mut paths, next) {
            break;
        }
    }
    // What a person's own row refers to is about them if it identifies: their address. One step, and not from a list
    // to which many refer.
    let mut next = Vec::new();
    for (number, relation) in live.relations.iter().enumerate() {
        if identifying.get(relation.parent).copied().unwrap_or(false) {
            let backwards = Step { relation: number, backwards: true };
            next.extend(step(live, &paths, relation.parent, relation.child, backwards, relation));
        }
    }
    put(&mut paths, next);
    paths
}

fn step(
    live: &Live,
    paths: &[Option<Path>],
    from: usize,
    to: usize,
    step: Step,
    relation: &Relation,
) -> Option<(usize, Path)> {
    if paths.get(from)?.is_some() || from == to {
        return None;
    }
    let rest = paths.get(to)?.as_ref()?;
    let worth = if step.backwards { BACKWARDS_WORTH } else { STEP_WORTH };
    let child = live.tables.get(relation.child)?;
    let optional =
        relation.columns.iter().any(|column| child.column(column).is_some_and(|column| column.nullable));
    let confidence =
        rest.confidence * worth * relation.origin.confidence() * if optional { 0.95 } else { 1.0 };
    let mut steps = vec![step];
    steps.extend(&rest.steps);
    Some((from, Path { subject: rest.subject, steps, confidence }))
}

/// Keeps the best of the new ways; whether there was any.
fn put(paths: &mut [Option<Path>], next: Vec<(usize, Path)>) -> bool {
    let mut any = false;
    let open: Vec<bool> = paths.iter().map(Option::is_none).collect();
    for (table, path) in next {
        if !open.get(table).copied().unwrap_or(false) {
            continue;
        }
        if let Some(known) = paths.get_mut(table)
            && known.as_ref().is_none_or(|known| known.confidence < path.confidence)
        {
            *known = Some(path);
            any = true;
        }
    }
    any
}

impl Path {
    /// As people read it: `order_items.order_id -> orders.customer_id -> customers.id`.
    pub(super) fn written(&self, live: &Live) -> String {
        let name = |place: usize| live.tables.get(place).map(LiveTable::full_name).unwrap_or_default();
        let key = live.tables.get(self.subject).map(|table| table.key.join("+")).unwrap_or_default();
        let mut parts: Vec<String> = Vec::new();
        for step in &self.steps {
            let Some(relation) = live.relations.get(step.relation) else { continue };
            parts.push(if step.backwards {
                format!(
                    "{}.{} <- {}.{}",
                    name(relation.parent),
                    relation.parent_columns.join("+"),
                    name(relation.child),
                    relation.columns.join("+")
                )
            } else {
                format!("{}.{}", name(relation.child), relation.columns.join("+"))
            });
        }
        parts.push(format!("{}.{key}", name(self.subject)));
        parts.join(" -> ")
    }

    /// The column that holds the person's key itself, if the table has one.
    pub(super) fn direct<'a>(&self, live: &'a Live) -> Option<&'a str> {
        let [step] = self.steps.as_slice() else { return None };
        let relation = live.relations.get(step.relation).filter(|_| !step.backwards)?;
        let [column] = relation.columns.as_slice() else { return None };
        Some(column)
    }
}
