//! Pseudonym scopes at a site: a table of random tokens each. Nothing computes a token, so nothing can compute it again.
//! Not here: the trigger that gives a new subject its tokens (`triggers`), the join that shows them (`views`).

use policy::Bundle;

use crate::names::{self, LINK, PSEUDONYM_SCHEMA, literal, partition, quoted, relation};
use crate::{tables, triggers};

/// A random token of 122 bits.
pub(crate) const TOKEN: &str = "pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '')";

/// The scopes that a site has: a row each, their name. For the administrator.
pub const LIVE_SCOPES: &str = "SELECT relname::text FROM pg_catalog.pg_class \
    WHERE relnamespace = 'pseudonym'::pg_catalog.regnamespace AND relkind = 'p'";

/// The empty table of a scope.
pub(crate) fn create(bundle: &Bundle, scope: &str) -> Vec<String> {
    let mut ddl = vec![format!(
        "CREATE TABLE {} (subject uuid NOT NULL, home text NOT NULL, token text NOT NULL, \
         PRIMARY KEY (subject, home), UNIQUE (token, home)) PARTITION BY LIST (home)",
        relation(PSEUDONYM_SCHEMA, scope)
    )];
    tables::add_partitions(bundle, PSEUDONYM_SCHEMA, scope, &mut ddl);
    ddl
}

/// Adds a scope to a site that has its baseline already. Siblings see it when they refresh their subscriptions.
pub fn lay(bundle: &Bundle, site: &str, scope: &str) -> Vec<String> {
    let mut ddl = create(bundle, scope);
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    ddl.extend(
        siblings
            .flat_map(|sibling| triggers::origin_only(&sibling.name, PSEUDONYM_SCHEMA, scope))
            .map(|trigger| trigger.create()),
    );
    ddl.push(triggers::keep_pseudonyms(bundle.catalog()).create());
    let own = relation(PSEUDONYM_SCHEMA, &partition(scope, site));
    ddl.push(format!("ALTER PUBLICATION {} ADD TABLE {own}", quoted(&names::publication(site))));
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    ddl.extend(
        siblings
            .map(|sibling| format!("GRANT SELECT ON {own} TO {}", quoted(&names::repl_role(&sibling.name)))),
    );
    ddl
}

/// Gives every subject of this site that has no token in a scope one, in random order: neither the place of a token on
/// disk nor the order in which tokens were made says whose it is.
pub fn fill(bundle: &Bundle, site: &str, scope: &str) -> String {
    let catalog = bundle.catalog();
    let home = catalog.table(&catalog.subject_table).map(|subjects| quoted(&subjects.home));
    format!(
        "INSERT INTO {} SELECT {LINK}, {}, {TOKEN} FROM {} ORDER BY pg_catalog.gen_random_uuid() ON CONFLICT DO NOTHING",
        relation(PSEUDONYM_SCHEMA, &partition(scope, site)),
        home.unwrap_or_default(),
        relation(&catalog.schema, &partition(&catalog.subject_table, site))
    )
}

/// New tokens for every subject of this site, in place of the old, which are gone when it is committed: an emptied
/// table leaves no rows behind, as deleting them one by one would. Whoever reads meanwhile waits, or sees no token.
pub fn forget(bundle: &Bundle, site: &str, scope: &str) -> Vec<String> {
    let own = relation(PSEUDONYM_SCHEMA, &partition(scope, site));
    vec![format!("TRUNCATE {own}"), fill(bundle, site, scope)]
}

/// Statistics of a scope hold samples of its tokens: taken anew, they hold none of the old.
pub fn analyze(bundle: &Bundle, scope: &str) -> String {
    let sites = bundle.enclave().sites.iter().map(|site| partition(scope, &site.name));
    let all: Vec<String> = std::iter::once(scope.to_owned())
        .chain(sites)
        .map(|table| relation(PSEUDONYM_SCHEMA, &table))
        .collect();
    format!("ANALYZE {}", all.join(", "))
}

/// One row: how many subjects the site knows, how many of them have no token in the scope, and how many tokens belong
/// to nobody. Of all homes, or of one.
pub fn count(bundle: &Bundle, scope: &str, home: Option<&str>) -> String {
    let catalog = bundle.catalog();
    let column = catalog.table(&catalog.subject_table).map(|subjects| quoted(&subjects.home));
    let part = |table: &str| home.map_or(table.to_owned(), |home| partition(table, home));
    format!(
        "SELECT pg_catalog.count(s.{LINK}), pg_catalog.count(*) FILTER (WHERE p.token IS NULL), \
         pg_catalog.count(*) FILTER (WHERE s.{LINK} IS NULL) \
         FROM {} s FULL JOIN {} p ON p.subject = s.{LINK} AND p.home = s.{}",
        relation(&catalog.schema, &part(&catalog.subject_table)),
        relation(PSEUDONYM_SCHEMA, &part(scope)),
        column.unwrap_or_default()
    )
}

/// One row: whether the site, as a subscriber, takes a scope's tokens from this sibling.
pub fn takes(scope: &str, publisher: &str) -> String {
    let table = literal(&relation(PSEUDONYM_SCHEMA, &partition(scope, publisher)));
    format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel WHERE srrelid = {table}::pg_catalog.regclass)"
    )
}

/// One row: how many siblings have not taken everything that this site has published up to the position `$1`.
pub const BEHIND: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots \
    WHERE slot_type = 'logical' AND confirmed_flush_lsn < $1::text::pg_catalog.pg_lsn";

/// Lets a site take what its sibling publishes since it last looked.
pub fn refresh(publisher: &str) -> String {
    format!("ALTER SUBSCRIPTION {} REFRESH PUBLICATION", quoted(&names::subscription(publisher)))
}
