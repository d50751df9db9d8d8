//! What a site had committed when it went and had shipped to nobody who took over: read from its own write-ahead log, by the
//! slot that it keeps for the holder, and written into a file at that site, beside what the holder has under the same keys.
//! It is neither dropped nor merged: people decide. The file holds personal data, so it stays where the site is.

use policy::Bundle;
use serde::Serialize;
use tlog::hash::Hash;
use tokio_postgres::Client;
use wall::names::{self, quoted};

use super::journal::Kept;
use super::pgoutput::{Change, Stream};
use crate::{Cluster, SitesError};

/// Folder of these files, in the site's own.
const FOLDER: &str = "unshipped";

/// One line of the file.
#[derive(Serialize)]
struct Line<'c> {
    table: String,
    operation: &'static str,
    committed_us: i64,
    row: &'c std::collections::BTreeMap<String, Option<String>>,
    /// What the holder has under the same key, as JSON; absent when it has nothing there.
    holder: Option<serde_json::Value>,
}

/// Reads, and writes the file unless there is nothing. What the holder had applied up to `applied` is not unshipped.
pub(super) async fn keep(
    bundle: &Bundle,
    home: &str,
    back: &Cluster,
    holder: &Cluster,
    applied: Option<u64>,
    name: &str,
) -> Result<Kept, SitesError> {
    let client = back.admin().await?;
    let changes = read(&client, back.site(), holder.site(), applied.unwrap_or_default()).await?;
    let partitions = wall::homes::columns(bundle, home);
    let holder_client = holder.admin().await?;
    let (mut text, mut rows) = (String::new(), 0);
    for change in &changes {
        let known =
            partitions.iter().find(|(schema, table, _)| (schema, table) == (&change.schema, &change.table));
        let Some((_, _, columns)) = known else { continue };
        let key = columns.first().map(String::as_str).unwrap_or_default();
        let there = there(&holder_client, change, key).await;
        let line = Line {
            table: format!("{}.{}", change.schema, change.table),
            operation: change.operation.as_str(),
            committed_us: change.committed_us,
            row: &change.row,
            holder: there.map_err(SitesError::database(holder.site(), "show what it has instead"))?,
        };
        let line = serde_json::to_string(&line).map_err(std::io::Error::other);
        text.push_str(&line.map_err(SitesError::file(back.folder(), "write down what was not shipped"))?);
        text.push('\n');
        rows += 1;
    }
    let sha256 = Hash::of(text.as_bytes()).to_hex();
    let file =
        if rows == 0 { None } else { Some(back.keep_file(FOLDER, &format!("{name}.ndjson"), &text)?) };
    Ok(Kept { rows, sha256, file })
}

/// Everything that was committed behind `applied`, in the order of the commits. Nothing is taken from the slot.
async fn read(client: &Client, back: &str, holder: &str, applied: u64) -> Result<Vec<Change>, SitesError> {
    let slot = names::slot(holder);
    let known =
        "SELECT coalesce(wal_status <> 'lost', false) FROM pg_replication_slots WHERE slot_name = $1::text";
    let doing = || SitesError::database(back, "see what it had not shipped");
    let known = client.query_opt(known, &[&slot]).await.map_err(doing())?;
    let whole = known.map(|row| row.try_get::<_, bool>(0)).transpose().map_err(doing())?;
    if whole != Some(true) {
        return Err(SitesError::Unknowable { site: back.to_owned(), slot });
    }
    let peek = "SELECT data FROM pg_logical_slot_peek_binary_changes($1::text::name, NULL, NULL, \
        'proto_version', '1', 'publication_names', $2::text)";
    let rows = client.query(peek, &[&slot, &quoted(&names::publication(back))]).await.map_err(doing())?;
    let (mut stream, mut changes) = (Stream::default(), Vec::new());
    for row in rows {
        let message: &[u8] = row.try_get(0).map_err(doing())?;
        let unknowable = || SitesError::Unknowable { site: back.to_owned(), slot: slot.clone() };
        if let Some((end, of_transaction)) = stream.take(message).ok_or_else(unknowable)?
            && end > applied
        {
            changes.extend(of_transaction);
        }
    }
    Ok(changes)
}

/// What the holder has under the key of a change.
async fn there(
    holder: &Client,
    change: &Change,
    key: &str,
) -> Result<Option<serde_json::Value>, tokio_postgres::Error> {
    let Some(Some(value)) = change.row.get(key) else { return Ok(None) };
    let query = format!(
        "SELECT to_jsonb(t)::text FROM {}.{} t WHERE t.{}::text = $1",
        quoted(&change.schema),
        quoted(&change.table),
        quoted(key)
    );
    let row = holder.query_opt(&query, &[value]).await?;
    let text: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
