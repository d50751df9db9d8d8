//! Pseudonym scopes at the sites: added, counted, forgotten. A profile that shows pseudonyms is made at a site only when
//! every subject there has a token (`apply`); tokens are made at the subject's home and reach the siblings by
//! replication. Not here: the statements (`wall`).

use std::collections::BTreeSet;
use std::time::Duration;

use policy::Bundle;
use tokio_postgres::Client;
use wall::pseudonyms::{self, BEHIND, LIVE_SCOPES};

use crate::apply::run;
use crate::{Cluster, SitesError, Watcher, mesh};

/// How long the siblings may take to follow when a scope is forgotten.
const TAKEN_SECS_MAX: u64 = 120;
const POLL: Duration = Duration::from_millis(100);

/// One scope at one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeState {
    /// The site.
    pub site: String,
    /// The scope.
    pub scope: String,
    /// Subjects that the site knows, of all homes.
    pub subjects: i64,
    /// How many of them have no token.
    pub missing: i64,
    /// Tokens that belong to nobody.
    pub orphans: i64,
}

/// Every scope of the bundle at every site.
///
/// # Errors
/// When a site cannot be read, or has not all scopes: `trefoil policy apply` adds them.
pub async fn status(bundle: &Bundle, clusters: &[Cluster]) -> Result<Vec<ScopeState>, SitesError> {
    let mut states = Vec::new();
    for cluster in clusters {
        let client = cluster.admin().await?;
        for scope in &bundle.catalog().pseudonym_scopes {
            states.push(count(&client, bundle, cluster.site(), scope, None).await?);
        }
    }
    Ok(states)
}

/// Adds the scopes that the sites do not have yet, gives tokens to subjects that have none, and waits until every site
/// has those of its siblings. What is there already stays.
///
/// # Errors
/// When a site refuses, or does not catch up.
pub async fn prepare(bundle: &Bundle, clusters: &[Cluster], watcher: &Watcher) -> Result<(), SitesError> {
    for cluster in clusters {
        let site = cluster.site();
        let client = cluster.admin().await?;
        let known = scopes(&client, site).await?;
        for scope in &bundle.catalog().pseudonym_scopes {
            if !known.contains(scope) {
                let mut ddl = pseudonyms::lay(bundle, site, scope);
                ddl.push(pseudonyms::fill(bundle, site, scope));
                run(&client, site, "add a pseudonym scope", &ddl).await?;
            } else if count(&client, bundle, site, scope, Some(site)).await?.missing > 0 {
                let fill = pseudonyms::fill(bundle, site, scope);
                run(&client, site, "give tokens to subjects without one", &[fill]).await?;
            }
        }
    }
    for cluster in clusters {
        refresh(bundle, clusters, cluster).await?;
    }
    mesh::wait_synchronised(clusters, watcher).await
}

/// Lets a site follow the scopes that its siblings have added.
async fn refresh(bundle: &Bundle, clusters: &[Cluster], cluster: &Cluster) -> Result<(), SitesError> {
    let site = cluster.site();
    let failed = || SitesError::database(site, "follow its siblings' pseudonym scopes");
    let client = cluster.admin().await?;
    for publisher in clusters.iter().map(Cluster::site).filter(|sibling| *sibling != site) {
        let mut takes_all = true;
        for scope in &bundle.catalog().pseudonym_scopes {
            let row = client.query_one(&pseudonyms::takes(scope, publisher), &[]).await;
            takes_all &= row.and_then(|row| row.try_get::<_, bool>(0)).map_err(failed())?;
        }
        if !takes_all {
            client.batch_execute(&pseudonyms::refresh(publisher)).await.map_err(failed())?;
        }
    }
    Ok(())
}

/// Gives every subject of the enclave a new random token in one scope; the old ones are gone from every site when this
/// returns. Nobody can tell any more which old token was whose.
///
/// # Errors
/// When there is no such scope, a site refuses, or a sibling does not follow. Repeat it: it begins anew.
pub async fn forget(bundle: &Bundle, clusters: &[Cluster], scope: &str) -> Result<(), SitesError> {
    if !bundle.catalog().pseudonym_scopes.iter().any(|known| known == scope) {
        return Err(SitesError::NoScope(scope.to_owned()));
    }
    for cluster in clusters {
        let client = cluster.admin().await?;
        let forget = pseudonyms::forget(bundle, cluster.site(), scope);
        run(&client, cluster.site(), "forget a pseudonym scope", &forget).await?;
        wait_taken(&client, cluster.site()).await?;
    }
    for cluster in clusters {
        // Samples of the old tokens are among the statistics, and the tokens themselves in the write-ahead log: a
        // checkpoint removes what every sibling has taken.
        let client = cluster.admin().await?;
        for statement in [&*pseudonyms::analyze(bundle, scope), "SELECT pg_switch_wal()", "CHECKPOINT"] {
            let done = client.batch_execute(statement).await;
            done.map_err(SitesError::database(cluster.site(), "clear up behind a forgotten scope"))?;
        }
    }
    Ok(())
}

/// Waits until every sibling has what this site has published so far.
async fn wait_taken(client: &Client, site: &str) -> Result<(), SitesError> {
    let failed = || SitesError::database(site, "see how far its siblings are");
    let row = client.query_one("SELECT pg_current_wal_lsn()::text", &[]).await;
    let position: String = row.and_then(|row| row.try_get(0)).map_err(failed())?;
    let mut siblings = 0;
    for _ in 0..TAKEN_SECS_MAX * 10 {
        let row = client.query_one(BEHIND, &[&position]).await;
        siblings = row.and_then(|row| row.try_get(0)).map_err(failed())?;
        if siblings == 0 {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(SitesError::NotTaken { site: site.to_owned(), siblings, seconds: TAKEN_SECS_MAX })
}

pub(crate) async fn scopes(client: &Client, site: &str) -> Result<BTreeSet<String>, SitesError> {
    let rows = client.query(LIVE_SCOPES, &[]).await;
    let names = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
    names.map_err(SitesError::database(site, "look for pseudonym scopes"))
}

/// Counts one scope at one site, of all homes or of one.
pub(crate) async fn count(
    client: &Client,
    bundle: &Bundle,
    site: &str,
    scope: &str,
    home: Option<&str>,
) -> Result<ScopeState, SitesError> {
    let row = client.query_one(&pseudonyms::count(bundle, scope, home), &[]).await;
    let state = row.and_then(|row| {
        Ok(ScopeState {
            site: site.to_owned(),
            scope: scope.to_owned(),
            subjects: row.try_get(0)?,
            missing: row.try_get(1)?,
            orphans: row.try_get(2)?,
        })
    });
    state.map_err(SitesError::database(site, format!("count the tokens of the pseudonym scope {scope}")))
}
