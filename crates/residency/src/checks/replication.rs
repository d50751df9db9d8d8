//! Copies that follow: standbys, slots, publications, subscriptions, base backups. Not here: the settings by which a
//! cluster follows another (`configuration`).

use super::each;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};
use crate::conninfo;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "standby",
        query: Query::Text(
            "SELECT sessions.pid, role, application, address, tls, sending, l.slot_name, l.slot_type FROM {sessions} \
             LEFT JOIN pg_replication_slots l ON l.active_pid = sessions.pid WHERE kind = 'walsender' ORDER BY pid",
        ),
        rule: standby,
        where_: Where::PostgreSql,
        looks_at: "every process that sends the write-ahead log: its role, where it sends to, and whether it sends \
                   changes of one database or the files of the whole cluster",
        why: "whoever receives the log has a copy of everything in it, a moment after it is written",
        cannot_see: "a receiver that came and went between two checks; log_connections and log_replication_commands \
                     leave it in the server's log",
    },
    Check {
        name: "base-backup",
        query: Query::Text(
            "SELECT b.pid, sessions.role, sessions.address FROM pg_stat_progress_basebackup b \
             LEFT JOIN {sessions} ON sessions.pid = b.pid ORDER BY b.pid",
        ),
        rule: base_backup,
        where_: Where::PostgreSql,
        looks_at: "base backups that are being taken now",
        why: "a base backup is a copy of every file of the cluster",
        cannot_see: "one that has finished: PostgreSQL keeps no trace of it but in its log (log_replication_commands); \
                     snapshots of disks",
    },
    Check {
        name: "replication-slot",
        query: Query::Text(
            "SELECT slot_name, slot_type, l.database, active, wal_status, sessions.role FROM pg_replication_slots l \
             LEFT JOIN {sessions} ON sessions.pid = l.active_pid ORDER BY slot_name",
        ),
        rule: slot,
        where_: Where::PostgreSql,
        looks_at: "every replication slot, and whether somebody reads from it",
        why: "a slot is a place kept for a receiver; one that nobody reads from keeps the write-ahead log, and erased \
              data in it",
        cannot_see: "who was given the slot's name",
    },
    Check {
        name: "upstream",
        query: Query::Text(
            "SELECT pg_is_in_recovery() AS recovering, upstream.host, upstream.port, upstream.slot \
             FROM (SELECT) one LEFT JOIN {upstream} ON true",
        ),
        rule: upstream,
        where_: Where::PostgreSql,
        looks_at: "whether this cluster is itself a copy of another, and of which",
        why: "a standby is a copy: it belongs where the data may be, and so does what it follows",
        cannot_see: "where the write-ahead log comes from that is restored from an archive",
    },
    Check {
        name: "publication",
        query: Query::Text(
            "SELECT pubname, puballtables AS everything, NULL AS object FROM pg_publication WHERE puballtables \
             UNION ALL SELECT pubname, false, format('schema %s', nspname) FROM pg_publication p \
             JOIN pg_publication_namespace ON pnpubid = p.oid JOIN pg_namespace n ON n.oid = pnnspid \
             UNION ALL SELECT pubname, false, format('%s.%s', nspname, relname) FROM pg_publication p \
             JOIN pg_publication_rel ON prpubid = p.oid JOIN pg_class c ON c.oid = prrelid \
             JOIN pg_namespace n ON n.oid = relnamespace ORDER BY 1, 3",
        ),
        rule: publication,
        where_: Where::PostgreSql,
        looks_at: "what each publication offers: tables, schemas, or everything there is and will be",
        why: "a publication is what a receiver can follow; a wider one is a wider copy",
        cannot_see: "publications of the cluster's other databases; plugins that decode without a publication",
    },
    Check {
        name: "subscription",
        query: Query::Text(
            "SELECT name, database, enabled, slot, connection FROM {subscriptions} ORDER BY name",
        ),
        rule: subscription,
        where_: Where::PostgreSql,
        looks_at: "every subscription of the cluster and the host that it connects to, resolved now",
        why: "a subscription brings data here from somewhere, and tells that host that there is somebody to reach",
        cannot_see: "a name that resolves otherwise on the server; tunnels behind the address",
    },
    Check {
        name: "replication-origin",
        query: Query::Text(
            "SELECT o.roname, s.subname, st.remote_lsn FROM pg_replication_origin o \
             LEFT JOIN pg_subscription s ON o.roname ~ format('^pg_%s(_[0-9]+)?$', s.oid) \
             LEFT JOIN pg_replication_origin_status st ON st.local_id = o.roident ORDER BY o.roname",
        ),
        rule: origin,
        where_: Where::PostgreSql,
        looks_at: "replication origins that belong to no subscription of this cluster",
        why: "an origin is how a program that is not PostgreSQL's own keeps its place while it applies changes",
        cannot_see: "programs that apply changes without an origin",
    },
];

const FOREIGN_COPY: &str = "end it, drop its slot, and take REPLICATION from the role";

fn standby(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let role = row.text("role");
        let to = row.get("address").map_or_else(|| "this machine".to_owned(), str::to_owned);
        let by = row.text("application");
        // Between its commands a sender is in `startup`, and holds no slot.
        let files = row.text("slot_type") != "logical"
            && row.get("sending").is_some_and(|sending| sending != "startup");
        if files {
            let what = format!("sends every change of the whole cluster to `{by}` at {to}");
            claims.push(Claim::there(format!("{role} (whole cluster)"), what, FOREIGN_COPY));
        } else {
            claims.push(Claim::there(role, format!("sends changes to `{by}` at {to}"), FOREIGN_COPY));
        }
        if let Some(address) = row.get("address") {
            let object = format!("{role} at {address}");
            claims.push(Claim::reaches(address, object, "sends changes out of the region", FOREIGN_COPY));
        }
    }
    claims
}

fn base_backup(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let to = row.get("address").unwrap_or("this machine");
        let object = format!("{} at {to}", row.text("role"));
        Claim::there(
            object,
            "copies every file of the cluster",
            "end it unless it was ordered, and find the copy",
        )
    })
}

fn slot(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let name = row.text("slot_name");
        let receiver = row.text("role");
        if is_first_copy(name) && expected.allows("standby", receiver) {
            continue;
        }
        let of = row
            .get("database")
            .map_or_else(|| "the whole cluster".to_owned(), |name| format!("database {name}"));
        let drop = format!("SELECT pg_drop_replication_slot('{}')", name.replace('\'', "''"));
        claims.push(Claim::there(name, format!("a {} slot of {of}", row.text("slot_type")), drop.clone()));
        if !row.yes("active") {
            let what = format!("nobody reads from it: it keeps what was erased ({})", row.text("wal_status"));
            let advice = format!("let its receiver connect, or drop it: {drop}");
            claims.push(Claim::there(format!("{name} (inactive)"), what, advice));
        }
    }
    claims
}

/// PostgreSQL's own slots for the time in which a subscription copies a table: `pg_16402_sync_16390_7000000000000000000`.
fn is_first_copy(name: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts.as_slice(), ["pg", a, "sync", b, c] if [a, b, c].into_iter().all(number))
}

fn upstream(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows.iter().filter(|row| row.yes("recovering") || row.get("host").is_some()) {
        let Some(host) = row.get("host") else {
            let advice = "promote it, or allow it as the standby that it is";
            claims.push(Claim::there("recovery", "this cluster is a copy that nobody sends to", advice));
            continue;
        };
        let object = format!("{host}:{}", row.text("port"));
        let what = "this cluster is a copy of that one";
        claims.push(Claim::there(object.clone(), what, "promote it, or allow it as the standby that it is"));
        let what = "this cluster follows one outside the region";
        claims.push(Claim::reaches(
            host,
            format!("{object} (outside)"),
            what,
            "follow a cluster of the region",
        ));
    }
    claims
}

fn publication(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let name = row.text("pubname");
        let drop = format!("DROP PUBLICATION {}", wall::names::quoted(name));
        if row.yes("everything") {
            return Claim::there(
                format!("{name}: all tables"),
                "offers everything there is and will be",
                drop,
            );
        }
        let object = row.text("object");
        Claim::there(format!("{name}: {object}"), format!("offers {object} to whoever may follow it"), drop)
    })
}

fn subscription(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let name = row.text("name");
        let drop = format!("DROP SUBSCRIPTION {}", wall::names::quoted(name));
        let what = format!("a subscription of database {}", row.text("database"));
        claims.push(Claim::there(name, what, drop.clone()));
        match conninfo::hosts(row.text("connection")) {
            Ok(hosts) => claims.extend(hosts.into_iter().map(|host| {
                let object = format!("{name} to {host}");
                Claim::reaches(host, object, "connects to a host outside the region", drop.clone())
            })),
            Err(why) => {
                let advice = "write it with host= or hostaddr=";
                claims.push(Claim::unknown(name, format!("its connection cannot be read: {why}"), advice));
            }
        }
    }
    claims
}

fn origin(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let foreign = rows
        .iter()
        .filter(|row| !row.get("subname").is_some_and(|name| expected.allows("subscription", name)));
    foreign
        .map(|row| {
            let name = row.text("roname");
            let what = match row.get("subname") {
                Some(subscription) => format!("changes are applied for subscription {subscription}"),
                None => "a program that is not PostgreSQL's own applies changes under it".to_owned(),
            };
            let drop = format!("SELECT pg_replication_origin_drop('{}')", name.replace('\'', "''"));
            Claim::there(name, what, drop)
        })
        .collect()
}
