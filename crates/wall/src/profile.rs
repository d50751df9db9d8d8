//! The statements that put a profile into a site, and those that take one out. Run each list in one transaction, as
//! the administrator: whoever reads sees all of it or nothing. Not here: what the views say (`views`).

use policy::{Bundle, Profile};

use crate::WallError;
use crate::names::{self, POOL, list, literal, quoted, relation};
use crate::views::{Compiled, compile};
use crate::writes::{Named, let_write};

/// What a pool role's sessions may write to the site's disk while they sort and join.
const TEMPORARY_FILES_MAX: &str = "1GB";

/// The settings with which a pool role's sessions begin, in the order of their names. Read-only and the search path are
/// defaults and not a defence: a session may change them, and finds no privilege behind them. The others only a
/// superuser may change.
pub(crate) fn session_settings(profile: &Profile) -> [(&'static str, String); 4] {
    let read_only = if profile.writes() { "off" } else { "on" };
    [
        ("default_transaction_read_only", read_only.to_owned()),
        // Errors quote values, and the server's log is not a second copy of the data.
        ("log_min_messages", "fatal".to_owned()),
        ("search_path", format!("{}, pg_temp", quoted(names::schema_of(profile)))),
        ("temp_file_limit", TEMPORARY_FILES_MAX.to_owned()),
    ]
}

/// Makes a profile at a site that has nothing of it yet. `verifier` gives the SCRAM verifier of pool role number `n`,
/// which is all that the site learns of its password.
///
/// # Errors
/// When the profile is not one of this bundle's, or shows what cannot be shown.
pub fn apply(
    bundle: &Bundle,
    profile: &Profile,
    site: &str,
    verifier: &dyn Fn(u16) -> String,
) -> Result<Vec<String>, WallError> {
    let schema = names::schema_of(profile);
    if schema == bundle.catalog().schema
        || [names::OWN_SCHEMA, crate::catalogs::CATALOG, crate::catalogs::INFORMATION].contains(&schema)
    {
        return Err(WallError::SchemaTaken(schema.to_owned()));
    }
    let compiled = compile(bundle, profile)?;
    let owner = names::owner_role(&profile.hash);
    let readers = names::profile_role(&profile.hash);
    let copies = names::copy_schema(&profile.hash);
    let mut ddl = vec![
        format!("CREATE ROLE {} NOLOGIN NOINHERIT", quoted(&owner)),
        format!("CREATE ROLE {} NOLOGIN", quoted(&readers)),
        format!("CREATE SCHEMA {} AUTHORIZATION {}", quoted(schema), quoted(&owner)),
    ];
    let_owner_read(bundle, &compiled, &owner, &mut ddl);
    for (name, query) in &compiled.views {
        let view = relation(schema, name);
        ddl.push(format!("CREATE VIEW {view} AS {query}"));
        ddl.push(format!("ALTER VIEW {view} OWNER TO {}", quoted(&owner)));
        ddl.push(format!("GRANT SELECT ON {view} TO {}", quoted(&readers)));
    }
    ddl.push(format!("GRANT USAGE ON SCHEMA {} TO {}", quoted(schema), quoted(&readers)));
    add_writes(
        bundle,
        profile,
        &compiled,
        &Named { schema, copies: &copies, owner: &owner, readers: &readers },
        &mut ddl,
    );
    for mask in compiled.masks.values() {
        ddl.push(format!("GRANT EXECUTE ON FUNCTION {} TO {}", mask.signature(), quoted(&readers)));
    }
    for n in 1..=bundle.enclave().sessions_per_profile {
        add_pool_role(profile, &names::pool_role(&profile.hash, site, n), &readers, &verifier(n), &mut ddl);
    }
    Ok(ddl)
}

/// Column by column: what no view and no policy reads, the owner cannot read either.
fn let_owner_read(bundle: &Bundle, compiled: &Compiled, owner: &str, ddl: &mut Vec<String>) {
    let schemas: std::collections::BTreeSet<_> = compiled.reads.keys().map(|(schema, _)| schema).collect();
    for schema in schemas {
        ddl.push(format!("GRANT USAGE ON SCHEMA {} TO {}", quoted(schema), quoted(owner)));
    }
    for ((schema, table), columns) in &compiled.reads {
        let columns = list(columns.iter().map(String::as_str));
        let table = relation(schema, table);
        ddl.push(format!("GRANT SELECT ({columns}) ON {table} TO {}", quoted(owner)));
    }
    for (table, rows) in &compiled.rows {
        let table = relation(&bundle.catalog().schema, table);
        let owner = quoted(owner);
        ddl.push(format!("CREATE POLICY {owner} ON {table} FOR SELECT TO {owner} USING ({rows})"));
    }
}

/// What the profile may write, after what it may read: a row that is written is one of those that are read.
fn add_writes(
    bundle: &Bundle,
    profile: &Profile,
    compiled: &Compiled,
    named: &Named<'_>,
    ddl: &mut Vec<String>,
) {
    if profile.tables.iter().any(|shown| !shown.writes.insert.is_empty()) {
        ddl.push(format!("CREATE SCHEMA {} AUTHORIZATION {}", quoted(named.copies), quoted(named.owner)));
        ddl.push(format!("GRANT USAGE ON SCHEMA {} TO {}", quoted(named.copies), quoted(named.readers)));
    }
    for shown in profile.tables.iter().filter(|shown| !shown.writes.is_none()) {
        let_write(bundle, shown, compiled, named, ddl);
    }
}

/// One session, one role, one connection; membership without the right to pass it on.
fn add_pool_role(profile: &Profile, role: &str, readers: &str, verifier: &str, ddl: &mut Vec<String>) {
    let role = quoted(role);
    ddl.push(format!(
        "CREATE ROLE {role} LOGIN CONNECTION LIMIT 1 PASSWORD {} IN ROLE {}",
        literal(verifier),
        list([readers, POOL])
    ));
    for (name, value) in session_settings(profile) {
        ddl.push(format!("ALTER ROLE {role} SET {name} = {}", setting(&value)));
    }
}

/// A list of names stays a list; anything else is a constant.
pub(crate) fn setting(value: &str) -> String {
    if value.contains(", ") { value.to_owned() } else { literal(value) }
}

/// Roles of one profile, as found at a site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveProfile {
    /// The 16 digits that its roles carry.
    pub short: String,
    /// Schemas that its owner owns.
    pub schemas: Vec<String>,
    /// Its pool roles.
    pub pool: Vec<String>,
}

/// Finds every profile at a site, whole or in part: (digits, schemas, pool roles). For the administrator.
pub const LIVE_PROFILES: &str = "\
    SELECT substr(rolname, 4, 16), \
      array_agg(DISTINCT nspname::text) FILTER (WHERE nspname IS NOT NULL), \
      array_agg(DISTINCT rolname::text) FILTER (WHERE rolcanlogin OR rolname LIKE 'tp\\_%') \
    FROM pg_roles LEFT JOIN pg_namespace ON nspowner = pg_roles.oid \
    WHERE rolname ~ '^t[por]_[0-9a-f]{16}($|_)' GROUP BY 1";

/// Closes a profile to new sessions. Commit it, end the sessions with [`END_SESSIONS`], then [`retire`].
pub fn close(live: &LiveProfile) -> Vec<String> {
    live.pool.iter().map(|role| format!("ALTER ROLE {} NOLOGIN", quoted(role))).collect()
}

/// Ends every session of the roles that the array `$1` names; says how many would not end within 5 s each. The sessions
/// are chosen first: in a WHERE clause PostgreSQL may end a session before it looks at whose it is.
pub const END_SESSIONS: &str = "\
    WITH held AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE usename = ANY ($1::text[])) \
    SELECT count(*) FILTER (WHERE NOT pg_terminate_backend(pid, 5000)) FROM held";

/// Takes a profile out of a site: its views, its owner's rights and every role.
pub fn retire(live: &LiveProfile) -> Vec<String> {
    let mut ddl: Vec<String> =
        live.schemas.iter().map(|schema| format!("DROP SCHEMA {} CASCADE", quoted(schema))).collect();
    let groups = [format!("to_{}", live.short), format!("tr_{}", live.short)];
    ddl.extend(live.pool.iter().chain(&groups).map(|role| drop_role(role)));
    ddl
}

/// Written for a role that may not be there.
pub(crate) fn drop_role(role: &str) -> String {
    let role = literal(role);
    format!(
        "DO $retire$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {role}) THEN \
         EXECUTE pg_catalog.format('DROP OWNED BY %I', {role}); \
         EXECUTE pg_catalog.format('DROP ROLE %I', {role}); END IF; END $retire$"
    )
}
