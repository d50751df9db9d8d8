//! What keeps erased data from going away: open snapshots, prepared transactions, the write-ahead log.

use super::each;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};

/// A snapshot may be this old: an hour.
const SNAPSHOT_SECONDS_MAX: i64 = 3_600;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "prepared-transaction",
        query: Query::Text("SELECT gid, owner, prepared, database FROM pg_prepared_xacts ORDER BY prepared"),
        rule: prepared,
        where_: Where::PostgreSql,
        looks_at: "transactions that were prepared and neither committed nor rolled back",
        why: "one keeps every row that is erased after it, for ever",
        cannot_see: "which rows it has written",
    },
    Check {
        name: "old-snapshot",
        query: Query::Text(
            "SELECT pid, role, application, snapshot_seconds FROM {sessions} WHERE snapshot_seconds IS NOT NULL ORDER BY pid",
        ),
        rule: old_snapshot,
        where_: Where::PostgreSql,
        looks_at: "sessions that have seen the database as it was for more than an hour",
        why: "what is erased stays on disk for as long as anybody may still see it",
        cannot_see: "snapshots of standbys; those of inactive slots are told by `replication-slot`",
    },
    Check {
        name: "wal-file",
        query: Query::Text(
            "SELECT f.name, f.modification, f.modification < clock_timestamp() - interval '1 day' AND f.name < c.redo_wal_file \
             AS old, substr(f.name, 9) > substr(now.name, 9) AS ahead, current_setting('wal_recycle') AS recycle \
             FROM pg_ls_waldir() f, pg_control_checkpoint() c, (SELECT CASE WHEN NOT pg_is_in_recovery() \
             THEN pg_walfile_name(pg_current_wal_insert_lsn()) END AS name) now \
             WHERE f.name ~ '^[0-9A-F]{24}$' ORDER BY f.name",
        ),
        rule: wal_file,
        where_: Where::PostgreSql,
        looks_at: "files of the write-ahead log that recovery does not need and that are a day old, and files that were kept \
                   to be written again",
        why: "the log has every erased row; recycled files keep it until they are written over, which may be never",
        cannot_see: "copies of the log elsewhere; freed blocks of the disk",
    },
];

fn prepared(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let gid = row.text("gid");
        let what = format!("prepared by {} at {}", row.text("owner"), row.text("prepared"));
        Claim::there(
            gid,
            what,
            format!("ROLLBACK PREPARED '{}' in database {}", gid.replace('\'', "''"), row.text("database")),
        )
    })
}

fn old_snapshot(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let old = rows.iter().filter_map(|row| {
        row.number("snapshot_seconds")
            .filter(|seconds| *seconds > SNAPSHOT_SECONDS_MAX)
            .map(|seconds| (row, seconds))
    });
    old.map(|(row, seconds)| {
        let what = format!("its transaction is {} minutes old ({})", seconds / 60, row.text("application"));
        let end = format!("SELECT pg_terminate_backend({})", row.text("pid"));
        Claim::there(format!("{} process {}", row.text("role"), row.text("pid")), what, end)
    })
    .collect()
}

fn wal_file(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    let old: Vec<&Row> = rows.iter().filter(|row| row.yes("old")).collect();
    if let Some(oldest) = old.first() {
        let what = format!("and {} more are older than a day and needed by nothing here", old.len() - 1);
        let advice = "CHECKPOINT; if they stay, a slot, wal_keep_size or the archive holds them";
        claims.push(Claim::there(oldest.text("name"), what, advice));
    }
    // PostgreSQL makes one file ahead, which is empty.
    let ahead: Vec<&Row> = rows.iter().filter(|row| row.yes("ahead")).collect();
    let recycles = rows.first().is_some_and(|row| row.text("recycle") == "on");
    if let Some(first) = ahead.first().filter(|_| recycles || ahead.len() > 1) {
        let what = format!("and {} more wait to be written again and keep what was in them", ahead.len() - 1);
        let advice = "set wal_recycle = off before data is loaded, and switch the log past these";
        claims.push(Claim::there(first.text("name"), what, advice));
    }
    claims
}
