//! A few rows of each table, as text: bounded in rows, bytes and time, in read-only transactions. Views are not read:
//! one runs the functions of whoever wrote it, as us; nor is a table whose row security would run such. Not here: what
//! the values mean.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::Limits;
use super::read::{Live, LiveColumn, LiveTable, TableKind};

/// Of one value.
const VALUE_CHARACTERS_MAX: usize = 2_000;
const DOCUMENT_CHARACTERS_MAX: usize = 16_000;
/// Of one table; further rows are let go.
const TABLE_BYTES_MAX: usize = 8_388_608;
/// Paths of a document that are judged by themselves.
const PATHS_MAX: usize = 200;
const DEPTH_MAX: usize = 8;

/// Values of each column of a table.
#[derive(Debug, Default)]
pub struct Sample {
    /// By column, and for documents by the path in them (`$.contact.email`; `$` alone for what is no document).
    pub values: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Why there are none, if something went wrong.
    pub unread: Option<String>,
}

/// Of every table, in their order.
#[derive(Debug, Default)]
pub struct Samples(pub Vec<Sample>);

/// What is set before anything is read. Names are looked up in `pg_catalog` alone.
fn settings(limits: &Limits) -> String {
    format!(
        "SET search_path = pg_catalog; SET default_transaction_read_only = on; SET row_security = off; \
         SET statement_timeout = {milliseconds}; SET lock_timeout = 2000; SET DateStyle = ISO; SET extra_float_digits = 1",
        milliseconds = limits.statement.as_millis()
    )
}

/// Prepares a connection for a scan: read-only, bounded, nobody else's functions found by name.
///
/// # Errors
/// When the connection breaks.
pub async fn prepare(client: &Client, limits: &Limits) -> Result<(), Error> {
    client.batch_execute(&settings(limits)).await
}

/// Reads rows of every table until the time is up.
///
/// # Errors
/// When the connection breaks; a table that cannot be read says so in its sample.
pub async fn sample(
    client: &Client,
    live: &Live,
    limits: &Limits,
    each: impl Fn(usize),
) -> Result<Samples, Error> {
    let mut samples = Samples::default();
    let end = tokio::time::sleep(limits.total);
    tokio::pin!(end);
    for (number, table) in live.tables.iter().enumerate() {
        each(number);
        let sample = if end.is_elapsed() {
            Sample { unread: Some("the time for reading rows was up".to_owned()), ..Sample::default() }
        } else {
            tokio::select! {
                biased;
                sample = of_table(client, table, limits) => sample?,
                () = &mut end => Sample { unread: Some("the time for reading rows was up".to_owned()), ..Sample::default() },
            }
        };
        samples.0.push(sample);
    }
    Ok(samples)
}

async fn of_table(client: &Client, table: &LiveTable, limits: &Limits) -> Result<Sample, Error> {
    let unread = match table.kind {
        TableKind::View => Some("a view is not read: it would run its owner's functions as us"),
        TableKind::Foreign => Some("a foreign table is not read: its rows are another server's"),
        TableKind::Table | TableKind::Partitioned | TableKind::Materialized => None,
    };
    let columns: Vec<&LiveColumn> =
        table.columns.iter().filter(|column| column.readable && column.base_type != "bytea").collect();
    let mut sample = Sample { unread: unread.map(str::to_owned), ..Sample::default() };
    if sample.unread.is_some() || columns.is_empty() {
        return Ok(sample);
    }
    // A sample of blocks is spread over the table; a small table is read from its beginning.
    let rows = f64::from(limits.rows);
    let percent = (rows * 4.0 / table.rows.max(1.0) * 100.0).clamp(0.000_1, 100.0);
    let spread = table.rows > rows * 20.0;
    let methods = [spread.then(|| format!(" TABLESAMPLE SYSTEM ({percent})")), Some(String::new())];
    for method in methods.into_iter().flatten() {
        match client.simple_query(&query(table, &columns, &method, limits.rows)).await {
            Ok(answer) => take(&mut sample, &columns, &answer),
            Err(error) if client.is_closed() => return Err(error),
            Err(error) => {
                let said =
                    error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
                sample.unread = Some(format!("its rows could not be read: {said}"));
                return Ok(sample);
            }
        }
        if sample.values.values().flat_map(BTreeMap::values).any(|values| values.len() > 20) {
            break;
        }
    }
    Ok(sample)
}

fn query(table: &LiveTable, columns: &[&LiveColumn], method: &str, rows: u32) -> String {
    let values: Vec<String> = columns.iter().map(|column| value(column)).collect();
    let (schema, name) = (quoted(&table.schema), quoted(&table.name));
    format!("SELECT {} FROM {schema}.{name}{method} LIMIT {rows}", values.join(", "))
}

fn value(column: &LiveColumn) -> String {
    let name = quoted(&column.name);
    let most = if is_document(column) { DOCUMENT_CHARACTERS_MAX } else { VALUE_CHARACTERS_MAX };
    if column.base_type.starts_with('_') {
        return format!("left(array_to_string({name}, E'\\n'), {most})");
    }
    format!("left({name}::text, {most})")
}

/// An identifier as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_document(column: &LiveColumn) -> bool {
    matches!(column.base_type.as_str(), "json" | "jsonb" | "xml" | "hstore")
}

fn take(sample: &mut Sample, columns: &[&LiveColumn], answer: &[SimpleQueryMessage]) {
    let mut bytes = 0_usize;
    for message in answer {
        let SimpleQueryMessage::Row(row) = message else { continue };
        for (place, column) in columns.iter().enumerate() {
            let Ok(Some(text)) = row.try_get(place) else { continue };
            bytes = bytes.saturating_add(text.len());
            put(sample.values.entry(column.name.clone()).or_default(), column, text);
        }
        if bytes > TABLE_BYTES_MAX {
            break;
        }
    }
}

type Paths = BTreeMap<String, Vec<String>>;

fn put(paths: &mut Paths, column: &LiveColumn, text: &str) {
    let mut leaf = |path: &str, value: &str| {
        if paths.contains_key(path) || paths.len() < PATHS_MAX {
            paths.entry(path.to_owned()).or_default().push(value.to_owned());
        }
    };
    match column.base_type.as_str() {
        "json" | "jsonb" => match serde_json::from_str(text) {
            Ok(document) => leaves(&document, "$", DEPTH_MAX, &mut leaf),
            Err(_) => leaf("$", text),
        },
        "xml" => text
            .split(['<', '>'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .for_each(|part| leaf("$", part)),
        array if array.starts_with('_') => text.lines().for_each(|value| leaf("$", value)),
        _ => leaf("$", text),
    }
}

/// What stands at the ends of a document; elements of a list share a path.
fn leaves(value: &Value, path: &str, depth: usize, leaf: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Null => {}
        Value::String(text) => leaf(path, text),
        Value::Bool(_) | Value::Number(_) => leaf(path, &value.to_string()),
        _ if depth == 0 => leaf(path, &value.to_string()),
        Value::Array(values) => {
            values.iter().for_each(|value| leaves(value, path, depth.saturating_sub(1), leaf))
        }
        Value::Object(parts) => {
            for (name, value) in parts {
                leaves(value, &format!("{path}.{name}"), depth.saturating_sub(1), leaf);
            }
        }
    }
}
