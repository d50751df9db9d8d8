//! Second copies of values inside the database, which a policy on tables does not see.

use super::each;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "materialized-view",
        query: Query::Text(
            "SELECT format('%s.%s', nspname, relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
             WHERE relkind = 'm' ORDER BY 1",
        ),
        rule: materialized_view,
        where_: Where::PostgreSql,
        looks_at: "materialized views of the database",
        why: "a materialized view is a copy that keeps erased rows until it is refreshed, and knows no row security",
        cannot_see: "which rows are in it, and whose",
    },
    Check {
        name: "unlogged-table",
        query: Query::Text(
            "SELECT format('%s.%s', nspname, relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
             WHERE relkind = 'r' AND relpersistence = 'u' ORDER BY 1",
        ),
        rule: unlogged_table,
        where_: Where::PostgreSql,
        looks_at: "unlogged tables of the database",
        why: "what is copied into one leaves no trace in the write-ahead log and reaches no replica",
        cannot_see: "temporary tables, which end with their session",
    },
    Check {
        name: "large-object",
        query: Query::Text(
            "SELECT pg_get_userbyid(lomowner) AS role, count(*) FROM pg_largeobject_metadata GROUP BY 1 ORDER BY 1",
        ),
        rule: large_object,
        where_: Where::PostgreSql,
        looks_at: "large objects, by owner",
        why: "a large object belongs to no table: no policy, home or erasure finds it",
        cannot_see: "which values are in them, and whose",
    },
    Check {
        name: "statistics",
        query: Query::Text(
            "SELECT CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(a.grantee) END AS role, \
             relname AS relation FROM pg_class c, LATERAL (SELECT relacl AS acl UNION ALL SELECT attacl FROM pg_attribute \
             WHERE attrelid = c.oid AND attname ~ '^(sta|stx)') h, aclexplode(acl) a \
             WHERE c.oid IN ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass) AND a.grantee <> relowner \
             UNION SELECT m.rolname, 'statements of others' FROM pg_roles m WHERE NOT m.rolsuper AND m.rolname !~ '^pg_' \
             AND m.rolname <> session_user AND pg_has_role(m.oid, 'pg_read_all_stats', 'MEMBER') ORDER BY 1, 2",
        ),
        rule: statistics,
        where_: Where::PostgreSql,
        looks_at: "who but a superuser reads the planner's statistics or the statements of others; the role that checks is \
                   left out",
        why: "statistics keep values of columns until the next ANALYZE, erased ones too; statements have values in them",
        cannot_see: "the values themselves, on purpose: statistics of a table are at its site",
    },
];

fn materialized_view(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| Claim::there(row.text("name"), "a second copy of rows", "DROP MATERIALIZED VIEW it"))
}

fn unlogged_table(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        Claim::there(row.text("name"), "an unlogged copy of rows", "DROP TABLE it, or SET LOGGED")
    })
}

fn large_object(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let what = format!("{} large objects", row.text("count"));
        let find = "find them by SELECT oid FROM pg_largeobject_metadata, and lo_unlink them";
        Claim::there(format!("large objects of {}", row.text("role")), what, find)
    })
}

fn statistics(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let (role, relation) = (row.text("role"), row.text("relation"));
        Claim::there(
            format!("{role} reads {relation}"),
            "values are in them",
            "take the grant or the membership back",
        )
    })
}
