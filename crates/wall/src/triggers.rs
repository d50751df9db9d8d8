//! Triggers of the base tables, and their functions: a row of another home is refused, a row is linked to its subject,
//! a new subject gets its tokens. Not here: the tables themselves (`tables`).

use policy::{Bundle, Catalog, Holders, Table};

use crate::names::{HOMES_TABLE, LINK, OWN_SCHEMA, PSEUDONYM_SCHEMA, literal, partition, quoted, relation};
use crate::pseudonyms::TOKEN;
use crate::tables::partitioned;

/// What writing a row of another home is refused with. It is the same for every table and tells no data, so that
/// whoever wrote may be shown it.
pub const ELSEWHERE: &str = "the row is written at its home site";

/// Refuses writes to a sibling's rows. Replication does not fire it: it applies as `replica`.
const ORIGIN_ONLY: &str = "origin_only";

/// A trigger of a site.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) name: &'static str,
    pub(crate) schema: String,
    /// The partition that it is on.
    pub(crate) table: String,
    /// The statement, as PostgreSQL prints it.
    pub(crate) text: String,
}

/// A function that triggers call.
#[derive(Debug)]
pub(crate) struct TriggerFunction {
    pub(crate) name: String,
    /// Whether it runs with its owner's rights: whoever may add a row need not see tokens, nor other rows.
    pub(crate) definer: bool,
    pub(crate) source: String,
}

impl Trigger {
    /// Takes it out where it is.
    pub(crate) fn drop(&self) -> String {
        format!("DROP TRIGGER IF EXISTS {} ON {}", self.name, relation(&self.schema, &self.table))
    }

    /// Makes it where it is not there yet.
    pub(crate) fn create(&self) -> String {
        self.text.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)
    }
}

impl TriggerFunction {
    /// Makes it, or makes it anew.
    pub(crate) fn create(&self) -> String {
        let more = if self.definer { "SECURITY DEFINER SET search_path = pg_catalog, pg_temp" } else { "" };
        format!(
            "CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.{}() RETURNS trigger LANGUAGE plpgsql {more} AS $body${}$body$",
            self.name, self.source
        )
    }
}

/// Every trigger function of a bundle.
pub(crate) fn functions(catalog: &Catalog) -> Vec<TriggerFunction> {
    let mut functions = vec![
        TriggerFunction { name: ORIGIN_ONLY.to_owned(), definer: true, source: refuse() },
        keep_pseudonyms(catalog),
    ];
    functions.extend(others(catalog).map(|table| TriggerFunction {
        name: format!("link_{}", table.name),
        definer: true,
        source: link(catalog, table),
    }));
    functions
}

/// Says where the home is written, as the site was last told, and how to get there.
fn refuse() -> String {
    format!(
        "BEGIN RAISE EXCEPTION '{ELSEWHERE}' USING ERRCODE = '0A000', HINT = (SELECT pg_catalog.format('The home %s is \
         written at %s: connect with options=''-c trefoil.home=%s''.', h.home, h.holder, h.home) \
         FROM {OWN_SCHEMA}.{HOMES_TABLE} h WHERE h.home = TG_ARGV[0]); END"
    )
}

/// Tables beside the subject table.
fn others(catalog: &Catalog) -> impl Iterator<Item = &Table> {
    catalog.tables.iter().filter(|table| table.name != catalog.subject_table)
}

/// Links a row to its subject, whatever the statement says. Without one there is no link, and so no pseudonym and no
/// row scope that selects it.
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

/// A new subject gets a token in every scope; an erased subject loses them. At the home alone: the tokens are published
/// in the transaction that publishes the subject, so that a sibling never has the one without the other.
pub(crate) fn keep_pseudonyms(catalog: &Catalog) -> TriggerFunction {
    let home = catalog.table(&catalog.subject_table).map(|subjects| quoted(&subjects.home));
    let (mut add, mut remove) = (String::new(), String::new());
    for (scope, home) in catalog.pseudonym_scopes.iter().zip(home.iter().cycle()) {
        let tokens = relation(PSEUDONYM_SCHEMA, scope);
        add.push_str(&format!(
            "INSERT INTO {tokens} VALUES (NEW.{LINK}, NEW.{home}, {TOKEN}) ON CONFLICT DO NOTHING; "
        ));
        remove.push_str(&format!("DELETE FROM {tokens} WHERE subject = OLD.{LINK} AND home = OLD.{home}; "));
    }
    TriggerFunction {
        name: "keep_pseudonyms".to_owned(),
        definer: true,
        source: format!("BEGIN IF TG_OP = 'INSERT' THEN {add}ELSE {remove}END IF; RETURN NULL; END"),
    }
}

/// The triggers on what a site does not write.
pub(crate) fn of_siblings(bundle: &Bundle, holders: &Holders, site: &str) -> Vec<Trigger> {
    let elsewhere = bundle.enclave().sites.iter().filter(|home| !holders.holds(site, &home.name));
    elsewhere.flat_map(|home| refusing(bundle, &home.name)).collect()
}

/// The triggers on what a site writes.
pub(crate) fn of_own(bundle: &Bundle, holders: &Holders, site: &str) -> Vec<Trigger> {
    holders.held_by(site).flat_map(|home| writing(bundle, home)).collect()
}

/// The triggers on a home's rows where they are written.
pub(crate) fn writing(bundle: &Bundle, home: &str) -> Vec<Trigger> {
    let catalog = bundle.catalog();
    let mut triggers = vec![of_own_rows(
        "keep_pseudonyms",
        "AFTER INSERT OR DELETE",
        (catalog, &catalog.subject_table, home),
        "keep_pseudonyms",
    )];
    triggers.extend(others(catalog).map(|table| {
        let function = format!("link_{}", table.name);
        of_own_rows("link_subject", "BEFORE INSERT OR UPDATE", (catalog, &table.name, home), &function)
    }));
    triggers
}

/// The triggers on a home's rows where they are not written.
pub(crate) fn refusing(bundle: &Bundle, home: &str) -> Vec<Trigger> {
    partitioned(bundle).into_iter().flat_map(|(schema, table)| origin_only(home, schema, table)).collect()
}

/// The triggers that keep a site from writing the rows of a home that it does not hold in one table.
pub(crate) fn origin_only(home: &str, schema: &str, table: &str) -> [Trigger; 2] {
    let partition = partition(table, home);
    let on = relation(schema, &partition);
    let rows = format!("BEFORE INSERT OR DELETE OR UPDATE ON {on} FOR EACH ROW");
    let all = format!("BEFORE TRUNCATE ON {on} FOR EACH STATEMENT");
    [(ORIGIN_ONLY, rows), ("origin_only_truncate", all)].map(|(name, when)| Trigger {
        name,
        schema: schema.to_owned(),
        table: partition.clone(),
        text: format!(
            "CREATE TRIGGER {name} {when} EXECUTE FUNCTION {OWN_SCHEMA}.{ORIGIN_ONLY}({})",
            literal(home)
        ),
    })
}

fn of_own_rows(
    name: &'static str,
    when: &str,
    (catalog, table, site): (&Catalog, &str, &str),
    function: &str,
) -> Trigger {
    let table = partition(table, site);
    let on = relation(&catalog.schema, &table);
    let text = format!(
        "CREATE TRIGGER {name} {when} ON {on} FOR EACH ROW EXECUTE FUNCTION {OWN_SCHEMA}.{function}()"
    );
    Trigger { name, schema: catalog.schema.clone(), table, text }
}
