//! Makes the rows of a home at one sibling what they are at another, while nobody writes them: digests of buckets of keys
//! are compared, then the rows of those buckets that differ, and what differs is replaced. Readers see the rows before or
//! the rows after.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use policy::Bundle;
use tokio_postgres::{Client, Error};
use wall::names::{literal, quoted};

use crate::{Cluster, SitesError};

/// Buckets that keys are spread over: how many rows are compared one by one for one that differs.
const BUCKETS: u32 = 4_096;

/// A partition and its columns, the key first.
struct Table {
    name: String,
    columns: String,
    key: String,
}

impl Table {
    /// A digest of a row: equal rows are equal text at every site, whose settings are the same.
    fn row(&self) -> String {
        format!("md5(ROW({})::text)", self.columns)
    }

    fn bucket(&self) -> String {
        format!("(hashtext({}::text) & {})", self.key, BUCKETS - 1)
    }
}

/// Gives `behind` the rows of a home as `source` has them. Says how many were missing, other or too many.
pub(super) async fn even(
    bundle: &Bundle,
    home: &str,
    source: &Cluster,
    behind: &Cluster,
) -> Result<u64, SitesError> {
    let (from, to) = (source.admin().await?, behind.admin().await?);
    let doing = format!("get what {} has of {home}", source.site());
    let failed = || SitesError::database(behind.site(), doing.clone());
    let begin = "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '30s'";
    to.batch_execute(begin).await.map_err(failed())?;
    let mut rows = 0;
    for (schema, table, columns) in wall::homes::columns(bundle, home) {
        let table = Table {
            name: format!("{}.{}", quoted(&schema), quoted(&table)),
            key: columns.first().map(|key| quoted(key)).unwrap_or_default(),
            columns: columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", "),
        };
        rows += even_table(&table, &from, &to).await.map_err(failed())?;
    }
    to.batch_execute("COMMIT").await.map_err(failed())?;
    Ok(rows)
}

async fn even_table(table: &Table, from: &Client, to: &Client) -> Result<u64, Error> {
    let (there, here) = tokio::try_join!(digests(table, from), digests(table, to))?;
    let all: BTreeSet<&i32> = there.keys().chain(here.keys()).collect();
    let differing: Vec<i32> =
        all.into_iter().filter(|bucket| there.get(bucket) != here.get(bucket)).copied().collect();
    if differing.is_empty() {
        return Ok(0);
    }
    let (there, here) = tokio::try_join!(rows(table, from, &differing), rows(table, to, &differing))?;
    let all: BTreeSet<&String> = there.keys().chain(here.keys()).collect();
    let keys: Vec<String> =
        all.into_iter().filter(|key| there.get(*key) != here.get(*key)).cloned().collect();
    let delete = format!("DELETE FROM {} WHERE {}::text = ANY ($1)", table.name, table.key);
    to.execute(&delete, &[&keys]).await?;
    copy(table, from, to, &keys).await?;
    Ok(u64::try_from(keys.len()).unwrap_or(u64::MAX))
}

/// Bucket → how many rows and a digest of all of them.
async fn digests(table: &Table, client: &Client) -> Result<BTreeMap<i32, (i64, i64)>, Error> {
    let query = format!(
        "SELECT {}, count(*), bit_xor(('x' || left({}, 16))::bit(64)::bigint) FROM {} GROUP BY 1",
        table.bucket(),
        table.row(),
        table.name
    );
    let rows = client.query(&query, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))).collect()
}

/// Key → digest of the row, in these buckets.
async fn rows(table: &Table, client: &Client, buckets: &[i32]) -> Result<BTreeMap<String, String>, Error> {
    let query = format!(
        "SELECT {}::text, {} FROM {} WHERE {} = ANY ($1)",
        table.key,
        table.row(),
        table.name,
        table.bucket()
    );
    let rows = client.query(&query, &[&buckets]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn copy(table: &Table, from: &Client, to: &Client, keys: &[String]) -> Result<(), Error> {
    let list = keys.iter().map(|key| literal(key)).collect::<Vec<_>>().join(", ");
    let read = format!(
        "COPY (SELECT {} FROM {} WHERE {}::text IN ({list})) TO STDOUT (FORMAT binary)",
        table.columns, table.name, table.key
    );
    let write = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", table.name, table.columns);
    let mut read = std::pin::pin!(from.copy_out(&read).await?);
    let mut sink = std::pin::pin!(to.copy_in::<_, Bytes>(&write).await?);
    while let Some(bytes) = read.try_next().await? {
        sink.send(bytes).await?;
    }
    sink.finish().await.map(drop)
}
