//! Replication between the sites: each follows the partitions that its siblings write. Slots are named after the
//! subscriber, because they live at the publisher. Not here: publications and roles, which every site has from its
//! baseline.

use std::time::Duration;

use policy::{Bundle, Holders};
use tokio_postgres::Client;
use wall::names::{self, DATABASE, literal, quoted};

use crate::apply::run;
use crate::secrets::{password, verifier};
use crate::{Cluster, Event, SitesError, Watcher};

/// How long the first copy may stand still before we give up.
const SYNC_SECS_MAX: u64 = 600;
const POLL: Duration = Duration::from_millis(100);

/// Lets every site follow every other, but none that is out. What is there already stays, unless a sibling has moved to another port.
///
/// One after the other, and nothing is copied before all are made: making a slot waits for every transaction at the
/// publisher, and two sites that each make a subscription in a transaction would wait for each other for ever.
///
/// # Errors
/// When a site refuses or cannot reach a sibling.
pub async fn join(bundle: &Bundle, clusters: &[Cluster], holders: &Holders) -> Result<(), SitesError> {
    for subscriber in clusters {
        for publisher in clusters.iter().filter(|sibling| sibling.site() != subscriber.site()) {
            follow(bundle, subscriber, publisher).await?;
        }
    }
    for subscriber in clusters {
        let client = subscriber.admin().await?;
        let siblings = clusters.iter().filter(|sibling| sibling.site() != subscriber.site());
        for publisher in siblings.filter(|sibling| !holders.is_out(sibling.site())) {
            let enable =
                format!("ALTER SUBSCRIPTION {} ENABLE", quoted(&names::subscription(publisher.site())));
            client
                .batch_execute(&enable)
                .await
                .map_err(SitesError::database(subscriber.site(), "follow its siblings"))?;
        }
    }
    Ok(())
}

async fn follow(bundle: &Bundle, subscriber: &Cluster, publisher: &Cluster) -> Result<(), SitesError> {
    let (here, there) = (subscriber.site(), publisher.site());
    let name = names::subscription(there);
    let failed = || SitesError::database(here, format!("follow {there}"));
    let client = subscriber.admin().await?;
    let known =
        client.query_opt("SELECT subconninfo FROM pg_subscription WHERE subname = $1", &[&name]).await;
    let known: Option<String> =
        known.and_then(|row| row.map(|row| row.try_get(0)).transpose()).map_err(failed())?;
    let address = format!("host=127.0.0.1 port={} dbname={DATABASE} ", publisher.port());
    if known.as_ref().is_some_and(|known| known.starts_with(&address)) {
        return Ok(());
    }
    let password = password();
    let connection = connection(&address, subscriber, &password);
    let at_publisher = publisher.admin().await?;
    let role = names::repl_role(here);
    let set = wall::baseline::set_password(&role, &verifier(&role, &password)?);
    run(&at_publisher, there, "let a sibling follow", &[set]).await?;
    let statement = if known.is_some() {
        format!("ALTER SUBSCRIPTION {} CONNECTION {}", quoted(&name), literal(&connection))
    } else {
        drop_orphan(&at_publisher, here).await.map_err(SitesError::database(there, "drop a stale slot"))?;
        format!(
            "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH (slot_name = {}, binary = true, synchronous_commit = {}, \
             enabled = false)",
            quoted(&name),
            literal(&connection),
            quoted(&names::publication(there)),
            literal(&names::slot(here)),
            // Whoever waits for a sibling waits for its disk, and not for it to get round to writing.
            if waits(bundle, there) { "local" } else { "off" }
        )
    };
    client.batch_execute(&statement).await.map_err(failed())
}

/// Whether commits at a site wait for a sibling.
fn waits(bundle: &Bundle, site: &str) -> bool {
    !wall::hba::synchronous(bundle, site).is_empty()
}

/// A subscription that failed half-way leaves its slot at the publisher.
async fn drop_orphan(publisher: &Client, subscriber: &str) -> Result<(), tokio_postgres::Error> {
    let drop =
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1::text";
    publisher.query(drop, &[&names::slot(subscriber)]).await.map(|_| ())
}

/// The server is verified by the operator's authority, the client by its password alone: a certificate that lies
/// about in the server's home folder would be refused even where none is asked for.
fn connection(address: &str, subscriber: &Cluster, password: &str) -> String {
    format!(
        "{address}user={} password={password} sslmode=verify-full sslrootcert={} sslcert={}",
        quoted_word(&names::repl_role(subscriber.site())),
        quoted_word(&subscriber.operator_ca().display().to_string()),
        quoted_word(&subscriber.no_certificate().display().to_string())
    )
}

/// A value in a connection string.
pub(crate) fn quoted_word(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Waits until every site has copied everything that its siblings had when it joined them.
///
/// # Errors
/// When the number of tables to copy does not change for ten minutes.
pub async fn wait_synchronised(clusters: &[Cluster], watcher: &Watcher) -> Result<(), SitesError> {
    futures_util::future::try_join_all(clusters.iter().map(|cluster| wait_one(cluster, watcher)))
        .await
        .map(|_| ())
}

pub(crate) async fn wait_one(cluster: &Cluster, watcher: &Watcher) -> Result<(), SitesError> {
    let client = cluster.admin().await?;
    let failed = || SitesError::database(cluster.site(), "read the state of its subscriptions");
    let (mut last, mut still) = (-1, 0);
    loop {
        let row =
            client.query_one("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", &[]).await;
        let tables: i64 = row.and_then(|row| row.try_get(0)).map_err(failed())?;
        still = if tables == last { still + 1 } else { 0 };
        if tables != last {
            watcher(Event::Copying { site: cluster.site().to_owned(), tables_left: tables });
        }
        last = tables;
        if tables == 0 {
            return Ok(());
        }
        if still > SYNC_SECS_MAX * 10 {
            let site = cluster.site().to_owned();
            return Err(SitesError::NotSynchronised { site, tables, seconds: SYNC_SECS_MAX });
        }
        tokio::time::sleep(POLL).await;
    }
}
