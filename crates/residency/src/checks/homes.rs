//! Rows that are not where they are at home. Only for tables that are named, with the column that says so.

use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};
use crate::expect::Home;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "home-bound",
        query: Query::Made(bound_query),
        rule: bound,
        where_: Where::PostgreSql,
        looks_at: "whether the database itself refuses a row of another home: by the bounds of partitions, or by a CHECK that \
                   is in force",
        why: "a label that nothing enforces is a promise of the program that writes it",
        cannot_see: "whether a row's label is true",
    },
    Check {
        name: "home-row",
        query: Query::Made(row_query),
        rule: row,
        where_: Where::PostgreSql,
        looks_at: "rows whose label says that they belong elsewhere, or has none; not where bounds already rule them out",
        why: "this is the mistake itself: somebody's data in the wrong place",
        cannot_see: "whether a row's label is true; rows that row security hides, which makes it unknown",
    },
];

fn bound_query(expected: &Expectations) -> Option<String> {
    let tables = expected.homes.iter().map(|home| {
        format!("({}, {})", wall::names::literal(&home.table), wall::names::literal(&home.column))
    });
    let tables: Vec<String> = tables.collect();
    (!tables.is_empty()).then(|| {
        format!(
            "SELECT w.name, w.home, c.relkind::text AS kind, pg_get_partkeydef(c.oid) AS key, NULL AS part, NULL AS bound \
             FROM (VALUES {0}) w(name, home) LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = relnamespace) \
             ON format('%s.%s', nspname, relname) = w.name AND relkind IN ('r', 'p') \
             UNION ALL SELECT w.name, w.home, 'leaf', NULL, l.relname, pg_get_expr(l.relpartbound, l.oid) \
             FROM (VALUES {0}) w(name, home) JOIN (pg_class c JOIN pg_namespace n ON n.oid = relnamespace) \
             ON format('%s.%s', nspname, relname) = w.name AND relkind = 'p' \
             JOIN pg_inherits ON inhparent = c.oid JOIN pg_class l ON l.oid = inhrelid \
             UNION ALL SELECT w.name, w.home, 'check', NULL, conname, pg_get_constraintdef(k.oid) \
             FROM (VALUES {0}) w(name, home) JOIN (pg_class c JOIN pg_namespace n ON n.oid = relnamespace) \
             ON format('%s.%s', nspname, relname) = w.name JOIN pg_constraint k ON conrelid = c.oid \
             WHERE contype = 'c' AND convalidated ORDER BY 1, 3",
            tables.join(", ")
        )
    })
}

fn bound(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for home in &expected.homes {
        let of = || rows.iter().filter(|row| row.text("name") == home.table);
        let kinds = |kind: &'static str| of().filter(move |row| row.text("kind") == kind);
        let by_home = format!("LIST ({})", home.column);
        let checked = kinds("check").any(|row| keeps(row.text("bound"), home));
        let partitioned =
            of().any(|row| row.text("kind") == "p" && row.text("key").replace('"', "") == by_home);
        if !of().any(|row| ["r", "p"].contains(&row.text("kind"))) {
            claims.push(Claim::there(&*home.table, "there is no such table", "correct `homes`"));
        } else if partitioned && !checked {
            let loose = kinds("leaf").filter(|row| !within(row.text("bound"), home));
            claims.extend(loose.map(|row| {
                let what = format!("takes rows of other homes ({})", row.text("bound"));
                Claim::there(row.text("part"), what, "detach the partition, and move its rows to their home")
            }));
        } else if !checked {
            let homes: Vec<String> = home.homes.iter().map(|one| wall::names::literal(one)).collect();
            let advice =
                format!("ALTER TABLE {} ADD CHECK ({} IN ({}))", home.table, home.column, homes.join(", "));
            claims.push(Claim::there(&*home.table, "nothing refuses a row of another home", advice));
        }
    }
    claims
}

/// Whether a bound such as `FOR VALUES IN ('a', 'b')` holds these homes and nothing else.
fn within(bound: &str, home: &Home) -> bool {
    let list = bound.strip_prefix("FOR VALUES IN (").and_then(|rest| rest.strip_suffix(')'));
    list.is_some_and(|list| {
        values(list).is_some_and(|values| values.iter().all(|one| home.homes.contains(one)))
    })
}

/// Whether a CHECK says no more than that the column is one of these homes. NULL passes a CHECK, and is found in rows.
fn keeps(check: &str, home: &Home) -> bool {
    let bare: String = check.replace('"', "").replace("::text", "").replace("::character varying", "");
    let Some(inner) = bare.strip_prefix("CHECK ((").and_then(|rest| rest.strip_suffix("))")) else {
        return false;
    };
    let inner = inner.replace(['(', ')'], "");
    let Some(rest) = inner.strip_prefix(&format!("{} = ", home.column)) else { return false };
    let list = rest.strip_prefix("ANY ARRAY[").and_then(|rest| rest.split(']').next()).unwrap_or(rest);
    values(list).is_some_and(|values| values.iter().all(|one| home.homes.contains(one)))
}

/// `'a', 'b'` or `1, 2`; nothing when it is something else.
fn values(list: &str) -> Option<Vec<String>> {
    let values = list.split(", ").map(|one| match one.strip_prefix('\'') {
        Some(text) => text.strip_suffix('\'').map(|text| text.replace("''", "'")),
        None => (!one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit())).then(|| one.to_owned()),
    });
    values.collect()
}

fn row_query(expected: &Expectations) -> Option<String> {
    let queries = expected.homes.iter().filter(|home| home.rows).map(|home| {
        let (schema, table) = home.table.split_once('.').unwrap_or(("public", &home.table));
        let column = wall::names::quoted(&home.column);
        let homes: Vec<String> = home.homes.iter().map(|one| wall::names::literal(one)).collect();
        format!(
            "SELECT {} AS name, {column}::text AS home, count(*) FROM {}.{} WHERE {column} IS NULL OR NOT ({column} IN ({})) \
             GROUP BY 1, 2",
            wall::names::literal(&home.table),
            wall::names::quoted(schema),
            wall::names::quoted(table),
            homes.join(", ")
        )
    });
    let queries: Vec<String> = queries.collect();
    (!queries.is_empty()).then(|| queries.join(" UNION ALL "))
}

fn row(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    super::each(rows, |row| {
        let home = row.get("home").map_or_else(|| "no home".to_owned(), |home| format!("home {home}"));
        let what = format!("{} rows belong elsewhere", row.text("count"));
        Claim::there(
            format!("{}: {home}", row.text("name")),
            what,
            "move them to their home, and find out who wrote them",
        )
    })
}
