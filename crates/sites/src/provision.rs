//! Takes new clusters to sites that are ready: database, baseline, generated subjects, replication, profiles. Every
//! step looks first and does what is missing, so that what was interrupted goes on, and what is done stays. A site that
//! comes to others is the same: those make room for it and follow it, and it copies what they have.

use policy::{Bundle, Holders};
use tokio_postgres::Client;
use wall::baseline::{LIVE_STANDBY, admit_standby, retire_standby};
use wall::names::{repl_role, subscription};

use crate::apply::{Applied, apply, run};
use crate::load::{self, Generate};
use crate::{Cluster, Secrets, SitesError, Watcher, mesh, pseudonyms};

/// One row: whether the site follows all siblings (`$1`, subscriptions), lets all of them follow it (`$2`, roles), lets a
/// standby follow it or not (`$3`), and has the passwords that are set last.
const FINISHED: &str = "SELECT (SELECT count(*) FROM pg_subscription WHERE subname::text = ANY ($1)) = cardinality($1) \
    AND (SELECT count(*) FROM pg_roles WHERE rolname::text = ANY ($2)) = cardinality($2) \
    AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'trefoil_standby') = $3 \
    AND EXISTS (SELECT FROM pg_authid WHERE rolname = 'trefoil_stop' AND rolpassword IS NOT NULL)";

/// Provisions all sites of a bundle, which run already. Generated subjects go to sites that have none, so there are to be
/// none of those where a site comes to others: its subjects would be there twice.
///
/// # Errors
/// When a site refuses. Repeat it: it goes on where it failed.
pub async fn provision(
    bundle: &Bundle,
    clusters: &[Cluster],
    generate: Generate,
    secrets: &Secrets,
    watcher: &Watcher,
) -> Result<Vec<Applied>, SitesError> {
    use futures_util::future::try_join_all;
    let laid = try_join_all(clusters.iter().map(|cluster| lay(bundle, cluster))).await?;
    let loaded = load::load(bundle, clusters, generate, watcher).await?;
    mesh::join(bundle, clusters, &Holders::first(bundle)).await?;
    mesh::wait_synchronised(clusters, watcher).await?;
    try_join_all(clusters.iter().map(|cluster| settle(bundle, cluster))).await?;
    pseudonyms::prepare(bundle, clusters, watcher).await?;
    let filled = clusters.iter().zip(laid).filter(|(_, laid)| loaded || *laid);
    try_join_all(filled.map(|(cluster, _)| load::analyze(bundle, cluster))).await?;
    try_join_all(clusters.iter().map(|cluster| apply(cluster, bundle, secrets, watcher))).await
}

/// The sites that are not provisioned to the end: those that have come since, and those that do not know of these.
///
/// # Errors
/// When a site cannot be asked.
pub async fn unfinished(bundle: &Bundle, clusters: &[Cluster]) -> Result<Vec<String>, SitesError> {
    let mut unfinished = Vec::new();
    for cluster in clusters {
        let site = cluster.site();
        let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
        let (subscriptions, roles): (Vec<String>, Vec<String>) =
            siblings.map(|sibling| (subscription(&sibling.name), repl_role(&sibling.name))).unzip();
        let failed = || SitesError::database(site, "see whether it is provisioned");
        let client = cluster.connect("postgres").await?;
        let mut finished = has_database(&client).await.map_err(failed())?;
        if finished {
            let standby = has_standby(bundle, site);
            let row = cluster.admin().await?.query_one(FINISHED, &[&subscriptions, &roles, &standby]).await;
            finished = row.and_then(|row| row.try_get(0)).map_err(failed())?;
        }
        if !finished {
            unfinished.push(site.to_owned());
        }
    }
    Ok(unfinished)
}

async fn has_database(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let known = "SELECT FROM pg_database WHERE datname = $1";
    client.query_opt(known, &[&wall::names::DATABASE]).await.map(|row| row.is_some())
}

/// Database and baseline. Says whether the site had none.
async fn lay(bundle: &Bundle, cluster: &Cluster) -> Result<bool, SitesError> {
    let site = cluster.site();
    let client = cluster.connect("postgres").await?;
    let failed = || SitesError::database(site, "make the database");
    if !has_database(&client).await.map_err(failed())? {
        client.batch_execute(&wall::baseline::create_database()).await.map_err(failed())?;
    }
    let client = cluster.admin().await?;
    let known = client.query_opt("SELECT FROM pg_namespace WHERE nspname = $1", &[&wall::names::OWN_SCHEMA]);
    if known.await.map_err(failed())?.is_some() {
        return extend(bundle, site, &client).await.map(|()| false);
    }
    run(&client, site, "lay the baseline", &wall::baseline(bundle, site)).await.map(|()| true)
}

fn has_standby(bundle: &Bundle, site: &str) -> bool {
    bundle.enclave().sites.iter().any(|known| known.name == site && known.standby)
}

/// Lets a standby follow a site that was there before it was to have one, or none any more.
async fn let_follow(bundle: &Bundle, site: &str, client: &Client) -> Result<(), SitesError> {
    let row = client.query_one(LIVE_STANDBY, &[]).await;
    let known: bool =
        row.and_then(|row| row.try_get(0)).map_err(SitesError::database(site, "look for its standby"))?;
    match (known, has_standby(bundle, site)) {
        (false, true) => run(client, site, "let a standby follow", &[admit_standby()]).await,
        (true, false) => run(client, site, "let no standby follow", &retire_standby()).await,
        _ => Ok(()),
    }
}

/// Makes room, at a site that was there before, for those that have come to the enclave since.
async fn extend(bundle: &Bundle, site: &str, client: &Client) -> Result<(), SitesError> {
    let_follow(bundle, site, client).await?;
    let rows = client.query(wall::baseline::LIVE_SIBLINGS, &[]).await;
    let known: Vec<String> = rows
        .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect())
        .map_err(SitesError::database(site, "look for its siblings"))?;
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    let newcomers: Vec<_> = siblings.filter(|sibling| !known.contains(&repl_role(&sibling.name))).collect();
    if newcomers.is_empty() {
        return Ok(());
    }
    let scopes = pseudonyms::scopes(client, site).await?;
    for newcomer in newcomers {
        let ddl = wall::baseline::extend(bundle, site, &newcomer.name, &scopes);
        run(client, site, "make room for another site", &ddl).await?;
    }
    Ok(())
}

/// Indexes, and the triggers on what is at home elsewhere.
async fn settle(bundle: &Bundle, cluster: &Cluster) -> Result<(), SitesError> {
    let client = cluster.admin().await?;
    run(&client, cluster.site(), "settle its tables", &wall::baseline::settle(bundle, cluster.site())).await
}
