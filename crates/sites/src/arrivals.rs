//! Subjects who arrive at sites that are in use: their rows are written at their homes, through the triggers that link
//! them and give them tokens, and reach the siblings by replication. Not here: the first load (`load`), files of subjects.

use std::collections::BTreeMap;

use policy::Bundle;
use wall::names::quoted;

use crate::{Cluster, SitesError};

/// The largest number of a row in each table, of all homes: whoever arrives is numbered after it.
///
/// # Errors
/// When the site cannot be read, or its rows are not numbered.
pub async fn last_numbers(bundle: &Bundle, cluster: &Cluster) -> Result<BTreeMap<String, i64>, SitesError> {
    let client = cluster.admin().await?;
    let catalog = bundle.catalog();
    let mut last = BTreeMap::new();
    for table in &catalog.tables {
        let (schema, name, key) = (quoted(&catalog.schema), quoted(&table.name), quoted(&table.key));
        let query = format!("SELECT coalesce(max({key}), 0)::bigint FROM {schema}.{name}");
        let row = client.query_one(&query, &[]).await;
        let number = row.and_then(|row| row.try_get(0));
        let number = number.map_err(SitesError::database(cluster.site(), "number its rows"))?;
        last.insert(table.name.clone(), number);
    }
    Ok(last)
}

/// Writes rows of a site's own subjects in one transaction: a JSON array of rows for each table that has any. All rows of
/// a table have the same columns. They are written in random order: a reader without keys must not tell them from the
/// place of a row.
///
/// # Errors
/// When a table or a column is not the catalog's, or the site refuses; then nothing is written.
pub async fn write(
    bundle: &Bundle,
    cluster: &Cluster,
    rows: &BTreeMap<String, (Vec<String>, String)>,
) -> Result<(), SitesError> {
    let catalog = bundle.catalog();
    let unknown = |what: String| SitesError::Catalog(what);
    if let Some(name) = rows.keys().find(|name| catalog.table(name).is_none()) {
        return Err(unknown(format!("a table `{name}`")));
    }
    let mut client = cluster.admin().await?;
    let failed = || SitesError::database(cluster.site(), "take subjects in");
    let transaction = client.transaction().await.map_err(failed())?;
    // Where commits wait for a sibling, these do too.
    transaction.batch_execute("SET LOCAL synchronous_commit = on").await.map_err(failed())?;
    // In the catalog's order: subjects come before what refers to them.
    for table in &catalog.tables {
        let Some((columns, json)) = rows.get(&table.name) else { continue };
        if let Some(column) = columns.iter().find(|column| table.column(column).is_none()) {
            return Err(unknown(format!("a column `{}.{column}`", table.name)));
        }
        let into = format!("{}.{}", quoted(&catalog.schema), quoted(&table.name));
        let columns = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
        let insert = format!(
            "INSERT INTO {into} ({columns}) SELECT {columns} \
             FROM json_populate_recordset(NULL::{into}, $1::text::json) ORDER BY random()"
        );
        transaction.execute(&insert, &[json]).await.map_err(failed())?;
    }
    transaction.commit().await.map_err(failed())
}
