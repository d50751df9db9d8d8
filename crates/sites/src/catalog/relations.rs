//! Which rows refer to which: foreign keys, what the operator declares, and what names, types and values suggest. Not
//! here: the way from a table to its subject (`paths`).

use std::collections::BTreeSet;

use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::hints::singular;
use super::plain_name;
use super::read::{Live, LiveTable, TableKind};
use super::sample::{Samples, quoted};

/// Values of a column that are looked for among another's.
const INCLUDED_MAX: usize = 200;
/// Fewer distinct values than this are among another table's keys by chance.
const DISTINCT_MIN: usize = 3;
/// Candidates that are tried against the database.
const TRIED_MAX: usize = 2_000;

/// Where a relation comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin {
    /// A foreign key.
    Key,
    /// The operator says so.
    Declared,
    /// Names, types and values suggest it, with this confidence.
    Proposed(f64),
}

impl Origin {
    /// From 0 to 1.
    pub const fn confidence(self) -> f64 {
        match self {
            Self::Key | Self::Declared => 1.0,
            Self::Proposed(confidence) => confidence,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "foreign key",
            Self::Declared => "declared",
            Self::Proposed(_) => "proposed",
        }
    }
}

/// Columns of one table that hold a key of another. Tables by their place in [`Live`].
#[derive(Debug, Clone)]
pub struct Relation {
    /// The table that refers.
    pub child: usize,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that is referred to.
    pub parent: usize,
    /// Its columns, in the same order.
    pub parent_columns: Vec<String>,
    /// Where this is known from.
    pub origin: Origin,
}

/// A declared relation that fits no table or column.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnknownRelation {
    /// It cannot be read.
    #[error("`{0}` is no relation: write CHILD.COLUMN=PARENT.COLUMN, as in orders.customer_id=customers.id")]
    Form(String),
    /// There is no such column.
    #[error("there is no column `{0}`; write TABLE.COLUMN or SCHEMA.TABLE.COLUMN, as the database has it")]
    Column(String),
}

/// Adds relations that the operator declares.
///
/// # Errors
/// When one names what is not there.
pub fn declare(live: &mut Live, relations: &[String]) -> Result<(), UnknownRelation> {
    for text in relations {
        let (child, parent) = text.split_once('=').ok_or_else(|| UnknownRelation::Form(text.clone()))?;
        let (child, column) = find(live, child.trim())?;
        let (parent, parent_column) = find(live, parent.trim())?;
        live.relations.retain(|known| !(known.child == child && known.columns == [column.clone()]));
        live.relations.push(Relation {
            child,
            columns: vec![column],
            parent,
            parent_columns: vec![parent_column],
            origin: Origin::Declared,
        });
    }
    Ok(())
}

fn find(live: &Live, text: &str) -> Result<(usize, String), UnknownRelation> {
    let unknown = || UnknownRelation::Column(text.to_owned());
    let (table, column) = text.rsplit_once('.').ok_or_else(unknown)?;
    let named = |one: &LiveTable| one.name == table || one.full_name() == table;
    let place = live.tables.iter().position(|one| named(one) && one.column(column).is_some());
    Ok((place.ok_or_else(unknown)?, column.to_owned()))
}

/// Adds what names, types and values suggest, for columns that no relation is known of.
///
/// # Errors
/// When the connection breaks.
pub async fn discover(client: &Client, live: &mut Live, samples: &Samples) -> Result<(), Error> {
    let mut found = Vec::new();
    for candidate in candidates(live).into_iter().take(TRIED_MAX) {
        let relation = &candidate;
        let values = values(samples, relation);
        let (Some(parent), Some(column)) =
            (live.tables.get(relation.parent), relation.parent_columns.first())
        else {
            continue;
        };
        if values.is_empty() {
            found.push(Relation { origin: Origin::Proposed(0.5), ..candidate });
            continue;
        }
        if let Some(share) = included(client, parent, column, &values).await?
            && share > 0.95
        {
            let confidence = if values.len() < DISTINCT_MIN { 0.6 } else { 0.85 };
            found.push(Relation { origin: Origin::Proposed(confidence), ..candidate });
        }
    }
    live.relations.extend(found);
    Ok(())
}

/// Columns named after another table's key, of its type: `customer_id`, `customer`, `CustomerID`.
fn candidates(live: &Live) -> Vec<Relation> {
    let known: BTreeSet<(usize, &str)> = live
        .relations
        .iter()
        .flat_map(|one| one.columns.iter().map(move |column| (one.child, column.as_str())))
        .collect();
    let mut found = Vec::new();
    for (child, table) in live.tables.iter().enumerate() {
        if matches!(table.kind, TableKind::View | TableKind::Foreign) {
            continue;
        }
        for column in &table.columns {
            if known.contains(&(child, column.name.as_str())) {
                continue;
            }
            let parents = live.tables.iter().enumerate().filter_map(|(parent, target)| {
                let score = likeness(table, &column.name, target).filter(|_| child != parent)?;
                let key = target.key.first()?;
                let same = family(&column.base_type) == family(&target.column(key)?.base_type);
                same.then(|| (score, target.schema == table.schema, parent, key.clone()))
            });
            let best = parents.max_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
            found.extend(best.map(|(_, _, parent, key)| Relation {
                child,
                columns: vec![column.name.clone()],
                parent,
                parent_columns: vec![key],
                origin: Origin::Proposed(0.5),
            }));
        }
    }
    found
}

/// How well a column's name fits another table's key; more is better.
fn likeness(table: &LiveTable, column: &str, target: &LiveTable) -> Option<u32> {
    let [key] = target.key.as_slice() else { return None };
    let (column, key, name) = (plain_name(column), plain_name(key), singular(&plain_name(&target.name)));
    let own = singular(&plain_name(&table.name));
    let bare = column
        .trim_end_matches("_id")
        .trim_end_matches("_no")
        .trim_end_matches("_nr")
        .trim_end_matches("_key");
    let bare = if bare == column { column.strip_suffix("id").unwrap_or(&column) } else { bare };
    let generic = ["id", "uuid", "nr", "no", "key", "code", "name"].contains(&key.as_str());
    if name.is_empty() || bare.is_empty() || own == bare {
        return None;
    }
    // A column that bears the key's own name, which says whose it is.
    if column == key && !generic {
        return Some(if singular(bare) == name { 4 } else { 3 });
    }
    if singular(bare) == name && (bare != column || generic) {
        return Some(3);
    }
    // `sender_user_id`, `parent_customer_id`.
    (bare != column && bare.ends_with(&format!("_{name}"))).then_some(2)
}

/// Types whose values can be equal.
fn family(base_type: &str) -> &str {
    match base_type {
        "int2" | "int4" | "int8" => "integer",
        "varchar" | "bpchar" | "text" | "citext" => "text",
        other => other,
    }
}

fn values(samples: &Samples, relation: &Relation) -> Vec<String> {
    let column = relation.columns.first();
    let sample = samples.0.get(relation.child).and_then(|sample| sample.values.get(column?));
    let values = sample.into_iter().flat_map(|paths| paths.values().flatten());
    let distinct: BTreeSet<&String> = values.collect();
    distinct.into_iter().take(INCLUDED_MAX).cloned().collect()
}

/// How many of the values are keys there; nothing when the database cannot say.
async fn included(
    client: &Client,
    parent: &LiveTable,
    column: &str,
    values: &[String],
) -> Result<Option<f64>, Error> {
    let Some(data_type) = parent.column(column).map(|column| family(&column.base_type)) else {
        return Ok(None);
    };
    let cast = match data_type {
        "integer" => "bigint",
        "text" => "text",
        "uuid" => "uuid",
        _ => return Ok(None),
    };
    let listed: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    let query = format!(
        "SELECT count(*)::text FROM unnest(ARRAY[{}]::{cast}[]) v WHERE EXISTS (SELECT FROM {}.{} p WHERE p.{} = v)",
        listed.join(","),
        quoted(&parent.schema),
        quoted(&parent.name),
        quoted(column)
    );
    match client.simple_query(&query).await {
        Ok(answer) => Ok(answer.iter().find_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            let count: f64 = row.get(0)?.parse().ok()?;
            let all = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
            Some(count / all.max(1.0))
        })),
        Err(error) if client.is_closed() => Err(error),
        // A value that is no key of that type, or a table that may not be read: nothing is known.
        Err(_) => Ok(None),
    }
}
