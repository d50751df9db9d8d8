//! Release rules: what files are read, and which checkpoints satisfy them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use crate::hash::EMPTY_ROOT;
use crate::note::{KeyType, SigningKey};

const ORIGIN: &str = "example.com/log";

fn log(seed: u8) -> SigningKey {
    SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [seed; 32]).unwrap()
}

fn witness(seed: u8) -> SigningKey {
    SigningKey::from_seed(&format!("w{seed}.example.com"), KeyType::CosignatureV1, [seed; 32]).unwrap()
}

/// `$L1` and `$W5` in the text stand for the keys of log 1 and witness 5.
fn rule(text: &str) -> Result<ReleaseRule, RuleTextError> {
    let mut text = text.to_owned();
    for seed in 1..9 {
        text = text.replace(&format!("$L{seed}"), &log(seed).verifier().to_string());
        text = text.replace(&format!("$W{seed}"), &witness(seed).verifier().to_string());
    }
    ReleaseRule::parse(text)
}

const TWO_LEVELS: &str = "# the example of tlog-policy
log $L1

witness X1 $W2
witness X2 $W3 https://x2.example.com/
\twitness  X3\t$W4
group X-witnesses 2 X1 X2 X3
witness Y1 $W5
witness Y2 $W6
group Y-witnesses any Y1 Y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
";

fn note(origin: &str, logs: &[u8], witnesses: &[u8]) -> SignedNote {
    let text = Checkpoint { origin: origin.to_owned(), size: 0, root: EMPTY_ROOT }.to_string();
    let mut signatures = Vec::new();
    for seed in logs {
        signatures.extend(log(*seed).sign_note(&text).unwrap().signatures);
    }
    for seed in witnesses {
        signatures.push(witness(*seed).cosign(&text, 1_000).unwrap());
    }
    SignedNote { text, signatures }
}

#[test]
fn quorums() {
    const NO_QUORUM: &str = "log $L1\nwitness X1 $W2\nquorum none\n";
    const ONE: &str =
        "log $L1\nlog $L8 https://log.example.com/\nwitness X1 $W2\nwitness X2 $W3\nquorum X2\n";
    for (text, logs, witnesses, satisfied) in [
        (TWO_LEVELS, vec![1], vec![2, 3, 5], true),
        (TWO_LEVELS, vec![1], vec![2, 3, 4, 5, 6], true),
        (TWO_LEVELS, vec![1], vec![2, 4, 6, 7], true),
        (TWO_LEVELS, vec![1], vec![2, 3], false),
        (TWO_LEVELS, vec![1], vec![2, 5, 6], false),
        (TWO_LEVELS, vec![1], vec![2, 2, 5], false),
        (TWO_LEVELS, vec![1], vec![], false),
        (TWO_LEVELS, vec![], vec![2, 3, 5], false),
        (TWO_LEVELS, vec![2], vec![2, 3, 5], false),
        (NO_QUORUM, vec![1], vec![], true),
        (NO_QUORUM, vec![], vec![2], false),
        (ONE, vec![1], vec![3], true),
        (ONE, vec![8], vec![3], true),
        (ONE, vec![1], vec![2], false),
        ("quorum none\n", vec![1], vec![], false),
    ] {
        let judged = rule(text).unwrap().satisfied_by(&note(ORIGIN, &logs, &witnesses));
        assert_eq!(judged.is_ok(), satisfied, "{text} {logs:?} {witnesses:?}: {judged:?}");
        let [only] = *logs else { continue };
        // The log itself comes to the same, without verifying its own signature.
        let cosigned = note(ORIGIN, &[], &witnesses);
        let judged = rule(text).unwrap().cosigned_by(&log(only), &cosigned.text, &cosigned.signatures);
        assert_eq!(judged.is_ok(), satisfied, "{text} {only} {witnesses:?}: {judged:?}");
    }
    let accepted = rule(ONE).unwrap().check(&note(ORIGIN, &[1], &[3, 2])).unwrap();
    let signers: Vec<_> = accepted.signers.iter().map(|signer| (signer.name.as_str(), signer.time)).collect();
    let expected = [(ORIGIN, None), ("w3.example.com", Some(1_000)), ("w2.example.com", Some(1_000))];
    assert_eq!(signers, expected);
}

#[test]
fn refusals_say_why() {
    let rule = rule(TWO_LEVELS).unwrap();
    let refused = |note: &SignedNote| rule.satisfied_by(note).unwrap_err();
    let unknown = refused(&note("example.com/other", &[1], &[2, 3, 5]));
    assert_eq!(unknown, RuleError::UnknownOrigin { origin: "example.com/other".to_owned() });
    let unsigned = refused(&note(ORIGIN, &[], &[2, 3, 5]));
    assert_eq!(unsigned, RuleError::NotSigned { origin: ORIGIN.to_owned() });
    assert_eq!(
        refused(&note(ORIGIN, &[1], &[2, 5])).to_string(),
        "the quorum X-and-Y is not reached: no cosignature by X2, X3, Y2"
    );
    // One bad signature by a known key rejects, even where the quorum would be reached without it.
    let mut altered = note(ORIGIN, &[1], &[2, 3, 4, 5]);
    let other = Checkpoint { origin: ORIGIN.to_owned(), size: 1, root: EMPTY_ROOT }.to_string();
    altered.signatures.pop();
    altered.signatures.push(witness(6).cosign(&other, 1_000).unwrap());
    altered.signatures.push(witness(5).cosign(&altered.text, 1_000).unwrap());
    assert!(matches!(refused(&altered), RuleError::Note(NoteError::BadSignature { .. })));
}

#[test]
fn files_are_printed_as_they_are_read() {
    let printed = rule(TWO_LEVELS).unwrap().to_string();
    assert!(printed.ends_with("group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"));
    assert!(printed.contains(" https://x2.example.com/\n"));
    assert_eq!(ReleaseRule::parse(&printed).unwrap(), rule(TWO_LEVELS).unwrap());
    assert_eq!(ReleaseRule::parse(&printed).unwrap().to_string(), printed);
    let (w2, w3) = (witness(2), witness(3));
    let both = [("witness", w2.verifier()), ("redecided", w3.verifier())];
    for (names, witnesses, last) in [
        (&both[..0], vec![], "quorum none\n"),
        (&both[..1], vec![2], "quorum witness\n"),
        (&both[..], vec![2, 3], "group everyone all witness redecided\nquorum everyone\n"),
    ] {
        let rule = ReleaseRule::all_of(log(1).verifier(), names).unwrap();
        assert!(rule.to_string().ends_with(last), "{rule}");
        assert!(rule.satisfied_by(&note(ORIGIN, &[1], &witnesses)).is_ok());
        if let Some((_, fewer)) = witnesses.split_last() {
            assert!(rule.satisfied_by(&note(ORIGIN, &[1], fewer)).is_err());
        }
    }
    let rule = rule(TWO_LEVELS).unwrap();
    assert_eq!(rule.logs().count(), 1);
    assert_eq!(rule.witnesses().map(|(name, _)| name).collect::<Vec<_>>(), ["X1", "X2", "X3", "Y1", "Y2"]);
}

#[test]
fn malformed_files() {
    let named = |line, name: &str| (line, name.to_owned());
    let unknown = |(line, name)| RuleTextError::UnknownName { line, name };
    let repeated = |(line, name)| RuleTextError::RepeatedName { line, name };
    for (text, error) in [
        ("", RuleTextError::NoQuorum),
        ("log $L1\n", RuleTextError::NoQuorum),
        ("log\nquorum none\n", RuleTextError::Form { line: 1 }),
        ("log $L1 url more\nquorum none\n", RuleTextError::Form { line: 1 }),
        ("\nquorum\n", RuleTextError::Form { line: 2 }),
        ("quorum none none\n", RuleTextError::Form { line: 1 }),
        ("Quorum none\n", RuleTextError::Form { line: 1 }),
        ("quorum none # all\n", RuleTextError::Form { line: 1 }),
        ("log nokey\n", RuleTextError::Key { line: 1, problem: crate::note::KeyError::Form }),
        ("log $W1\n", RuleTextError::KeyType { line: 1 }),
        ("witness X $L1\n", RuleTextError::KeyType { line: 1 }),
        ("log $L1\nlog $L1\n", RuleTextError::RepeatedKey { line: 2 }),
        ("witness X $W1\nwitness Y $W1\n", RuleTextError::RepeatedKey { line: 2 }),
        // Logs and witnesses are listed apart: this one lacks its quorum only.
        ("log $L1\nwitness X $W1\n", RuleTextError::NoQuorum),
        ("witness X $W1\nwitness X $W2\n", repeated(named(2, "X"))),
        ("witness none $W1\n", repeated(named(1, "none"))),
        ("witness X $W1\ngroup X any X\n", repeated(named(2, "X"))),
        ("quorum X\nwitness X $W1\n", unknown(named(1, "X"))),
        ("group G any X\nwitness X $W1\n", unknown(named(1, "X"))),
        ("witness X $W1\ngroup G any G\n", unknown(named(2, "G"))),
        ("group G any none\n", unknown(named(1, "none"))),
        ("witness X $W1\ngroup G any X X\n", RuleTextError::RepeatedMember { line: 2, name: "X".to_owned() }),
        (
            "witness X $W1\ngroup G any X\ngroup H any X\n",
            RuleTextError::RepeatedMember { line: 3, name: "X".to_owned() },
        ),
        ("group G any\n", RuleTextError::Threshold { line: 1 }),
        ("witness X $W1\ngroup G 0 X\n", RuleTextError::Threshold { line: 2 }),
        ("witness X $W1\ngroup G 2 X\n", RuleTextError::Threshold { line: 2 }),
        ("witness X $W1\ngroup G 01 X\n", RuleTextError::Threshold { line: 2 }),
        ("witness X $W1\ngroup G most X\n", RuleTextError::Threshold { line: 2 }),
        ("quorum none\nquorum none\n", RuleTextError::RepeatedQuorum { line: 2 }),
        ("quorum none\r\n", RuleTextError::Control { line: 1 }),
        ("# \u{7f}\n", RuleTextError::Control { line: 1 }),
    ] {
        assert_eq!(rule(text), Err(error), "{text}");
    }
    // Names are bytes: these two differ, though they are shown alike.
    let key = |seed| witness(seed).verifier().to_string();
    for (second, third) in [(0xff, 0xff), (0xff, 0xfe)] {
        let mut file = format!("log {}\nwitness \u{e9} {}\nwitness ", log(1).verifier(), key(2)).into_bytes();
        file.push(second);
        file.extend_from_slice(format!(" {}\nquorum ", key(3)).as_bytes());
        file.push(third);
        let read = ReleaseRule::parse(&file);
        assert_eq!(read.is_ok(), second == third, "{read:?}");
        let Ok(read) = read else { continue };
        assert!(read.satisfied_by(&note(ORIGIN, &[1], &[3])).is_ok());
        assert!(read.satisfied_by(&note(ORIGIN, &[1], &[2])).is_err());
    }
    assert!(ReleaseRule::parse(b"# \xff\n \t\nquorum none").is_ok());
    assert_eq!(ReleaseRule::parse(vec![b' '; text::RULE_BYTES_MAX + 1]), Err(RuleTextError::TooLong));
}
