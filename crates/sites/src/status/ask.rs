//! What one site says of itself and of replication. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use policy::Bundle;
use tokio_postgres::{Client, Error, Row};
use wall::names::quoted;

use crate::Cluster;

/// How long a site may take for all of it.
const SITE_MS_MAX: u64 = 10_000;
/// How long siblings are waited for to confirm something that was just written.
const ARRIVES_MS_MAX: u64 = 5_000;
const POLL_MS: u64 = 20;

/// What a site said.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) bytes: i64,
    pub(super) wal_bytes: i64,
    /// Home → subjects.
    pub(super) subjects: Vec<(String, i64)>,
    /// By the slot's name.
    pub(super) slots: BTreeMap<String, Slot>,
    /// By the subscription's name.
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    /// Publication → tables.
    pub(super) published: BTreeMap<String, BTreeSet<String>>,
    /// Subscription → tables.
    pub(super) followed: BTreeMap<String, BTreeSet<String>>,
    /// Tables whose rows are refused, because their home is elsewhere.
    pub(super) refused: BTreeSet<String>,
    /// Home → holder and term, as the site was told.
    pub(super) told: BTreeMap<String, (String, i64)>,
    /// Table → its columns with their types.
    pub(super) columns: BTreeMap<String, BTreeSet<String>>,
}

/// What a publisher keeps for one subscriber.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) active: bool,
    /// Set when what it had not taken is gone.
    pub(super) lost: bool,
    pub(super) kept_bytes: i64,
    pub(super) lag_bytes: i64,
    /// From writing something until it was confirmed, or until we gave up.
    pub(super) lag_seconds: f64,
    /// Whether it was confirmed.
    pub(super) arrived: bool,
}

/// How one subscription is.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) enabled: bool,
    pub(super) runs: bool,
    pub(super) apply_errors: i64,
    pub(super) copy_errors: i64,
    pub(super) copying: i64,
}

const SIZES: &str = "SELECT pg_database_size(current_database()), \
    coalesce((SELECT sum(size) FROM pg_ls_waldir()), 0)::bigint";

/// A commit that changes no table: what subscribers confirm behind it, they confirm of everything before. It does not
/// wait for a sibling itself.
const BEAT: &str = "SELECT pg_logical_emit_message(true, 'trefoil', '')::text, \
    extract(epoch FROM clock_timestamp())::float8";

const SLOTS: &str = "SELECT slot_name::text, active, coalesce(wal_status = 'lost', true), \
    coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, \
    coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint, \
    coalesce(confirmed_flush_lsn >= $1::text::pg_lsn, false), \
    extract(epoch FROM clock_timestamp())::float8 - $2::float8 \
    FROM pg_replication_slots \
    WHERE slot_type = 'logical' AND database = current_database() AND NOT temporary";

/// Versions of PostgreSQL that count conflicts do so in columns of that prefix.
const SUBSCRIPTIONS: &str = "SELECT s.subname::text, s.subenabled, EXISTS (SELECT FROM pg_stat_subscription w \
    WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL), coalesce(e.apply_error_count, 0) + \
    coalesce((SELECT sum(value::bigint)::bigint FROM jsonb_each_text(to_jsonb(e)) WHERE key LIKE 'confl\\_%'), 0), \
    coalesce(e.sync_error_count, 0), \
    (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate <> 'r') \
    FROM pg_subscription s LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid";

const PUBLISHED: &str = "SELECT pubname::text, schemaname || '.' || tablename FROM pg_publication_tables";

const FOLLOWED: &str = "SELECT subname::text, nspname || '.' || relname FROM pg_subscription_rel \
    JOIN pg_subscription s ON s.oid = srsubid JOIN pg_class c ON c.oid = srrelid JOIN pg_namespace n ON n.oid = relnamespace";

const REFUSED: &str = "SELECT nspname || '.' || relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid \
    JOIN pg_namespace n ON n.oid = relnamespace WHERE tgname = 'origin_only' AND tgenabled = 'O'";

const COLUMNS: &str = "SELECT nspname || '.' || relname, concat_ws(' ', attname, format_type(atttypid, atttypmod), \
    CASE WHEN attnotnull THEN 'not null' END) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
    JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'p' AND attnum > 0 AND NOT attisdropped";

/// Asks one site; why not, when it does not say everything.
pub(super) async fn ask(bundle: &Bundle, cluster: &Cluster) -> Result<Seen, String> {
    let asking = async {
        let client = cluster.admin().await.map_err(|error| error.to_string())?;
        let said = read(bundle, &client).await;
        said.map_err(|error| crate::SitesError::database(cluster.site(), "say how it is")(error).to_string())
    };
    let late = format!("it does not say how it is within {} s", SITE_MS_MAX / 1_000);
    tokio::time::timeout(Duration::from_millis(SITE_MS_MAX), asking).await.unwrap_or(Err(late))
}

async fn read(bundle: &Bundle, client: &Client) -> Result<Seen, Error> {
    let catalog = bundle.catalog();
    let mut seen = Seen::default();
    let row = client.query_one(SIZES, &[]).await?;
    (seen.bytes, seen.wal_bytes) = (row.try_get(0)?, row.try_get(1)?);
    if let Some(subjects) = catalog.table(&catalog.subject_table) {
        let (home, from) = (quoted(&subjects.home), quoted(&subjects.name));
        let count =
            format!("SELECT {home}, count(*) FROM {}.{from} GROUP BY 1 ORDER BY 1", quoted(&catalog.schema));
        for row in client.query(&count, &[]).await? {
            seen.subjects.push((row.try_get(0)?, row.try_get(1)?));
        }
    }
    for row in client.query(SUBSCRIPTIONS, &[]).await? {
        let subscription = Subscription {
            enabled: row.try_get(1)?,
            runs: row.try_get(2)?,
            apply_errors: row.try_get(3)?,
            copy_errors: row.try_get(4)?,
            copying: row.try_get(5)?,
        };
        seen.subscriptions.insert(row.try_get(0)?, subscription);
    }
    seen.published = sets(client, PUBLISHED).await?;
    seen.followed = sets(client, FOLLOWED).await?;
    seen.columns = sets(client, COLUMNS).await?;
    for row in client.query(REFUSED, &[]).await? {
        seen.refused.insert(row.try_get(0)?);
    }
    for row in client.query(wall::homes::TOLD, &[]).await? {
        seen.told.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    seen.slots = beat(client).await?;
    Ok(seen)
}

/// Rows of two texts, gathered by the first.
async fn sets(client: &Client, query: &str) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in client.query(query, &[]).await? {
        sets.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
    }
    Ok(sets)
}

/// Writes something and sees when the subscribers confirm it.
async fn beat(client: &Client) -> Result<BTreeMap<String, Slot>, Error> {
    let row = client.query_one(BEAT, &[]).await?;
    let (position, at): (String, f64) = (row.try_get(0)?, row.try_get(1)?);
    let mut slots: BTreeMap<String, Slot> = BTreeMap::new();
    for _ in 0..ARRIVES_MS_MAX / POLL_MS {
        for row in client.query(SLOTS, &[&position, &at]).await? {
            let (name, slot) = slot(&row)?;
            // The first look at which it had arrived says how long it took.
            let known = slots.entry(name).or_insert(slot);
            if !known.arrived {
                *known = self::slot(&row)?.1;
            }
        }
        if slots.values().all(|slot| slot.arrived || !slot.active) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
    Ok(slots)
}

fn slot(row: &Row) -> Result<(String, Slot), Error> {
    let slot = Slot {
        active: row.try_get(1)?,
        lost: row.try_get(2)?,
        kept_bytes: row.try_get(3)?,
        lag_bytes: row.try_get(4)?,
        arrived: row.try_get(5)?,
        lag_seconds: row.try_get(6)?,
    };
    Ok((row.try_get(0)?, slot))
}
