//! Direct services: programs of the enclave that log in at a site past the gate. Each is a role, a line of `pg_hba.conf`,
//! grants on whole tables and a row-level security policy, and nothing else. Nothing that they do is in the record, so
//! they are named in the signed bundle and are drift otherwise. Not here: services that come through the gate, which
//! have profiles.

use policy::{Bundle, Service, Table};

use crate::catalogs::READERS;
use crate::names::{DATABASE, LINK, list, literal, quoted, relation, service_role};
use crate::profile::{drop_role, setting};

/// Connections of one service to one site.
pub const SERVICE_CONNECTIONS_MAX: u16 = 16;

/// The services whose roles a site has: a row each, the role's name. For the administrator.
pub const LIVE_SERVICES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname LIKE 'ts\\_%'";

/// The services of a site.
pub fn of_site<'a>(bundle: &'a Bundle, site: &'a str) -> impl Iterator<Item = &'a Service> {
    bundle.enclave().services.iter().filter(move |service| service.sites.iter().any(|one| one == site))
}

/// The policies on one table: (suffix of the name, command). Rows are not its limit, but without a policy it sees none.
pub(crate) fn policies(service: &Service, table: &str) -> Vec<(&'static str, &'static str)> {
    let mut policies = Vec::new();
    if service.reads.iter().any(|read| read == table) {
        policies.push(("select", "SELECT"));
    }
    if service.writes.iter().any(|written| written == table) {
        policies.extend([("insert", "INSERT"), ("update", "UPDATE"), ("delete", "DELETE")]);
    }
    policies
}

/// The columns that a service writes: all but the home and the link, which the site gives.
pub(crate) fn written(table: &Table) -> impl Iterator<Item = &str> {
    let columns = table.columns.iter().map(|column| column.name.as_str());
    columns.filter(|column| *column != table.home && *column != LINK)
}

/// The settings with which its sessions begin, in the order of their names.
pub(crate) fn session_settings(bundle: &Bundle, service: &Service) -> [(&'static str, String); 3] {
    let read_only = if service.writes.is_empty() { "on" } else { "off" };
    [
        ("default_transaction_read_only", read_only.to_owned()),
        // Errors quote values, and the server's log is not a second copy of the data.
        ("log_min_messages", "fatal".to_owned()),
        ("search_path", format!("{}, pg_temp", quoted(&bundle.catalog().schema))),
    ]
}

/// Makes a service at a site that has nothing of it.
pub fn apply(bundle: &Bundle, service: &Service, verifier: &str) -> Vec<String> {
    let role = quoted(&service_role(&service.name));
    let schema = &bundle.catalog().schema;
    let mut ddl = vec![
        format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT {SERVICE_CONNECTIONS_MAX} PASSWORD {} IN ROLE {READERS}",
            literal(verifier)
        ),
        format!("GRANT CONNECT ON DATABASE {DATABASE} TO {role}"),
        format!("GRANT USAGE ON SCHEMA {} TO {role}", quoted(schema)),
    ];
    for (name, value) in session_settings(bundle, service) {
        ddl.push(format!("ALTER ROLE {role} SET {name} = {}", setting(&value)));
    }
    for table in &bundle.catalog().tables {
        let on = relation(schema, &table.name);
        for (suffix, command) in policies(service, &table.name) {
            let columns = list(written(table));
            let (privilege, rows) = match command {
                "SELECT" => (command.to_owned(), "USING (true)"),
                "INSERT" => (format!("INSERT ({columns})"), "WITH CHECK (true)"),
                "UPDATE" => (format!("UPDATE ({columns})"), "USING (true) WITH CHECK (true)"),
                _ => (command.to_owned(), "USING (true)"),
            };
            ddl.push(format!("GRANT {privilege} ON {on} TO {role}"));
            let policy = quoted(&format!("{}_{suffix}", service_role(&service.name)));
            ddl.push(format!("CREATE POLICY {policy} ON {on} FOR {command} TO {role} {rows}"));
        }
    }
    ddl
}

/// Takes a service out of a site: its rights, its policies and its role. End its sessions first.
pub fn retire(role: &str) -> Vec<String> {
    vec![drop_role(role)]
}

/// Closes a service to new sessions.
pub fn close(role: &str) -> String {
    format!("ALTER ROLE {} NOLOGIN", quoted(role))
}
