//! Loads generated subjects: one pass over the population fans out into a binary COPY per table and site, each into
//! the partition whose home it is. Not here: what the subjects are like (`people`).

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::SinkExt;
use futures_util::future::try_join_all;
use policy::Bundle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_postgres::Client;
use wall::names::{LINK, partition, quoted};

use crate::copy::Batch;
use crate::people::{Banking, Population, Region};
use crate::rows::{self, Generated, Link, TABLES, tables};
use crate::{Cluster, Event, SitesError, Watcher};

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generate {
    /// The same seed makes the same subjects.
    pub seed: u64,
    /// At all sites together; 0 leaves the tables as they are.
    pub subjects: u64,
}

/// Batches of about 64 KiB that may wait for one table.
const BATCHES_WAITING_MAX: usize = 16;
/// Subjects between two reports.
const REPORT_EVERY: u64 = 1_000;

/// Where the rows of one site go, in the order of [`tables`].
type Feeds = [Feed; TABLES];

struct Feed {
    batch: Batch,
    to: Sender<Bytes>,
}

/// Loads the sites that have no subjects yet. Says whether there were any.
///
/// # Errors
/// When nobody can be made up who lives in the region, the catalog has not the tables that are generated, or a site
/// refuses.
pub(crate) async fn load(
    bundle: &Bundle,
    clusters: &[Cluster],
    generate: Generate,
    watcher: &Watcher,
) -> Result<bool, SitesError> {
    if generate.subjects == 0 {
        return Ok(false);
    }
    let region = Region::of(bundle.enclave());
    let banking = region.banking().ok_or(SitesError::Region)?;
    check_catalog(bundle, banking)?;
    let mut feeds = BTreeMap::new();
    let mut loads = Vec::new();
    for cluster in clusters {
        if !is_empty(bundle, cluster).await? {
            continue;
        }
        let mut from = Vec::new();
        let of_site: Feeds = std::array::from_fn(|_| {
            let (to, taken) = channel(BATCHES_WAITING_MAX);
            from.push(taken);
            Feed { batch: Batch::first(), to }
        });
        feeds.insert(cluster.site().to_owned(), of_site);
        loads.push(load_site(bundle, cluster, banking, from));
    }
    if loads.is_empty() {
        return Ok(false);
    }
    let watcher = watcher.clone();
    // Ends when it is done, or when a site's load has failed and nobody takes its rows.
    let generated = tokio::task::spawn_blocking(move || fan_out(&region, generate, feeds, &watcher));
    try_join_all(loads).await?;
    generated.await?;
    Ok(true)
}

async fn is_empty(bundle: &Bundle, cluster: &Cluster) -> Result<bool, SitesError> {
    let client = cluster.admin().await?;
    let users = own(bundle, "users", cluster.site());
    let row = client.query_one(&format!("SELECT NOT EXISTS (SELECT FROM {users})"), &[]).await;
    row.and_then(|row| row.try_get(0)).map_err(SitesError::database(cluster.site(), "look for subjects"))
}

/// The catalog may have more tables and more columns than are generated: those stay empty.
fn check_catalog(bundle: &Bundle, banking: Banking) -> Result<(), SitesError> {
    for Generated { name: table, columns } in tables(banking) {
        let known =
            bundle.catalog().table(table).ok_or_else(|| SitesError::Catalog(format!("a table `{table}`")))?;
        for (column, data_type) in columns {
            if known.column(column).is_none_or(|known| known.data_type != *data_type) {
                return Err(SitesError::Catalog(format!("a column `{table}.{column}` of type {data_type}")));
            }
        }
    }
    Ok(())
}

/// Runs on a thread of its own: generating is all computation.
fn fan_out(region: &Region, generate: Generate, mut feeds: BTreeMap<String, Feeds>, watcher: &Watcher) {
    let mut done = 0;
    for subject in Population::new(generate.seed, generate.subjects, region) {
        done += 1;
        if let Some(feeds) = feeds.get_mut(subject.person.home_site.as_str()) {
            let link: Link = rand::random();
            rows::add(feeds.each_mut().map(|feed| &mut feed.batch), &subject, &link);
            if !feeds.iter_mut().all(Feed::flush_full) {
                return;
            }
        }
        if done % REPORT_EVERY == 0 || done == generate.subjects {
            watcher(Event::Loading { subjects: done, of: generate.subjects });
        }
    }
    feeds.into_values().flatten().for_each(Feed::finish);
}

impl Feed {
    /// False when nobody listens any more.
    fn flush_full(&mut self) -> bool {
        match self.batch.take_full() {
            Some(bytes) => self.to.blocking_send(bytes).is_ok(),
            None => true,
        }
    }

    fn finish(self) {
        // Nobody listens when the load has failed, and that is reported by the load.
        drop(self.to.blocking_send(self.batch.take_last()));
    }
}

/// All tables of a site. The subjects are committed last, with their tokens: a site that has subjects has all.
async fn load_site(
    bundle: &Bundle,
    cluster: &Cluster,
    banking: Banking,
    from: Vec<Receiver<Bytes>>,
) -> Result<(), SitesError> {
    let site = cluster.site();
    let copies = tables(banking).into_iter().zip(from).map(|(table, from)| async move {
        let client = cluster.admin().await?;
        let done = copy(&client, &own(bundle, table.name, site), table, from).await;
        done.map_err(SitesError::database(site, format!("load {}", table.name)))?;
        Ok::<_, SitesError>(client)
    });
    let failed = || SitesError::database(site, "finish loading");
    let mut clients = try_join_all(copies).await?.into_iter();
    let subjects = clients.next();
    for client in clients {
        client.batch_execute("COMMIT").await.map_err(failed())?;
    }
    let scopes = bundle.catalog().pseudonym_scopes.iter();
    let mut rest: Vec<String> = scopes.map(|scope| wall::pseudonyms::fill(bundle, site, scope)).collect();
    rest.push("COMMIT".to_owned());
    match subjects {
        Some(client) => client.batch_execute(&rest.join(";\n")).await.map_err(failed()),
        None => Ok(()),
    }
}

/// Begins a transaction and copies into an emptied partition, in the order of the random links: a reader without keys
/// must not tell them from the place of a row. As `replica`: the trigger that gives a new subject its tokens would
/// give them in the order of the subjects.
async fn copy(
    client: &Client,
    table: &str,
    generated: Generated,
    mut from: Receiver<Bytes>,
) -> Result<(), tokio_postgres::Error> {
    let mut columns: Vec<String> = generated.columns.iter().map(|(name, _)| quoted(name)).collect();
    columns.push(LINK.to_owned());
    let columns = columns.join(", ");
    let begin = format!(
        "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM {table}; \
         CREATE TEMP TABLE arrived (LIKE {table}) ON COMMIT DROP"
    );
    client.batch_execute(&begin).await?;
    let sink = client.copy_in(&format!("COPY arrived ({columns}) FROM STDIN (FORMAT binary)")).await?;
    let mut sink = std::pin::pin!(sink);
    while let Some(bytes) = from.recv().await {
        sink.send(bytes).await?;
    }
    sink.finish().await?;
    let place = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM arrived ORDER BY {LINK}");
    client.batch_execute(&place).await
}

fn own(bundle: &Bundle, table: &str, site: &str) -> String {
    format!("{}.{}", quoted(&bundle.catalog().schema), quoted(&partition(table, site)))
}

/// Statistics of whole tables: PostgreSQL keeps those of partitions by itself, and not those of their parents.
pub(crate) async fn analyze(bundle: &Bundle, cluster: &Cluster) -> Result<(), SitesError> {
    let client = cluster.admin().await?;
    let catalog = bundle.catalog();
    let tables = catalog.tables.iter().map(|table| (catalog.schema.as_str(), table.name.as_str()));
    let tokens = catalog.pseudonym_scopes.iter().map(|scope| (wall::names::PSEUDONYM_SCHEMA, scope.as_str()));
    let names: Vec<_> =
        tables.chain(tokens).map(|(schema, name)| format!("{}.{}", quoted(schema), quoted(name))).collect();
    let done = client.batch_execute(&format!("ANALYZE {}", names.join(", "))).await;
    done.map_err(SitesError::database(cluster.site(), "gather statistics"))
}
