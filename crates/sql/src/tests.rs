//! Verdicts as data: `testdata/allowed.tsv` and `testdata/refused.tsv`, one statement a line; then what must hold of
//! any statement at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what went wrong by panicking")]

use super::*;
use crate::rules::Writable;
use proptest::prelude::*;
use std::collections::BTreeMap;

const ALLOWED: &str = include_str!("../testdata/allowed.tsv");
const REFUSED: &str = include_str!("../testdata/refused.tsv");
const WRITES: &str = include_str!("../testdata/writes.tsv");
const CAPPED: &str = include_str!("../testdata/capped.tsv");
const READS: &str = include_str!("../testdata/reads.tsv");

fn words(names: &'static str) -> Vec<&'static str> {
    names.split(' ').collect()
}

/// A profile "support" of two relations that masks.
pub(crate) fn masked() -> Rules<'static> {
    let relations = BTreeMap::from([
        ("users", words("id home_site handle full_name email country created_at followers")),
        ("payments", words("id home_site user_id amount_cents status paid_at")),
    ]);
    Rules {
        schema: "support",
        copies: "tw_0".to_owned(),
        relations,
        writable: BTreeMap::new(),
        capped: false,
    }
}

/// The same, with a limit that counts subjects.
fn capped() -> Rules<'static> {
    Rules { capped: true, ..masked() }
}

/// A profile that writes.
pub(crate) fn writer() -> Rules<'static> {
    let relations = BTreeMap::from([
        ("users", words("id home_site handle country")),
        ("payments", words("id home_site user_id status paid_at")),
        ("notes", words("body")),
    ]);
    let payments =
        Writable { insert: words("id user_id status"), update: words("status paid_at"), delete: true };
    let notes = Writable { insert: words("body"), ..Writable::default() };
    let writable = BTreeMap::from([("payments", payments), ("notes", notes)]);
    Rules { relations, writable, ..masked() }
}

/// The expectation and the statement of each line of a table.
fn lines(table: &str) -> impl Iterator<Item = (&str, String)> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let (expected, text) = line.split_once('\t').unwrap_or_else(|| panic!("no tab in: {line}"));
        (expected, text.replace("\\n", "\n"))
    })
}

/// The verdict in words: a kind in lower case, or the rule that refuses.
fn verdict(rules: &Rules<'_>, text: &str) -> String {
    match judge_by(rules, text) {
        Ok(cleared) => match cleared.statements()[0].kind() {
            StatementKind::Transaction(command) => format!("transaction {command:?}").to_lowercase(),
            kind => format!("{kind:?}").to_lowercase(),
        },
        Err(refusal) => {
            assert!(
                !refusal.sentence.is_empty() && !refusal.needs.is_empty(),
                "{text}: a refusal without words"
            );
            format!("refused: {}", refusal.rule)
        }
    }
}

/// Checks each (expected verdict, statement) and reports all that differ at once. Returns how many there were.
fn check(rules: &Rules<'_>, cases: impl Iterator<Item = (String, String)>) -> usize {
    let (mut count, mut wrong) = (0, String::new());
    for (expected, text) in cases {
        let found = verdict(rules, &text);
        if found != expected {
            wrong.push_str(&format!("{text}\n    expected {expected}, found {found}\n"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    count
}

/// Checks a table in which a line begins with a kind, or with the rule that refuses.
fn check_table(rules: &Rules<'_>, table: &str, kinds: &[&str]) -> usize {
    let expected = |word: &str| {
        let is_kind = kinds.iter().any(|kind| word.starts_with(kind));
        if is_kind { word.to_owned() } else { format!("refused: {word}") }
    };
    check(rules, lines(table).map(|(word, text)| (expected(word), text)))
}

#[test]
fn what_clients_need_is_allowed() {
    let count = check(&masked(), lines(ALLOWED).map(|(kind, text)| (kind.to_owned(), text)));
    assert!(count > 150, "{count}");
}

#[test]
fn what_hides_or_leaks_is_refused() {
    let count = check_table(&masked(), REFUSED, &[]);
    assert!(count > 400, "{count}");
}

#[test]
fn the_statements_of_a_text_are_known_one_by_one() {
    let text = " begin ; /* a */ select ';' -- b\n;; fetch 5 from \"C\";\ndeallocate q";
    let cleared = judge_by(&masked(), text).unwrap();
    let found: Vec<_> = cleared.statements().iter().map(|one| (one.text(), one.kind(), one.name())).collect();
    let expected = [
        ("begin", StatementKind::Transaction(Transaction::Begin), None),
        ("/* a */ select ';' -- b", StatementKind::Read, None),
        ("fetch 5 from \"C\"", StatementKind::Fetch, Some("C")),
        ("deallocate q", StatementKind::Deallocate, Some("q")),
    ];
    assert_eq!(found, expected);
    assert_eq!(only_one(&cleared).unwrap_err().rule, "multi-statement");
    assert!(only_one(&judge_by(&masked(), "select 1;").unwrap()).is_ok());
    let many = "select 1;".repeat(STATEMENTS_MAX + 1);
    assert_eq!(verdict(&masked(), &many), "refused: too-complex");
}

/// What a scanner would look at again for each token: a line of them is nothing, a text full of them takes minutes.
#[test]
fn long_runs_of_operators_are_not_scanned() {
    let line = format!("SELECT 1 -- {}", "-".repeat(2_000));
    assert_eq!(verdict(&masked(), &line), "read");
    for run in ["+", "/*", "*", "@-", "<=", "-+"] {
        let text = format!("SELECT 1 {}", run.repeat(100_000 / run.len()));
        assert_eq!(verdict(&masked(), &text), "refused: too-complex", "{run}");
    }
}

#[test]
fn copy_says_how_rows_are_written() {
    let options = |format, delimiter, null: &str, header, quote, escape| {
        let null = null.to_owned();
        CopyOptions { format, delimiter, null, header, quote, escape }
    };
    let cases = [
        ("copy (select 1) to stdout", options(CopyFormat::Text, b'\t', "\\N", false, b'"', b'"'), "select 1"),
        (
            "copy (select ')' as a, (2) /* ) */ ) to stdout csv header delimiter ';' quote '''' escape '!' null '-'",
            options(CopyFormat::Csv, b';', "-", true, b'\'', b'!'),
            "select ')' as a, (2) /* ) */ ",
        ),
        (
            "copy (select 1) to stdout (format csv, header off, delimiter E'\\t')",
            options(CopyFormat::Csv, b'\t', "", false, b'"', b'"'),
            "select 1",
        ),
    ];
    for (text, options, query) in cases {
        let cleared = judge_by(&masked(), text).unwrap();
        let copy = &cleared.statements()[0];
        assert_eq!(copy.copy_options(), Some(&options), "{text}");
        assert_eq!(copy.copy_query(), Some(query), "{text}");
    }
    let cleared = judge_by(&writer(), "copy payments (status, id) from stdin").unwrap();
    assert_eq!(cleared.statements()[0].copy_columns(), ["status", "id"]);
}

#[test]
fn writes_are_for_what_the_profile_writes() {
    let kinds = ["write(", "copyin(", "transaction ", "setting"];
    let count = check_table(&writer(), WRITES, &kinds);
    assert!(count > 100, "{count}");
    // Nobody else writes any of it.
    for (expected, text) in lines(WRITES).filter(|(expected, _)| expected.starts_with("write(")) {
        assert_eq!(verdict(&masked(), &text), "refused: write", "{expected}");
    }
}

#[test]
fn a_limit_on_subjects_refuses_what_gathers_them() {
    check_table(&capped(), CAPPED, &["read", "copyout("]);
}

#[test]
fn what_is_read_is_known() {
    for (expected, text) in lines(READS) {
        let cleared = judge_by(&writer(), &text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
        let reads = cleared.statements()[0].reads();
        let counting = match reads.subjects {
            Counting::None => "none",
            Counting::OnePerRow => "one",
            Counting::Mixed => "mixed",
        };
        let collects = if reads.collects { "collects" } else { "" };
        let found: Vec<_> =
            [counting, collects].into_iter().chain(reads.relations.iter().map(String::as_str)).collect();
        let found: Vec<_> = found.into_iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }
}

/// Places in which a whole SELECT may stand. What is refused alone must be refused there, by the same rule.
const PLACES: &[&str] = &[
    "select ({})",
    "select lower(({}))",
    "select array({})",
    "select case when exists ({}) then 1 end",
    "select 1 where 1 in ({})",
    "select 1 limit ({})",
    "select 1 order by ({})",
    "select * from ({}) w",
    "select * from users u, lateral ({}) w",
    "select count(*) filter (where exists ({})) from users",
    "select rank() over (order by ({})) from users",
    "values (1, ({}))",
    "({}) union all select 1",
    "with w as ({}) select * from w",
    "with recursive w as (select 1 union all ({})) select * from w",
    "select * from generate_series(1, ({})) w(x)",
    "prepare w as {}",
    "execute w(({}))",
];

fn in_places(text: &str) -> impl Iterator<Item = String> + use<> {
    let text = text.trim_end_matches(';').to_owned();
    PLACES.iter().map(move |place| place.replace("{}", &text))
}

fn is_read(text: &str) -> bool {
    ["select", "with", "values", "table"].iter().any(|word| text.to_lowercase().starts_with(word))
}

#[test]
fn what_is_refused_is_refused_wherever_it_stands() {
    let outside = ["column", "unparsable", "multi-statement"];
    // Several statements are no SELECT, and SELECT INTO fits nowhere.
    let writes = |text: &str| text.contains(" into ") || text.contains("returning") || text.contains("; ");
    let cases = lines(REFUSED)
        .filter(|(rule, text)| !outside.contains(rule) && is_read(text) && !writes(text))
        .flat_map(|(rule, text)| in_places(&text).map(move |text| (format!("refused: {rule}"), text)));
    assert!(check(&masked(), cases) > 3_000);
}

#[test]
fn what_is_allowed_is_allowed_wherever_it_stands() {
    // An object's name may be printed by the whole statement alone.
    let prints_names = |text: &str| text.contains("regclass,") || text.contains("regclass AS");
    let cases = lines(ALLOWED)
        .filter(|(kind, text)| *kind == "read" && is_read(text) && !text.contains(';') && !prints_names(text))
        .flat_map(|(_, text)| {
            in_places(&text).map(|text| {
                let kind = text
                    .split(' ')
                    .next()
                    .filter(|word| ["prepare", "execute"].contains(word))
                    .unwrap_or("read");
                (kind.to_owned(), text)
            })
        });
    assert!(check(&masked(), cases) > 1_000);
}

#[test]
fn nesting_and_length_fail_closed() {
    let deep = |open: &str, core: &str, close: &str, times: usize| {
        format!("{}{core}{}", open.repeat(times), close.repeat(times))
    };
    for times in [200, 3_000, 20_000] {
        let texts = [
            format!("select {}", deep("(", "1", ")", times)),
            format!("select {}", deep("(select ", "1", ")", times)),
            format!("select {}", deep("not ", "true", "", times)),
            format!("select {}", deep("@ ", "1", "", times)),
            format!("select {}", deep("array[", "1", "]", times)),
            format!("select {}", deep("lower(", "'a'", ")", times)),
            format!("select {}", deep("1 || ", "1", "", times)),
            format!("select {}", deep("", "1", "::text", times)),
            format!("select * from {}", deep("(select * from ", "users", ") x", times)),
            deep("select 1 union ", "select 1", "", times),
            deep("with x as (", "select 1", ") select 1", times),
            format!("select * from users {}", "join users u on true ".repeat(times)),
        ];
        for text in texts.iter().filter(|text| text.len() <= STATEMENT_BYTES_MAX) {
            // Redundant parentheses leave no trace in the tree: they may pass. Nothing may crash.
            let found = verdict(&masked(), text);
            assert!(found == "refused: unparsable" || text.starts_with("select (("), "{found}: {text:.60}");
        }
    }
    let long = format!("select '{}'", "a".repeat(STATEMENT_BYTES_MAX));
    assert_eq!(verdict(&masked(), &long), "refused: too-long");
    let list = format!("select * from users where id in ({}1)", "1, ".repeat(9_000));
    assert_eq!(verdict(&masked(), &list), "read");
    // Judging is work on a thread that serves others: what would take long is refused before the walk.
    let columns = format!("select a{}", ",a".repeat(STATEMENT_BYTES_MAX / 2 - 10));
    assert_eq!(verdict(&masked(), &columns), "refused: too-complex");
    let rows = format!("values (1){}", ",(1)".repeat(30_000));
    assert_eq!(verdict(&masked(), &rows), "refused: too-complex");
    let many = |what: &str| format!("select 1 from users{}", format!(", {what}").repeat(SOURCES_MAX));
    for source in ["users", "pg_class c", "now() n"] {
        assert_eq!(verdict(&masked(), &many(source)), "refused: too-complex");
    }
}

/// A statement of the tables with pieces cut out, doubled, or replaced by pieces of another.
pub(crate) fn mutated() -> impl Strategy<Value = String> {
    let texts: Vec<String> = lines(ALLOWED).chain(lines(REFUSED)).map(|(_, text)| text).collect();
    let pick = prop::sample::select(texts);
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8);
    (pick.clone(), pick, prop::collection::vec(edit, 1..6)).prop_map(|(text, other, edits)| {
        let mut words: Vec<String> = text.split_inclusive([' ', '(', ')', '.']).map(str::to_owned).collect();
        let others: Vec<&str> = other.split_inclusive([' ', '(', ')', '.']).collect();
        for (at, from, what) in edits {
            if words.is_empty() || others.is_empty() {
                break;
            }
            let at = at.index(words.len());
            match what {
                0 => drop(words.remove(at)),
                1 => words.insert(at, from.get(&others).to_string()),
                _ => {
                    let other = from.index(words.len());
                    words.swap(at, other);
                }
            }
        }
        words.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_a_verdict(text in "\\PC{0,200}|.{0,60}") {
        verdict(&masked(), &text);
    }

    #[test]
    fn any_mutation_gets_a_verdict(text in mutated()) {
        verdict(&masked(), &text);
    }

    /// Whatever stands around it, a relation of the data schema is never cleared.
    #[test]
    fn no_mutation_reaches_the_data_schema(text in mutated()) {
        let cleared = judge_by(&masked(), &text).is_ok();
        let reached = pg_query::parse(&text, 0).is_ok_and(|parsed| {
            Tree::of(&parsed.protobuf).is_ok_and(|tree| {
                let mut found = false;
                tree.each_node(&mut |node| found |= node.name == "RangeVar" && node.text("schemaname") == "data");
                found
            })
        });
        prop_assert!(!(cleared && reached), "{}", text);
    }
}
