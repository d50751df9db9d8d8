//! Reads the facts of a live site. Not here: what they should be, and comparing (`wall`).

use policy::{Bundle, Homes};
use tokio_postgres::{Client, SimpleQueryMessage};
use wall::{Drift, Facts};

use crate::{Cluster, SitesError};

/// What a check of one site found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The site.
    pub site: String,
    /// What differs from the bundle: a gate refuses to start.
    pub drift: Vec<Drift>,
    /// Columns that the catalog does not know: withheld from everybody.
    pub unknown_columns: Vec<String>,
}

/// Every fact of the site that this client is connected to, as the watch or the administrator.
///
/// # Errors
/// When the connection breaks, or the role may not read a catalog.
pub async fn facts(client: &Client) -> Result<Facts, tokio_postgres::Error> {
    // What PostgreSQL prints depends on what it finds without a schema.
    client.batch_execute("SET search_path = pg_catalog, pg_temp").await?;
    let mut facts = Facts::new();
    for query in wall::drift::queries() {
        for message in client.simple_query(&query).await? {
            if let SimpleQueryMessage::Row(row) = message
                && let (Some(object), Some(state)) = (row.get(0), row.get(1))
            {
                facts.insert(object.to_owned(), state.to_owned());
            }
        }
    }
    Ok(facts)
}

/// Compares a site with the bundle, while homes are held or move as stated, as the administrator.
///
/// # Errors
/// When the site cannot be read or the bundle cannot be compiled.
pub async fn check(cluster: &Cluster, bundle: &Bundle, homes: &Homes) -> Result<Found, SitesError> {
    let client = cluster.admin().await?;
    let live = facts(&client).await.map_err(SitesError::database(cluster.site(), "read its catalogs"))?;
    let expected = wall::Expected::of(bundle, homes, cluster.site())?;
    Ok(Found {
        site: cluster.site().to_owned(),
        drift: expected.drift(&live),
        unknown_columns: expected.unknown_columns(&live),
    })
}
