//! Takes new clusters to sites that are ready: database, baseline, generated subjects, replication, profiles. Every
//! step looks first and does what is missing, so that what was interrupted goes on, and what is done stays.

use policy::{Bundle, Holders};

use crate::apply::{Applied, apply, run};
use crate::load::{self, Generate};
use crate::{Cluster, Secrets, SitesError, Watcher, mesh, pseudonyms};

/// Provisions all sites of a bundle, which run already.
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
    try_join_all(clusters.iter().map(|cluster| lay(bundle, cluster))).await?;
    let loaded = load::load(bundle, clusters, generate, watcher).await?;
    mesh::join(bundle, clusters, &Holders::first(bundle)).await?;
    mesh::wait_synchronised(clusters, watcher).await?;
    try_join_all(clusters.iter().map(|cluster| settle(bundle, cluster))).await?;
    pseudonyms::prepare(bundle, clusters, watcher).await?;
    if loaded {
        try_join_all(clusters.iter().map(|cluster| load::analyze(bundle, cluster))).await?;
    }
    try_join_all(clusters.iter().map(|cluster| apply(cluster, bundle, secrets, watcher))).await
}

/// Database and baseline.
async fn lay(bundle: &Bundle, cluster: &Cluster) -> Result<(), SitesError> {
    let site = cluster.site();
    let client = cluster.connect("postgres").await?;
    let failed = || SitesError::database(site, "make the database");
    let known = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&wall::names::DATABASE]);
    if known.await.map_err(failed())?.is_none() {
        client.batch_execute(&wall::baseline::create_database()).await.map_err(failed())?;
    }
    let client = cluster.admin().await?;
    let known = client.query_opt("SELECT FROM pg_namespace WHERE nspname = $1", &[&wall::names::OWN_SCHEMA]);
    if known.await.map_err(failed())?.is_some() {
        return Ok(());
    }
    run(&client, site, "lay the baseline", &wall::baseline(bundle, site)).await
}

/// Indexes, and the triggers on what is at home elsewhere.
async fn settle(bundle: &Bundle, cluster: &Cluster) -> Result<(), SitesError> {
    let client = cluster.admin().await?;
    run(&client, cluster.site(), "settle its tables", &wall::baseline::settle(bundle, cluster.site())).await
}
