//! Code that the database keeps and runs by itself: functions, triggers, rules, languages.

use super::each;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "code",
        query: Query::Text(
            "SELECT p.oid::regprocedure::text AS name, encode(sha256(convert_to(body, 'UTF8')), 'hex') AS hash, \
             (regexp_match(body, pattern, 'i'))[1] AS word FROM (SELECT '(dblink|postgres_fdw|file_fdw|\
             \\yprogram\\y\\s*(''|\\$|%|\\|)|\\ycopy\\y[^;]*\\yto\\s+''|pg_read_(?:binary_)?file|lo_(?:export|import)|\
             pg_execute_server_program|\\yhttp_(?:get|post|put|request)|\\ynet\\.http|aws_s3|aws_lambda|azure_storage|\
             cron\\.schedule|\\yalter\\s+system|\\ycreate\\s+(?:subscription|publication|server|user\\s+mapping|\
             extension|foreign)|pg_(?:create|copy)_(?:physical|logical)_replication_slot|pg_logical_slot_(?:get|peek)|\
             pg_backup_start)' AS pattern) p0, pg_proc p JOIN pg_language l ON l.oid = prolang \
             CROSS JOIN LATERAL (SELECT coalesce(pg_get_function_sqlbody(p.oid), prosrc) AS body) b \
             WHERE p.oid >= 16384 AND lanname NOT IN ('c', 'internal') AND body ~* pattern \
             AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND classid = 'pg_proc'::regclass AND deptype = 'e') \
             ORDER BY 1",
        ),
        rule: code,
        where_: Where::PostgreSql,
        looks_at: "functions whose text names what reaches outside: dblink, COPY to a program or a file, slots, other \
                   servers. A function is allowed by its name and the hash of its text",
        why: "a function runs with somebody else's rights whenever it is called",
        cannot_see: "text that is put together when it runs; functions of extensions, which go by the extension",
    },
    Check {
        name: "trigger",
        query: Query::Text(
            "SELECT format('%s on %s.%s', tgname, nspname, relname) AS name, tgfoid::regprocedure::text AS function \
             FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace \
             WHERE NOT tgisinternal AND tgparentid = 0 ORDER BY 1",
        ),
        rule: trigger,
        where_: Where::PostgreSql,
        looks_at: "triggers of tables and views, and the function that each calls",
        why: "a trigger sees every row that is written, and may write it elsewhere",
        cannot_see: "what its function does: see `code`",
    },
    Check {
        name: "event-trigger",
        query: Query::Text(
            "SELECT evtname AS name, evtfoid::regprocedure::text AS function FROM pg_event_trigger ORDER BY 1",
        ),
        rule: trigger,
        where_: Where::PostgreSql,
        looks_at: "event triggers, and the function that each calls",
        why: "they run code of their owner at every change of the schema or at every login",
        cannot_see: "what its function does: see `code`",
    },
    Check {
        name: "rule",
        query: Query::Text(
            "SELECT format('%s on %s.%s', rulename, nspname, relname) AS name FROM pg_rewrite \
             JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace \
             WHERE rulename <> '_RETURN' AND pg_rewrite.oid >= 16384 ORDER BY 1",
        ),
        rule: rewrite_rule,
        where_: Where::PostgreSql,
        looks_at: "rules that rewrite statements, beside those that views are made of",
        why: "a rule can write every row to a second place",
        cannot_see: "nothing of this database's rules; those of other databases",
    },
    Check {
        name: "untrusted-language",
        query: Query::Text(
            "SELECT p.oid::regprocedure::text AS name, lanname AS language FROM pg_proc p \
             JOIN pg_language l ON l.oid = prolang WHERE NOT lanpltrusted AND p.oid >= 16384 \
             AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND classid = 'pg_proc'::regclass AND deptype = 'e') \
             UNION ALL SELECT 'language ' || lanname, lanname FROM pg_language \
             WHERE NOT lanpltrusted AND oid >= 16384 ORDER BY 1",
        ),
        rule: untrusted,
        where_: Where::PostgreSql,
        looks_at: "functions in languages that can do what the server can, and those languages",
        why: "such a function opens files and connections as the server",
        cannot_see: "what the function does; functions of extensions, which go by the extension",
    },
];

fn code(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let name = row.text("name");
        let object = format!("{name} sha256:{}", row.text("hash"));
        let what = format!("its text has `{}`", row.text("word"));
        Claim::there(object, what, format!("read it; then DROP FUNCTION {name}, or allow this text of it"))
    })
}

fn trigger(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let what = format!("calls {}", row.text("function"));
        Claim::there(row.text("name"), what, "read what it calls; then drop it or allow it")
    })
}

fn rewrite_rule(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| Claim::there(row.text("name"), "rewrites statements", "DROP RULE it, or allow it"))
}

fn untrusted(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let what = format!("language {} can do whatever the server can", row.text("language"));
        Claim::there(row.text("name"), what, "drop it")
    })
}
