//! The schema of a live database: tables, columns, keys, foreign keys, and what views are made of. Not here: rows.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Error};

use super::Limits;
use super::relations::{Origin, Relation};

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// With rows of its own.
    Table,
    /// The root of partitions; they are not listed.
    Partitioned,
    /// Computed when it is read.
    View,
    /// Computed and kept.
    Materialized,
    /// Of another server.
    Foreign,
}

impl TableKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Partitioned => "partitioned table",
            Self::View => "view",
            Self::Materialized => "materialized view",
            Self::Foreign => "foreign table",
        }
    }

    fn of(relkind: &str) -> Self {
        match relkind {
            "p" => Self::Partitioned,
            "v" => Self::View,
            "m" => Self::Materialized,
            "f" => Self::Foreign,
            _ => Self::Table,
        }
    }
}

/// A database's schema.
#[derive(Debug, Default)]
pub struct Live {
    /// In the order of their names.
    pub tables: Vec<LiveTable>,
    /// Foreign keys.
    pub relations: Vec<Relation>,
}

/// A table, view or the like.
#[derive(Debug)]
pub struct LiveTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// As the planner estimates; nought when it does not know.
    pub rows: f64,
    /// Columns of the primary key, or else of a unique key.
    pub key: Vec<String>,
    /// Whether the key is the primary key.
    pub has_primary_key: bool,
    /// In their order.
    pub columns: Vec<LiveColumn>,
    /// Of a view: the columns that it reads, as (table, column).
    pub bases: Vec<(usize, String)>,
}

/// A column.
#[derive(Debug)]
pub struct LiveColumn {
    /// Its name.
    pub name: String,
    /// As PostgreSQL prints it, such as `character varying(40)`.
    pub data_type: String,
    /// The name of the type under a domain, such as `varchar`, `_text` for an array of text.
    pub base_type: String,
    /// `b` base, `e` enum, `c` composite, `r` range, as pg_type has it.
    pub type_kind: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Words of an enum, or names of a composite's parts.
    pub parts: Vec<String>,
    /// Whether reading its values runs nobody's code but PostgreSQL's, and we may.
    pub readable: bool,
}

impl LiveTable {
    /// `schema.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&LiveColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Reads the schema.
///
/// # Errors
/// When the connection breaks.
pub async fn read(client: &Client, limits: &Limits) -> Result<Live, Error> {
    let mut live = Live::default();
    let mut places: BTreeMap<u32, usize> = BTreeMap::new();
    for row in client.query(TABLES, &[&limits.schemas]).await? {
        places.insert(row.try_get(0)?, live.tables.len());
        live.tables.push(LiveTable {
            schema: row.try_get(1)?,
            name: row.try_get(2)?,
            kind: TableKind::of(row.try_get(3)?),
            rows: row.try_get(4)?,
            key: Vec::new(),
            has_primary_key: false,
            columns: Vec::new(),
            bases: Vec::new(),
        });
    }
    for row in client.query(COLUMNS, &[]).await? {
        let place = places.get(&row.try_get::<_, u32>(0)?);
        let Some(table) = place.and_then(|place| live.tables.get_mut(*place)) else { continue };
        table.columns.push(LiveColumn {
            name: row.try_get(1)?,
            data_type: row.try_get(2)?,
            base_type: row.try_get(3)?,
            type_kind: row.try_get(4)?,
            nullable: row.try_get(5)?,
            parts: row.try_get(6)?,
            readable: row.try_get(7)?,
        });
    }
    constraints(client, &places, &mut live).await?;
    for row in client.query(VIEWS, &[]).await? {
        let (view, base): (u32, u32) = (row.try_get(0)?, row.try_get(1)?);
        let (Some(view), Some(base)) = (places.get(&view), places.get(&base)) else { continue };
        if let Some(view) = live.tables.get_mut(*view) {
            view.bases.push((*base, row.try_get(2)?));
        }
    }
    Ok(live)
}

async fn constraints(client: &Client, places: &BTreeMap<u32, usize>, live: &mut Live) -> Result<(), Error> {
    for row in client.query(CONSTRAINTS, &[]).await? {
        let (kind, table): (String, u32) = (row.try_get(0)?, row.try_get(1)?);
        let columns: Vec<String> = row.try_get(2)?;
        let Some(child) = places.get(&table).copied() else { continue };
        if kind == "f" {
            let parent = places.get(&row.try_get::<_, u32>(3)?).copied();
            if let Some(parent) = parent {
                let parent_columns = row.try_get(4)?;
                live.relations.push(Relation { child, columns, parent, parent_columns, origin: Origin::Key });
            }
        } else if let Some(table) = live.tables.get_mut(child)
            && (kind == "p" || (table.key.is_empty() && !table.has_primary_key))
        {
            table.has_primary_key = kind == "p";
            table.key = columns;
        }
    }
    Ok(())
}

/// Without partitions, and without what belongs to an extension.
const TABLES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, \
    greatest(CASE WHEN c.relkind = 'p' THEN (SELECT sum(greatest(k.reltuples, 0)) FROM pg_inherits i \
    JOIN pg_class k ON k.oid = i.inhrelid WHERE i.inhparent = c.oid) ELSE c.reltuples END, 0)::float8 \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't' \
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1)) \
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
    AND d.deptype = 'e') ORDER BY 2, 3";

/// A value is read as text. A type whose text somebody other than a superuser could have written code for is not read.
const COLUMNS: &str = "SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), b.typname::text, \
    b.typtype::text, NOT a.attnotnull, \
    CASE b.typtype WHEN 'e' THEN ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = b.oid ORDER BY enumsortorder) \
    WHEN 'c' THEN ARRAY(SELECT p.attname::text FROM pg_attribute p WHERE p.attrelid = b.typrelid AND p.attnum > 0 \
    AND NOT p.attisdropped ORDER BY p.attnum) ELSE '{}'::text[] END, \
    has_column_privilege(a.attrelid, a.attnum, 'SELECT') AND b.typtype IN ('b', 'r', 'm') \
    AND (coalesce(e.typnamespace, b.typnamespace) = 'pg_catalog'::regnamespace OR EXISTS (SELECT FROM pg_depend d \
    WHERE d.classid = 'pg_type'::regclass AND d.objid = coalesce(e.oid, b.oid) AND d.deptype = 'e')) \
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_type t ON t.oid = a.atttypid \
    JOIN LATERAL (WITH RECURSIVE under AS (SELECT t.oid, t.typbasetype, t.typtype UNION ALL \
    SELECT u.oid, u.typbasetype, u.typtype FROM under JOIN pg_type u ON u.oid = under.typbasetype \
    WHERE under.typtype = 'd') SELECT oid FROM under WHERE typtype <> 'd') base ON true \
    JOIN pg_type b ON b.oid = base.oid \
    LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A' \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY a.attrelid, a.attnum";

/// Primary keys before unique ones, so that the first is the best.
const CONSTRAINTS: &str = "SELECT contype::text, conrelid, \
    ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k(n, o) JOIN pg_attribute \
    ON attrelid = conrelid AND attnum = n ORDER BY o), confrelid, \
    ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k(n, o) JOIN pg_attribute \
    ON attrelid = confrelid AND attnum = n ORDER BY o) \
    FROM pg_constraint WHERE contype IN ('p', 'u', 'f') AND conrelid <> 0 \
    ORDER BY contype = 'f', contype, conname COLLATE \"C\"";

const VIEWS: &str = "SELECT DISTINCT r.ev_class, d.refobjid, a.attname::text FROM pg_rewrite r \
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid \
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.refobjid <> r.ev_class \
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid ORDER BY 1, 2, 3";
