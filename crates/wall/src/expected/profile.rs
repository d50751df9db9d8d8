//! The facts of one profile: its roles, views, grants and policies. Not here: what belongs to no profile.

use policy::{Bundle, Profile, ProfileTable};

use super::{Role, add as fact, add_trigger, grant, role};
use crate::WallError;
use crate::drift::{Facts, normal};
use crate::names::{self, POOL};
use crate::profile::session_settings;
use crate::views::{Compiled, compile};
use crate::writes;

/// Everything about a profile of the bundle at a site.
pub(super) fn add(
    bundle: &Bundle,
    profile: &Profile,
    site: &str,
    facts: &mut Facts,
) -> Result<(), WallError> {
    let compiled = compile(bundle, profile)?;
    let schema = names::schema_of(profile);
    let owner = names::owner_role(&profile.hash);
    let readers = names::profile_role(&profile.hash);
    role(facts, &owner, &Role { no_inherit: true, ..Role::default() });
    role(facts, &readers, &Role::default());
    fact(facts, format!("schema {schema}"), format!("owner={owner}"));
    grant(facts, "USAGE", &format!("schema {schema}"), &readers);
    for (view, query) in &compiled.views {
        let state = format!("owner={owner} kind=v persistence=p rls=f forced=f options= part=");
        fact(facts, format!("view {schema}.{view}"), state);
        fact(facts, format!("definition of view {schema}.{view}"), normal(query));
        grant(facts, "SELECT", &format!("relation {schema}.{view}"), &readers);
    }
    for mask in compiled.masks.values() {
        grant(facts, "EXECUTE", &format!("function {}", mask.signature()), &readers);
    }
    for ((read, table), columns) in &compiled.reads {
        grant(facts, "USAGE", &format!("schema {read}"), &owner);
        for column in columns {
            grant(facts, "SELECT", &format!("column {read}.{table}.{column}"), &owner);
        }
    }
    for (table, rows) in &compiled.rows {
        fact(
            facts,
            format!("policy {owner} on {}.{table}", bundle.catalog().schema),
            format!("command=r permissive=t to={owner} using={} check=", normal(rows)),
        );
    }
    add_writes(bundle, profile, &compiled, facts);
    let settings =
        session_settings(profile).map(|(name, value)| format!("{name}={}", value.replace('"', "")));
    for n in 1..=bundle.enclave().sessions_per_profile {
        let name = names::pool_role(&profile.hash, site, n);
        role(facts, &name, &Role { login: true, limit: Some(1), ..Role::default() });
        for group in [&*readers, POOL] {
            fact(facts, format!("member {name} of {group}"), "plain");
        }
        fact(facts, format!("settings of {name} in every database"), settings.join("; "));
    }
    Ok(())
}

/// What a profile writes, and the relations that COPY goes to.
fn add_writes(bundle: &Bundle, profile: &Profile, compiled: &Compiled, facts: &mut Facts) {
    let (owner, readers) = (names::owner_role(&profile.hash), names::profile_role(&profile.hash));
    let copies = names::copy_schema(&profile.hash);
    let schema = names::schema_of(profile);
    for shown in profile.tables.iter().filter(|shown| !shown.writes.is_none()) {
        let base = format!("{}.{}", bundle.catalog().schema, shown.table);
        let view = format!("{schema}.{}", shown.table);
        for (on, to) in [(&base, &owner), (&view, &readers)] {
            for (privilege, columns) in [("INSERT", &shown.writes.insert), ("UPDATE", &shown.writes.update)] {
                for column in columns {
                    grant(facts, privilege, &format!("column {on}.{column}"), to);
                }
            }
            if shown.writes.delete {
                grant(facts, "DELETE", &format!("relation {on}"), to);
            }
        }
        let rows = compiled.rows.get(&shown.table).map(|rows| normal(rows)).unwrap_or_default();
        for policy in writes::policies(&owner, shown) {
            let command = match policy.command {
                "INSERT" => "a",
                "UPDATE" => "w",
                _ => "d",
            };
            let using = if policy.using { &*rows } else { "" };
            let check = if policy.check { &*rows } else { "" };
            fact(
                facts,
                format!("policy {} on {base}", policy.name),
                format!("command={command} permissive=t to={owner} using={using} check={check}"),
            );
        }
        if !shown.writes.insert.is_empty() {
            fact(facts, format!("schema {copies}"), format!("owner={owner}"));
            grant(facts, "USAGE", &format!("schema {copies}"), &readers);
            add_copy(bundle, shown, (&copies, &owner, &readers), facts);
        }
    }
}

fn add_copy(
    bundle: &Bundle,
    shown: &ProfileTable,
    (copies, owner, readers): (&str, &str, &str),
    facts: &mut Facts,
) {
    let copy = format!("{copies}.{}", shown.table);
    let state = format!("owner={owner} kind=v persistence=p rls=f forced=f options= part=");
    fact(facts, format!("view {copy}"), state);
    fact(facts, format!("definition of view {copy}"), normal(&writes::copy_query(shown)));
    grant(facts, "INSERT", &format!("relation {copy}"), readers);
    fact(
        facts,
        format!("function {copy}()"),
        format!(
            "owner={owner} language=plpgsql definer=t volatile=v leakproof=f returns=trigger \
             settings=search_path=pg_catalog, pg_temp source={}",
            writes::copy_source(bundle, shown)
        ),
    );
    add_trigger(facts, "copy_in", &copy, &writes::copy_trigger(shown, copies));
}
