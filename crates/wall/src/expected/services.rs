//! The facts of direct services: a role each, and what it may do with whole tables. Not here: their lines of
//! `pg_hba.conf`, which are compared with all others.

use policy::Bundle;

use super::{Role, add as fact, grant, role};
use crate::drift::Facts;
use crate::names::{DATABASE, service_role};
use crate::services::{SERVICE_CONNECTIONS_MAX, of_site, policies, session_settings, written};

/// Everything about the services of a site.
pub(super) fn add(bundle: &Bundle, site: &str, facts: &mut Facts) {
    let catalog = bundle.catalog();
    for service in of_site(bundle, site) {
        let name = service_role(&service.name);
        role(facts, &name, &Role { login: true, limit: Some(SERVICE_CONNECTIONS_MAX), ..Role::default() });
        grant(facts, "CONNECT", &format!("database {DATABASE}"), &name);
        grant(facts, "USAGE", &format!("schema {}", catalog.schema), &name);
        let settings = session_settings(bundle, service);
        let settings = settings.map(|(name, value)| format!("{name}={}", value.replace('"', "")));
        fact(facts, format!("settings of {name} in every database"), settings.join("; "));
        for table in &catalog.tables {
            let on = format!("{}.{}", catalog.schema, table.name);
            for (suffix, command) in policies(service, &table.name) {
                let (letter, using, check) = match command {
                    "SELECT" => ("r", "true", ""),
                    "INSERT" => ("a", "", "true"),
                    "UPDATE" => ("w", "true", "true"),
                    _ => ("d", "true", ""),
                };
                fact(
                    facts,
                    format!("policy {name}_{suffix} on {on}"),
                    format!("command={letter} permissive=t to={name} using={using} check={check}"),
                );
                if ["INSERT", "UPDATE"].contains(&command) {
                    for column in written(table) {
                        grant(facts, command, &format!("column {on}.{column}"), &name);
                    }
                } else {
                    grant(facts, command, &format!("relation {on}"), &name);
                }
            }
        }
    }
}
