//! What a site is before it has any profile: base tables partitioned by home, random tokens, the roles that are not
//! people's, and everything that PostgreSQL gives to everybody taken back. Run once, in one transaction, in the new
//! database, by the administrator. Not here: profiles (`profile`), who may connect from where (`hba`).

use policy::{Bundle, Catalog, Table};

use crate::mask;
use crate::names::{
    self, ADMIN, DATABASE, LINK, OWN_SCHEMA, POOL, PSEUDONYM_SCHEMA, WATCH, list, literal, partition, quoted,
    relation,
};

/// Creates the database; cannot run inside a transaction.
pub fn create_database() -> String {
    format!("CREATE DATABASE {DATABASE} OWNER {ADMIN} TEMPLATE template0")
}

/// Functions of `pg_catalog` that everybody may call and nobody should: regular expressions over their names.
/// Ordinary operators are functions as well, which is why this is a list and not everything.
pub const REVOKED: &[&str] = &[
    // Large objects: a place to write, even in a read-only transaction.
    "^lo_",
    "^lo(read|write)$",
    // Channels between sessions.
    "^pg_notify$",
    "^pg_listening_channels$",
    "^pg_notification_queue_usage$",
    "^pg_(try_)?advisory_",
    "^pg_export_snapshot$",
    "^pg_logical_emit_message$",
    // Functions that run the text they are given: the statement check would not see it.
    "^(query|cursor|table|schema|database)_to_xml",
    "^ts_stat$",
    "^ts_rewrite$",
    // What others do, and counts of what a profile does not show.
    "^pg_stat_get_",
    "^pg_lock_status$",
    "^pg_blocking_pids$",
    "^pg_safe_snapshot_blocking_pids$",
    "^pg_prepared_xact$",
    "^pg_get_replication_slots$",
    // Ending sessions is for the watch.
    "^pg_(terminate|cancel)_backend$",
];

/// What the watch may call of it: to find sessions, to end them, and to read who may connect.
pub(crate) const WATCH_FUNCTIONS: &[&str] = &[
    "pg_stat_get_activity(integer)",
    "pg_terminate_backend(integer,bigint)",
    "pg_cancel_backend(integer)",
    "pg_hba_file_rules()",
];

/// The watch may have this many connections: one per gate and monitor, and some to spare.
pub(crate) const WATCH_CONNECTIONS_MAX: u16 = 16;

/// Refuses writes to a sibling's rows. Replication does not fire it: it applies as `replica`.
pub(crate) const ORIGIN_ONLY: &str = "BEGIN RAISE EXCEPTION 'the rows of % are written at their home site', TG_TABLE_NAME \
    USING ERRCODE = '42501', HINT = 'Connect to the home site.'; END";

/// Everything, for one site of the bundle.
pub fn baseline(bundle: &Bundle, site: &str) -> Vec<String> {
    let mut ddl = take_back();
    ddl.extend([
        format!("CREATE ROLE {POOL} NOLOGIN"),
        format!("CREATE ROLE {WATCH} LOGIN CONNECTION LIMIT {WATCH_CONNECTIONS_MAX}"),
        format!("ALTER ROLE {WATCH} SET search_path = pg_catalog, pg_temp"),
        format!("GRANT pg_signal_backend TO {WATCH}"),
        format!("GRANT CONNECT ON DATABASE {DATABASE} TO {POOL}, {WATCH}"),
        "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO trefoil_watch".to_owned(),
    ]);
    let grant = |function| format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {WATCH}");
    ddl.extend(WATCH_FUNCTIONS.iter().map(grant));
    ddl.push(format!("CREATE SCHEMA {}", quoted(&bundle.catalog().schema)));
    ddl.extend([PSEUDONYM_SCHEMA, OWN_SCHEMA].map(|schema| format!("CREATE SCHEMA {schema}")));
    ddl.extend(mask::ALL.iter().map(|mask| mask.create()));
    ddl.extend(create_trigger_functions(bundle.catalog()));
    ddl.push(format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {OWN_SCHEMA} FROM PUBLIC"));
    for table in &bundle.catalog().tables {
        add_table(bundle, table, &mut ddl);
    }
    add_pseudonyms(bundle, &mut ddl);
    add_triggers(bundle, site, &mut ddl);
    add_replication(bundle, site, &mut ddl);
    ddl
}

/// Takes back what everybody has by default.
fn take_back() -> Vec<String> {
    let patterns = literal(&REVOKED.join("|"));
    vec![
        format!("REVOKE ALL ON DATABASE {DATABASE}, postgres, template1, template0 FROM PUBLIC"),
        "DROP SCHEMA public".to_owned(),
        "REVOKE ALL ON LANGUAGE plpgsql, sql FROM PUBLIC".to_owned(),
        // Signatures differ between versions of PostgreSQL, names do not.
        format!(
            "DO $take_back$ DECLARE f regprocedure; BEGIN \
             FOR f IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
             AND proname ~ {patterns} LOOP \
             EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f); END LOOP; END $take_back$"
        ),
    ]
}

fn create_trigger_functions(catalog: &Catalog) -> Vec<String> {
    let create = |(name, definer, body): (String, bool, String)| {
        // Whoever may add a row need not see tokens, nor other rows.
        let more = if definer { "SECURITY DEFINER SET search_path = pg_catalog, pg_temp" } else { "" };
        format!(
            "CREATE FUNCTION {OWN_SCHEMA}.{name}() RETURNS trigger LANGUAGE plpgsql {more} AS $body${body}$body$"
        )
    };
    trigger_functions(catalog).into_iter().map(create).collect()
}

/// The functions of triggers: (name, whether it runs with its owner's rights, source).
pub(crate) fn trigger_functions(catalog: &Catalog) -> Vec<(String, bool, String)> {
    let mut functions = vec![("origin_only".to_owned(), false, ORIGIN_ONLY.to_owned())];
    functions.push(("keep_pseudonyms".to_owned(), true, keep_pseudonyms(catalog)));
    functions
        .extend(others(catalog).map(|table| (format!("link_{}", table.name), true, link(catalog, table))));
    functions
}

/// Tables beside the subject table.
fn others(catalog: &Catalog) -> impl Iterator<Item = &Table> {
    catalog.tables.iter().filter(|table| table.name != catalog.subject_table)
}

/// Links a row to its subject. Without one there is no link, and so no pseudonym and no row scope that selects it.
fn link(catalog: &Catalog, table: &Table) -> String {
    let Some(subjects) = catalog.table(&catalog.subject_table) else { return String::new() };
    format!(
        "BEGIN NEW.{LINK} := (SELECT s.{LINK} FROM {} s WHERE s.{} = NEW.{} AND s.{} = NEW.{}); RETURN NEW; END",
        relation(&catalog.schema, &subjects.name),
        quoted(&subjects.key),
        quoted(&table.subject_key),
        quoted(&subjects.home),
        quoted(&table.home)
    )
}

/// A new subject gets a token in every scope; an erased subject loses them.
fn keep_pseudonyms(catalog: &Catalog) -> String {
    let Some(subjects) = catalog.table(&catalog.subject_table) else { return String::new() };
    let home = quoted(&subjects.home);
    let (mut add, mut remove) = (String::new(), String::new());
    for scope in &catalog.pseudonym_scopes {
        let tokens = relation(PSEUDONYM_SCHEMA, scope);
        add.push_str(&format!(
            "INSERT INTO {tokens} VALUES (NEW.{LINK}, NEW.{home}, {TOKEN}) ON CONFLICT DO NOTHING; "
        ));
        remove.push_str(&format!("DELETE FROM {tokens} WHERE subject = OLD.{LINK} AND home = OLD.{home}; "));
    }
    format!("BEGIN IF TG_OP = 'INSERT' THEN {add}ELSE {remove}END IF; RETURN NULL; END")
}

/// A random token of 122 bits. Nothing computes it, so nothing can compute it again.
const TOKEN: &str = "pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '')";

fn add_table(bundle: &Bundle, table: &Table, ddl: &mut Vec<String>) {
    let schema = &bundle.catalog().schema;
    let needed = [&table.key, &table.subject_key, &table.home];
    let mut columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let required = if needed.contains(&&column.name) { " NOT NULL" } else { "" };
            format!("{} {}{required}", quoted(&column.name), column.data_type)
        })
        .collect();
    let is_subject = table.name == bundle.catalog().subject_table;
    let fresh = if is_subject { " NOT NULL DEFAULT pg_catalog.gen_random_uuid()" } else { "" };
    columns.push(format!("{LINK} uuid{fresh}"));
    let name = relation(schema, &table.name);
    let (columns, key, home) = (columns.join(", "), quoted(&table.key), quoted(&table.home));
    ddl.push(format!(
        "CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}, {home})) PARTITION BY LIST ({home})"
    ));
    add_partitions(bundle, schema, &table.name, ddl);
    let unique = if is_subject { "UNIQUE " } else { "" };
    ddl.push(format!("CREATE {unique}INDEX ON {name} ({LINK}, {home})"));
    if !is_subject {
        ddl.push(format!("CREATE INDEX ON {name} ({}, {home})", quoted(&table.subject_key)));
    }
    ddl.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
}

fn add_partitions(bundle: &Bundle, schema: &str, table: &str, ddl: &mut Vec<String>) {
    for site in &bundle.enclave().sites {
        ddl.push(format!(
            "CREATE TABLE {} PARTITION OF {} FOR VALUES IN ({})",
            relation(schema, &partition(table, &site.name)),
            relation(schema, table),
            literal(&site.name)
        ));
    }
}

fn add_pseudonyms(bundle: &Bundle, ddl: &mut Vec<String>) {
    let catalog = bundle.catalog();
    for scope in &catalog.pseudonym_scopes {
        ddl.push(format!(
            "CREATE TABLE {} (subject uuid NOT NULL, home text NOT NULL, token text NOT NULL, \
             PRIMARY KEY (subject, home), UNIQUE (token, home)) PARTITION BY LIST (home)",
            relation(PSEUDONYM_SCHEMA, scope)
        ));
        add_partitions(bundle, PSEUDONYM_SCHEMA, scope, ddl);
    }
}

/// Every table that is partitioned by home, with its schema.
pub(crate) fn partitioned(bundle: &Bundle) -> Vec<(&str, &str)> {
    let catalog = bundle.catalog();
    let tables = catalog.tables.iter().map(|table| (catalog.schema.as_str(), table.name.as_str()));
    tables.chain(catalog.pseudonym_scopes.iter().map(|scope| (PSEUDONYM_SCHEMA, scope.as_str()))).collect()
}

/// The triggers of a site: (name, schema, partition, statement). Written as PostgreSQL prints them.
pub(crate) fn triggers(bundle: &Bundle, site: &str) -> Vec<(String, String, String, String)> {
    let mut triggers = Vec::new();
    for (schema, table) in partitioned(bundle) {
        for sibling in bundle.enclave().sites.iter().filter(|sibling| sibling.name != site) {
            let partition = partition(table, &sibling.name);
            let on = relation(schema, &partition);
            for (name, what) in [
                ("origin_only", format!("BEFORE INSERT OR DELETE OR UPDATE ON {on} FOR EACH ROW")),
                ("origin_only_truncate", format!("BEFORE TRUNCATE ON {on} FOR EACH STATEMENT")),
            ] {
                let text =
                    format!("CREATE TRIGGER {name} {what} EXECUTE FUNCTION {OWN_SCHEMA}.origin_only()");
                triggers.push((name.to_owned(), schema.to_owned(), partition.clone(), text));
            }
        }
    }
    let catalog = bundle.catalog();
    let own = partition(&catalog.subject_table, site);
    let text = format!(
        "CREATE TRIGGER keep_pseudonyms AFTER INSERT OR DELETE ON {} FOR EACH ROW \
         EXECUTE FUNCTION {OWN_SCHEMA}.keep_pseudonyms()",
        relation(&catalog.schema, &own)
    );
    triggers.push(("keep_pseudonyms".to_owned(), catalog.schema.clone(), own, text));
    for table in others(catalog) {
        let own = partition(&table.name, site);
        let text = format!(
            "CREATE TRIGGER link_subject BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION {OWN_SCHEMA}.link_{}()",
            relation(&catalog.schema, &own),
            table.name
        );
        triggers.push(("link_subject".to_owned(), catalog.schema.clone(), own, text));
    }
    triggers
}

fn add_triggers(bundle: &Bundle, site: &str, ddl: &mut Vec<String>) {
    ddl.extend(triggers(bundle, site).into_iter().map(|(_, _, _, text)| text));
}

/// Publishes the site's own partitions, and lets each sibling read those and nothing else.
fn add_replication(bundle: &Bundle, site: &str, ddl: &mut Vec<String>) {
    let own: Vec<String> =
        own_partitions(bundle, site).map(|(schema, name)| relation(schema, &name)).collect();
    let own = own.join(", ");
    ddl.push(format!("CREATE PUBLICATION {} FOR TABLE {own}", quoted(&names::publication(site))));
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    for role in siblings.map(|sibling| quoted(&names::repl_role(&sibling.name))) {
        ddl.extend([
            format!("CREATE ROLE {role} LOGIN REPLICATION"),
            format!("GRANT CONNECT ON DATABASE {DATABASE} TO {role}"),
            format!(
                "GRANT USAGE ON SCHEMA {} TO {role}",
                list([&*bundle.catalog().schema, PSEUDONYM_SCHEMA])
            ),
            format!("GRANT SELECT ON {own} TO {role}"),
        ]);
    }
}

/// The partitions that this site writes and publishes: (schema, name).
pub(crate) fn own_partitions<'a>(bundle: &'a Bundle, site: &str) -> impl Iterator<Item = (&'a str, String)> {
    let site = site.to_owned();
    partitioned(bundle).into_iter().map(move |(schema, table)| (schema, partition(table, &site)))
}

/// Gives every subject of this site that has no token one, in every scope, in random order: neither the place of a
/// token on disk nor the order in which tokens were made says whose it is.
pub fn fill_pseudonyms(bundle: &Bundle, site: &str) -> Vec<String> {
    let catalog = bundle.catalog();
    let Some(subjects) = catalog.table(&catalog.subject_table) else { return Vec::new() };
    let from = relation(&catalog.schema, &partition(&subjects.name, site));
    let home = quoted(&subjects.home);
    let fill = |scope: &String| {
        let tokens = relation(PSEUDONYM_SCHEMA, &partition(scope, site));
        format!(
            "INSERT INTO {tokens} SELECT {LINK}, {home}, {TOKEN} FROM {from} \
             ORDER BY pg_catalog.gen_random_uuid() ON CONFLICT DO NOTHING"
        )
    };
    catalog.pseudonym_scopes.iter().map(fill).collect()
}

/// Replaces a role's password by its SCRAM verifier.
pub fn set_password(role: &str, verifier: &str) -> String {
    format!("ALTER ROLE {} PASSWORD {}", quoted(role), literal(verifier))
}
