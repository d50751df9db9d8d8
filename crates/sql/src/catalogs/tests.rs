//! What goes to the site, as data; and that nothing but the names of schemas ever differs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what went wrong by panicking"
)]

use proptest::prelude::*;

use crate::tests::{masked, mutated};

/// The text, and what is sent.
const SENT: &[(&str, &str)] = &[
    ("select 1", "select 1"),
    ("select id from users", "select id from users"),
    ("select 1 from pg_catalog.pg_class", "select 1 from tf_catalog.pg_class"),
    ("select 1 from \"pg_catalog\".\"pg_class\"", "select 1 from \"tf_catalog\".\"pg_class\""),
    ("select 1 from PG_Catalog . Pg_Class c", "select 1 from tf_catalog . Pg_Class c"),
    (
        "select 1 from pg_catalog/* pg_class */.--\npg_class",
        "select 1 from tf_catalog/* pg_class */.--\npg_class",
    ),
    ("select 'é' from pg_class", "select 'é' from tf_catalog.pg_class"),
    (
        "select 1 from only (pg_am), pg_class pg_catalog",
        "select 1 from only (tf_catalog.pg_am), tf_catalog.pg_class pg_catalog",
    ),
    ("select 1 from information_schema.tables", "select 1 from tf_information_sch.tables"),
    (
        "select pg_catalog.pg_class.oid from pg_catalog.pg_class",
        "select tf_catalog.pg_class.oid from tf_catalog.pg_class",
    ),
    ("select pg_class.oid, pg_class from pg_class", "select pg_class.oid, pg_class from tf_catalog.pg_class"),
    (
        "select format_type(23, 1), pg_catalog.format_type(23, 1)",
        "select tf_catalog.format_type(23, 1), tf_catalog.format_type(23, 1)",
    ),
    ("select pg_catalog.lower('pg_catalog.pg_class')", "select pg_catalog.lower('pg_catalog.pg_class')"),
    ("select 'pg_class'::pg_catalog.regclass", "select 'pg_class'::pg_catalog.regclass"),
    ("select 1 operator(pg_catalog.+) 1", "select 1 operator(pg_catalog.+) 1"),
    (
        "select (information_schema._pg_expandarray(indkey)).n from pg_index",
        "select (information_schema._pg_expandarray(indkey)).n from tf_catalog.pg_index",
    ),
    (
        "with pg_class as (table pg_class) table pg_class",
        "with pg_class as (table tf_catalog.pg_class) table pg_class",
    ),
    (
        "with recursive pg_am as (table pg_am) table pg_am",
        "with recursive pg_am as (table pg_am) table pg_am",
    ),
    (
        "select (with pg_am as (select 1) select 1) from pg_am",
        "select (with pg_am as (select 1) select 1) from tf_catalog.pg_am",
    ),
    (
        "select 1; table pg_am; prepare p as table pg_am",
        "select 1; table tf_catalog.pg_am; prepare p as table tf_catalog.pg_am",
    ),
    ("copy (table pg_am) to stdout", "copy (table tf_catalog.pg_am) to stdout"),
    ("declare c cursor for table pg_am", "declare c cursor for table tf_catalog.pg_am"),
];

#[test]
fn names_of_schemas_are_put_in() {
    for (text, expected) in SENT {
        let cleared =
            crate::judge_by(&masked(), text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
        assert_eq!((cleared.text(), cleared.sent()), (*text, *expected));
    }
}

#[test]
fn a_copy_is_described_as_it_is_sent() {
    let cleared = crate::judge_by(&masked(), "copy (select 1 from pg_am) to stdout").unwrap();
    assert_eq!(cleared.statements()[0].copy_query(), Some("select 1 from tf_catalog.pg_am"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without those names it is the text that came, in any mutation of any statement.
    #[test]
    fn nothing_else_differs(text in mutated()) {
        let Ok(cleared) = crate::judge_by(&masked(), &text) else { return Ok(()) };
        let bare = |text: &str| {
            let text = text.to_lowercase().replace("tf_information_sch", "information_schema");
            text.replace("tf_catalog", "pg_catalog").replace("\"pg_catalog\"", "pg_catalog").replace("pg_catalog.", "")
        };
        prop_assert_eq!(bare(cleared.sent()), bare(&text));
    }
}
