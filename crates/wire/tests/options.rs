//! The `options` parameter, as PostgreSQL reads it.

use proptest::prelude::*;
use wire::options::{OptionsError, parse};

fn check(options: &str, expected: Result<&[(&str, &str)], OptionsError>) {
    let read =
        parse(options).map(|settings| settings.into_iter().map(|s| (s.name, s.value)).collect::<Vec<_>>());
    let owned =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!(read, expected.map(owned), "{options:?}");
}

#[test]
fn settings() {
    check("", Ok(&[]));
    check("  \t\n", Ok(&[]));
    check("-c trefoil.purpose=support", Ok(&[("trefoil.purpose", "support")]));
    check("-ca=1 --b=2\t-c\nc=", Ok(&[("a", "1"), ("b", "2"), ("c", "")]));
    check(r"-c trefoil.ticket=A\ B\\C\=", Ok(&[("trefoil.ticket", r"A B\C=")]));
    check("-c a=b=c", Ok(&[("a", "b=c")]));
    check("-c a=é\u{a0}x", Ok(&[("a", "é\u{a0}x")]));
    // Other spellings of a name that a filter looks for.
    check("--search-path=x -c SEARCH_path=y", Ok(&[("search_path", "x"), ("search_path", "y")]));
    check(r"\-c \r\o\l\e=x", Ok(&[("role", "x")]));
}

#[test]
fn refusals() {
    let word = |word: &str| Err(OptionsError::NotASetting { word: word.to_owned() });
    check("support", word("support"));
    check("-d 5", word("-d"));
    check("-e", word("-e"));
    check("--", word(""));
    check("-c a", word("a"));
    check("--a", word("a"));
    check("-c =1", word("=1"));
    check("-c rôle=1", word("rôle=1"));
    check(r"-c a\ b=1", word("a b=1"));
    check("-c", Err(OptionsError::NothingFollows));
    check("-c a=1\\", Err(OptionsError::LoneBackslash));
    check(&"--a=1 ".repeat(65), Err(OptionsError::TooMany));
}

proptest! {
    #[test]
    fn no_text_panics(options in r"([-c=\\ a.]|.){0,60}") {
        let _ = parse(&options);
    }
}
