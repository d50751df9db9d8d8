//! The names that the wall gives to roles, schemas and tables. Both keys are bound to them: the gate logs in as a pool
//! role, the monitor computes the same name by itself and certifies it. Not here: what the roles may do (`apply`).

use policy::{Profile, ProfileHash};

/// The database of every site.
pub const DATABASE: &str = "trefoil";
/// The provisioner: a superuser, by Unix socket only.
pub const ADMIN: &str = "trefoil_admin";
/// Every pool role is a member: pg_hba admits this group, with a certificate.
pub const POOL: &str = "trefoil_pool";
/// Reads catalogs, ends sessions of the pool; sees no data.
pub const WATCH: &str = "trefoil_watch";
/// The monitor's: reads counters of statements and connections; sees no data and no statement.
pub const STATS: &str = "trefoil_stats";
/// The monitor's: ends sessions where a gate does not; sees no data.
pub const STOP: &str = "trefoil_stop";
/// The residency checker's: reads what leaves a cluster from the catalogs; sees no data and no statement.
pub const RESIDENCY: &str = "trefoil_residency";
/// Schema of the functions that `trefoil_residency` calls.
pub const RESIDENCY_SCHEMA: &str = "trefoil_residency";
/// By which a site's standby follows it: the login role, and the slot that keeps for it what it has not taken yet.
pub const STANDBY: &str = "trefoil_standby";
/// Schema of the functions that `trefoil_stats` calls.
pub const STATS_SCHEMA: &str = "trefoil_stats";
/// Schema of one table of random tokens per pseudonym scope.
pub const PSEUDONYM_SCHEMA: &str = "pseudonym";
/// Schema of masks and trigger functions; nobody may look into it.
pub const OWN_SCHEMA: &str = "trefoil";

/// The setting by which a session says for which home it writes.
pub const HOME_SETTING: &str = "trefoil.home";

/// The table, in that schema, of who holds each home as far as the site was told.
pub const HOMES_TABLE: &str = "homes";

/// A column of every base table that no catalog names: a random link from a row to its subject. Tokens are joined by
/// it, and not by the subject's key, because a join hands out rows in the order of what it joins by: by key, the first
/// token would be the first subject's.
pub const LINK: &str = "trefoil_subject";

/// What a profile's roles are called, whichever bundle made it: the first 16 digits of its hash.
pub fn short(profile: &ProfileHash) -> String {
    profile.short()
}

/// The login role of session number `n` (from 1) of a profile at a site.
pub fn pool_role(profile: &ProfileHash, site: &str, n: u16) -> String {
    format!("tp_{}_{site}_{n:03}", short(profile))
}

/// The role that may read a profile's views; pool roles are its members. Cannot log in.
pub fn profile_role(profile: &ProfileHash) -> String {
    format!("tr_{}", short(profile))
}

/// The role that owns a profile's views and for which row-level security is written. Cannot log in, has no members.
pub fn owner_role(profile: &ProfileHash) -> String {
    format!("to_{}", short(profile))
}

/// The schema in which clients find a profile's views.
pub fn schema_of(profile: &Profile) -> &str {
    &profile.name
}

/// The schema of the relations that `COPY … FROM` of a profile goes to, one of the name of each table that the profile
/// inserts into. A plain view takes rows from INSERT and none from COPY.
pub fn copy_schema(profile: &ProfileHash) -> String {
    profile.copy_schema()
}

/// The login role of a service that connects to sites directly.
pub fn service_role(service: &str) -> String {
    format!("ts_{service}")
}

/// The partition of a table that holds the rows whose home is this site.
pub fn partition(table: &str, site: &str) -> String {
    format!("{table}_{site}")
}

/// The publication of a site's own partitions.
pub fn publication(site: &str) -> String {
    format!("trefoil_{site}")
}

/// The subscription, at a sibling, to a site's publication.
pub fn subscription(publisher: &str) -> String {
    format!("trefoil_from_{publisher}")
}

/// The replication slot that a subscriber holds at each publisher; differs per subscriber, as slots are the
/// publisher's. Slot names know no hyphen, site names no underscore.
pub fn slot(subscriber: &str) -> String {
    format!("trefoil_{}", subscriber.replace('-', "_"))
}

/// The login role by which a sibling site follows this one.
pub fn repl_role(subscriber: &str) -> String {
    format!("trefoil_repl_{subscriber}")
}

/// A name as SQL writes it, always quoted.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text constant as SQL writes it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A relation's name with its schema, quoted.
pub(crate) fn relation(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// Quoted names, separated by commas.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use policy::{ProfileHash, SITE_NAME_BYTES_MAX};

    use super::{literal, pool_role, quoted, slot, subscription};

    /// Longer names are cut by PostgreSQL without an error.
    const NAME_BYTES_MAX: usize = 63;

    #[test]
    fn names_fit_and_cannot_break_out() {
        let hash = ProfileHash([0xab; 32]);
        assert_eq!(pool_role(&hash, "dublin-1", 7), "tp_abababababababab_dublin-1_007");
        let site = "s".repeat(SITE_NAME_BYTES_MAX);
        for name in [pool_role(&hash, &site, 999), slot(&site), subscription(&site)] {
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
        }
        assert_eq!(slot("dublin-1"), "trefoil_dublin_1");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b"), "'a''b'");
    }
}
