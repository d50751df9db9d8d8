//! The base tables of a site: partitioned by home, keyed by it, with foreign keys inside a home. Not here: what fires
//! when a row is written (`triggers`), random tokens (`pseudonyms`).

use policy::{Bundle, ColumnType, Holders, Table, Within};

use crate::names::{HOME_SETTING, LINK, PSEUDONYM_SCHEMA, list, literal, partition, quoted, relation};

/// A new link. Unlike the columns of the catalog nobody is granted it, so nobody chooses it.
pub(crate) const NEW_LINK: &str = "gen_random_uuid()";

/// Nobody is granted the home either: what is written at a site is at home there, unless the session came for a home that
/// the site holds for another. For one that it does not hold, the row is refused by its partition's trigger.
pub(crate) fn home(site: &str) -> String {
    format!(
        "COALESCE(NULLIF(current_setting('{HOME_SETTING}'::text, true), ''::text), {}::text)",
        literal(site)
    )
}

/// Tables in the order of the catalog, then the foreign keys between them.
pub(crate) fn create(bundle: &Bundle, site: &str) -> Vec<String> {
    let mut ddl = Vec::new();
    for table in &bundle.catalog().tables {
        add_table(bundle, site, table, &mut ddl);
    }
    ddl.extend(bundle.catalog().tables.iter().flat_map(|table| foreign_keys(bundle, table)));
    ddl
}

fn add_table(bundle: &Bundle, site: &str, table: &Table, ddl: &mut Vec<String>) {
    let schema = &bundle.catalog().schema;
    let is_subject = table.name == bundle.catalog().subject_table;
    let mut columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let required = if is_required(table, &column.name) { " NOT NULL" } else { "" };
            let own =
                if column.name == table.home { format!(" DEFAULT {}", home(site)) } else { String::new() };
            format!("{} {}{required}{own}", quoted(&column.name), column.data_type)
        })
        .collect();
    let fresh = if is_subject { format!(" NOT NULL DEFAULT pg_catalog.{NEW_LINK}") } else { String::new() };
    columns.push(format!("{LINK} uuid{fresh}"));
    let name = relation(schema, &table.name);
    let (columns, key, home) = (columns.join(", "), quoted(&table.key), quoted(&table.home));
    ddl.push(format!(
        "CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}, {home})) PARTITION BY LIST ({home})"
    ));
    add_partitions(bundle, schema, &table.name, ddl);
    ddl.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
}

/// The indexes beside the keys, where they are not there yet.
pub(crate) fn indexes(bundle: &Bundle) -> Vec<String> {
    let catalog = bundle.catalog();
    let mut ddl = Vec::new();
    for table in &catalog.tables {
        let is_subject = table.name == catalog.subject_table;
        let (on, home) = (relation(&catalog.schema, &table.name), quoted(&table.home));
        let index = |suffix: &str| quoted(&format!("{}_{suffix}", table.name));
        let unique = if is_subject { "UNIQUE " } else { "" };
        ddl.push(format!("CREATE {unique}INDEX IF NOT EXISTS {} ON {on} ({LINK}, {home})", index("by_link")));
        if !is_subject {
            let key = quoted(&table.subject_key);
            ddl.push(format!("CREATE INDEX IF NOT EXISTS {} ON {on} ({key}, {home})", index("by_subject")));
        }
    }
    ddl
}

/// A type as PostgreSQL prints it.
pub(crate) const fn printed(data_type: ColumnType) -> &'static str {
    match data_type {
        ColumnType::Timestamptz => "timestamp with time zone",
        other => other.as_str(),
    }
}

/// A row without one of these is nobody's.
pub(crate) fn is_required(table: &Table, column: &str) -> bool {
    [&table.key, &table.subject_key, &table.home].iter().any(|needed| *needed == column)
}

/// A foreign key would make a site wait for another if it left the home. Replicas apply what the home has checked: the
/// keys do not fire there, and each table is copied by itself.
fn foreign_keys(bundle: &Bundle, table: &Table) -> Vec<String> {
    let catalog = bundle.catalog();
    let inside = table.references.iter().filter(|reference| reference.within == Within::Home);
    let key = |reference: &policy::Reference| {
        let to = catalog.table(&reference.table)?;
        Some(format!(
            "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({})",
            relation(&catalog.schema, &table.name),
            list([&*reference.column, &*table.home]),
            relation(&catalog.schema, &to.name),
            list([&*to.key, &*to.home])
        ))
    };
    inside.filter_map(key).collect()
}

/// One partition a site.
pub(crate) fn add_partitions(bundle: &Bundle, schema: &str, table: &str, ddl: &mut Vec<String>) {
    ddl.extend(bundle.enclave().sites.iter().map(|site| add_partition(schema, table, &site.name)));
}

/// The partition of the rows that are at home at one site.
pub(crate) fn add_partition(schema: &str, table: &str, site: &str) -> String {
    format!(
        "CREATE TABLE {} PARTITION OF {} FOR VALUES IN ({})",
        relation(schema, &partition(table, site)),
        relation(schema, table),
        literal(site)
    )
}

/// Every table that is partitioned by home, with its schema.
pub(crate) fn partitioned(bundle: &Bundle) -> Vec<(&str, &str)> {
    let catalog = bundle.catalog();
    let tables = catalog.tables.iter().map(|table| (catalog.schema.as_str(), table.name.as_str()));
    tables.chain(catalog.pseudonym_scopes.iter().map(|scope| (PSEUDONYM_SCHEMA, scope.as_str()))).collect()
}

/// The partitions of a home: (schema, name).
pub(crate) fn partitions_of<'a>(bundle: &'a Bundle, home: &str) -> impl Iterator<Item = (&'a str, String)> {
    let home = home.to_owned();
    partitioned(bundle).into_iter().map(move |(schema, table)| (schema, partition(table, &home)))
}

/// The partitions that this site writes and publishes: (schema, name).
pub(crate) fn own_partitions<'a>(
    bundle: &'a Bundle,
    holders: &Holders,
    site: &str,
) -> Vec<(&'a str, String)> {
    holders.held_by(site).flat_map(|home| partitions_of(bundle, home)).collect()
}
