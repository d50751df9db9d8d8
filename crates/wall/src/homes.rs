//! Homes that move: who holds each as a site was told, the statements by which a site stops writing a home and by which
//! another begins to, and what each publishes. Every one of them can be run again. Not here: their order, and waiting for
//! siblings (`sites`).

use std::collections::BTreeSet;

use policy::{Bundle, Holders};

use crate::names::{self, HOMES_TABLE, OWN_SCHEMA, literal, quoted, relation};
use crate::tables::partitions_of;
use crate::triggers::{self, Trigger};

/// The table of holders, in which every site writes its own home.
pub(crate) fn lay(bundle: &Bundle) -> Vec<String> {
    let own = bundle.enclave().sites.iter().map(|site| {
        let home = literal(&site.name);
        format!("({home}, {home}, 0)")
    });
    vec![
        format!(
            "CREATE TABLE {OWN_SCHEMA}.{HOMES_TABLE} (home text PRIMARY KEY, holder text NOT NULL, \
             term bigint NOT NULL, applied pg_lsn)"
        ),
        format!("INSERT INTO {OWN_SCHEMA}.{HOMES_TABLE} VALUES {}", own.collect::<Vec<_>>().join(", ")),
    ]
}

/// The row of a home that comes later.
pub(crate) fn add(home: &str) -> String {
    let home = literal(home);
    format!("INSERT INTO {OWN_SCHEMA}.{HOMES_TABLE} VALUES ({home}, {home}, 0)")
}

/// Rows of home, holder, term, and up to where the holder had applied what the holder before it wrote when it took over
/// (as text; none where it had all).
pub const TOLD: &str = "SELECT home, holder, term, applied::text FROM trefoil.homes";

/// Tells a site that `$2` holds home `$1` under term `$3`. Changes one row, or none where the site knows of a later term, or
/// of another holder in this one: two who move the same home at the same time cannot both be told.
pub const CLAIM: &str = "UPDATE trefoil.homes SET holder = $2, term = $3 \
    WHERE home = $1 AND (term < $3 OR (term = $3 AND holder = $2))";

/// Notes at the holder of home `$1` up to where it had applied what the one before it wrote: `$2`, a position as text or
/// none.
pub const NOTE_APPLIED: &str = "UPDATE trefoil.homes SET applied = $2::text::pg_lsn WHERE home = $1";

/// A site refuses to write a home from now on.
pub fn fence(bundle: &Bundle, home: &str) -> Vec<String> {
    let refusing = triggers::refusing(bundle, home);
    let writing = triggers::writing(bundle, home);
    refusing.iter().map(Trigger::create).chain(writing.iter().map(Trigger::drop)).collect()
}

/// A site writes a home from now on.
pub fn open(bundle: &Bundle, home: &str) -> Vec<String> {
    let refusing = triggers::refusing(bundle, home);
    let writing = triggers::writing(bundle, home);
    writing.iter().map(Trigger::create).chain(refusing.iter().map(Trigger::drop)).collect()
}

/// Makes a site publish what it holds, and let its siblings read that and nothing else. `live` is what it publishes:
/// names with their schemas, unquoted.
pub fn publish(bundle: &Bundle, holders: &Holders, site: &str, live: &BTreeSet<String>) -> Vec<String> {
    let publication = quoted(&names::publication(site));
    let siblings: Vec<String> = bundle
        .enclave()
        .sites
        .iter()
        .filter(|sibling| sibling.name != site)
        .map(|sibling| quoted(&names::repl_role(&sibling.name)))
        .collect();
    let mut ddl = Vec::new();
    for home in &bundle.enclave().sites {
        let holds = holders.holds(site, &home.name);
        for (schema, table) in partitions_of(bundle, &home.name) {
            let on = relation(schema, &table);
            let (verb, word) = if holds { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
            ddl.extend(siblings.iter().map(|role| format!("{verb} SELECT ON {on} {word} {role}")));
            match (holds, live.contains(&format!("{schema}.{table}"))) {
                (true, false) => ddl.push(format!("ALTER PUBLICATION {publication} ADD TABLE {on}")),
                (false, true) => ddl.push(format!("ALTER PUBLICATION {publication} DROP TABLE {on}")),
                (true, true) | (false, false) => {}
            }
        }
    }
    ddl
}

/// The partitions of a home, with their schemas, quoted.
pub fn relations(bundle: &Bundle, home: &str) -> Vec<String> {
    partitions_of(bundle, home).map(|(schema, table)| relation(schema, &table)).collect()
}

/// The partitions of a home, with their schemas, unquoted, and the columns that each has, the key first.
pub fn columns(bundle: &Bundle, home: &str) -> Vec<(String, String, Vec<String>)> {
    let catalog = bundle.catalog();
    let mut all = Vec::new();
    for table in &catalog.tables {
        let mut columns = vec![table.key.clone()];
        let rest = table.columns.iter().map(|column| column.name.clone()).filter(|name| *name != table.key);
        columns.extend(rest.chain([names::LINK.to_owned()]));
        all.push((catalog.schema.clone(), names::partition(&table.name, home), columns));
    }
    for scope in &catalog.pseudonym_scopes {
        let columns = ["subject", "home", "token"].map(str::to_owned).to_vec();
        all.push((names::PSEUDONYM_SCHEMA.to_owned(), names::partition(scope, home), columns));
    }
    all
}

/// Ends whoever uses the tables of a home at a site: a row of how many were ended.
pub fn end_users(bundle: &Bundle, home: &str) -> String {
    let tables: Vec<String> =
        relations(bundle, home).iter().map(|table| format!("{}::regclass", literal(table))).collect();
    format!(
        "SELECT count(pg_terminate_backend(pid)) FROM (SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_stat_activity a \
         USING (pid) WHERE l.locktype = 'relation' AND l.relation = ANY (ARRAY[{}]::oid[]) \
         AND a.backend_type = 'client backend' AND l.pid <> pg_backend_pid()) w",
        tables.join(", ")
    )
}
