//! A remembered verdict is the verdict.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use super::*;
use crate::tests::{masked, mutated, writer};
use proptest::prelude::*;

fn cached(verdicts: &mut Verdicts, text: &str) -> Result<Arc<Cleared>, Refusal> {
    verdicts.judge_by(&[b"lens"], masked, text)
}

/// Whether the second text is answered from what is known of the first.
fn is_shared(first: &str, second: &str) -> bool {
    let mut verdicts = Verdicts::new(16);
    let _ = cached(&mut verdicts, first);
    verdicts.write_key(&[b"lens"], second, true);
    verdicts.remembered().is_some()
}

#[test]
fn texts_that_differ_in_integers_share_a_verdict() {
    let shared = [
        ("select * from users where id = 17", "select * from users where id = 18"),
        (
            "SELECT handle FROM users WHERE id=1 AND followers>=2;",
            "SELECT handle FROM users WHERE id=3 AND followers>=40;",
        ),
        (
            "select id from users where id between 1 and 5 limit 10 offset 20",
            "select id from users where id between 9 and 5 limit 1 offset 0",
        ),
        (
            "select id from users where id\n=\t1 \n",
            "select id from users where id\n=\t99999999999999999999 \n",
        ),
    ];
    for (first, second) in shared {
        assert!(is_shared(first, second) && is_shared(second, first), "{first}");
    }
    let apart = [
        // Not after a comparison.
        ("select id from users order by 1", "select id from users order by 2"),
        ("select float4(1)", "select float4(2)"),
        ("select cast(1 as float(53))", "select cast(1 as float(54))"),
        ("select id from users where id = -1", "select id from users where id = -2"),
        // Not an integer by itself.
        ("select id from users where id = 1.5", "select id from users where id = 2.5"),
        ("select id from users where id = 1e5", "select id from users where id = 1e6"),
        ("select id from users where id = 0x1", "select id from users where id = 0x2"),
        // Not plain.
        ("select id from users where id = 1 -- a", "select id from users where id = 2 -- a"),
        ("select id /* = 1 */ from users", "select id /* = 2 */ from users"),
        ("select id from users where handle = '= 1'", "select id from users where handle = '= 2'"),
        ("select \"id\" from users where id = 1", "select \"id\" from users where id = 2"),
        ("select id from users where id = $1", "select id from users where id = $2"),
        // Not one read.
        ("begin; select 1 limit 1", "begin; select 1 limit 2"),
        ("prepare q as select 1 limit 1", "prepare q as select 1 limit 2"),
        ("set statement_timeout = 1", "set statement_timeout = 2"),
    ];
    for (first, second) in apart {
        assert!(!is_shared(first, second), "{first}");
    }
}

#[test]
fn another_permit_is_another_verdict() {
    let mut verdicts = Verdicts::new(16);
    let text = "select handle from notes where id = 1";
    assert_eq!(verdicts.judge_by(&[b"a"], masked, text).unwrap_err().rule, "relation");
    let text = "select body from notes limit 1";
    assert!(verdicts.judge_by(&[b"b"], writer, text).is_ok());
    assert!(
        verdicts.judge_by(&[b"b"], || panic!("it is remembered"), "select body from notes limit 2").is_ok()
    );
    assert!(verdicts.judge_by(&[b"a"], masked, text).is_err());
}

#[test]
fn it_stays_small_and_keeps_what_is_used() {
    let mut verdicts = Verdicts::new(8);
    for n in 0..100 {
        cached(&mut verdicts, &format!("select {n}")).unwrap();
        let used = verdicts.judge_by(
            &[b"lens"],
            || if n == 0 { masked() } else { panic!("forgotten") },
            "select 'x'",
        );
        assert!(used.is_ok());
        assert!(verdicts.young.answers.len() + verdicts.old.len() <= 8);
    }
    let long = format!("select '{}'", "a".repeat(CACHED_TEXT_BYTES_MAX));
    cached(&mut verdicts, &long).unwrap();
    assert!(verdicts.young.answers.keys().all(|key| key.len() < CACHED_TEXT_BYTES_MAX));
}

/// Words and signs in any order, most of them near something that looks like an integer.
fn soup() -> impl Strategy<Value = String> {
    let words = "select from users payments where id followers and or between limit offset = < > <= >= <> => + - * / ( ) , . ; \
                 17 0 2147483648 1.5 1e5 x17 float( numeric( varchar( u p as by order group having count(*) in cast fetch first rows \
                 only with x over preceding unbounded current interval time current_time( :: [ ] ' \" -- /* */ $1 $a$ \\ # @ | ~ set to pg_class oid regclass cast( '1' to_regclass( lag(id,";
    let words: Vec<&str> = words.split_whitespace().collect();
    let word = prop::sample::select(words);
    prop::collection::vec((word, prop::sample::select(vec!["", " ", " ", "\n"])), 1..14)
        .prop_map(|words| words.into_iter().flat_map(|(word, space)| [word, space]).collect())
}

/// A read with such words at its end, so that more of them parse.
fn likely() -> impl Strategy<Value = String> {
    let heads = [
        "select * from users where id = 1 ",
        "select id from users u where ",
        "select id from users limit ",
        "select ",
    ];
    (prop::sample::select(heads.to_vec()), soup()).prop_map(|(head, tail)| format!("{head}{tail}"))
}

/// The text with other digits wherever there are digits, whatever they mean there.
fn with_digits(text: &str, digits: &[String]) -> String {
    let mut others = digits.iter().cycle();
    let mut changed = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, after) = rest.split_at(at);
        changed.push_str(before);
        changed.push_str(others.next().unwrap());
        rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
    }
    changed + rest
}

fn digits() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,4}",
        Just("2147483647".to_owned()),
        Just("2147483648".to_owned()),
        Just("99999999999999999999999".to_owned()),
        Just("0000".to_owned()),
        Just("54".to_owned()),
    ]
}

/// Judges all of them with one memory, and each afresh.
fn same_as_fresh(texts: &[String]) -> Result<(), TestCaseError> {
    let mut verdicts = Verdicts::new(64);
    for text in texts.iter().chain(texts) {
        let fresh = crate::judge_by(&masked(), text).map(Arc::new);
        match (cached(&mut verdicts, text), fresh) {
            (Ok(cached), Ok(fresh)) => prop_assert_eq!(cached, fresh),
            (Err(cached), Err(fresh)) => prop_assert_eq!(cached.rule, fresh.rule),
            (cached, fresh) => prop_assert!(false, "{:?}: remembered {:?}, fresh {:?}", text, cached, fresh),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_is_the_verdict(text in prop_oneof![mutated(), soup(), likely()], numbers in prop::collection::vec(prop::collection::vec(digits(), 4), 3)) {
        let others = numbers.iter().map(|digits| with_digits(&text, digits));
        same_as_fresh(&std::iter::once(text.clone()).chain(others).collect::<Vec<_>>())?;
    }
}
