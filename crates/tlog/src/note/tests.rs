//! Notes and keys: values of the Go implementation, of signed-note, of a real log with its witnesses, and of another
//! Ed25519 library; then what must be refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use proptest::prelude::*;

use super::*;

const GO_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const GO_SIGNATURE: &str = "— PeterNeumann \
    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const WITNESS_VKEY: &str = "witness.example.com/w1+a0059f11+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const WITNESS_SECRET: &str =
    "PRIVATE+KEY+witness.example.com/w1+a0059f11+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const CHECKPOINT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
/// Made with another Ed25519 library from the seed 00 01 … 1f.
const COSIGNATURE: &str = "— witness.example.com/w1 oAWfEQAAAABkGFDLBuRDazBLVac2NE+Y+IjbjQOcXLfF9CSDZVUIoS83rE1\
    nFZsVE8YiWV6Ngr7lV8H6bdoBQGP/l73euDMQ9k+bBQ==\n";

/// A checkpoint of a public log, signed by it (once with a type not known here) and by four public witnesses.
const PUBLIC: &str = "arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
";
const PUBLIC_KEYS: [&str; 5] = [
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f",
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
];

fn keys(texts: &[&str]) -> Vec<VerifierKey> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Verifies a note and gives the names and times of the signers.
fn check(note: &str, known: &[&str]) -> Result<Vec<(String, Option<u64>)>, NoteError> {
    let known = keys(known);
    let note = SignedNote::parse(note)?;
    let verified = note.verify(&known)?;
    Ok(verified.iter().map(|signature| (signature.key.name().to_owned(), signature.time)).collect())
}

#[test]
fn values_of_others_verify() {
    let go = format!("{GO_TEXT}\n{GO_SIGNATURE}");
    assert_eq!(check(&go, &[GO_VKEY]), Ok(vec![("PeterNeumann".to_owned(), None)]));
    let specified = "This is an example message.\n\n— example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let specified_key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert_eq!(check(specified, &[specified_key]), Ok(vec![("example.com/foo".to_owned(), None)]));
    let signers = check(PUBLIC, &PUBLIC_KEYS).unwrap();
    let times: Vec<_> = signers.into_iter().map(|(_, time)| time).collect();
    assert_eq!(
        times,
        [None, Some(1_779_573_024), Some(1_779_573_024), Some(1_779_573_024), Some(1_779_573_024)]
    );
    assert_eq!(SignedNote::parse(PUBLIC).unwrap().to_string(), PUBLIC);
}

#[test]
fn values_of_others_are_reproduced() {
    let key: SigningKey = GO_SECRET.parse().unwrap();
    assert_eq!((key.to_secret_text().as_str(), key.verifier().to_string().as_str()), (GO_SECRET, GO_VKEY));
    assert_eq!(key.sign_note(GO_TEXT).unwrap().to_string(), format!("{GO_TEXT}\n{GO_SIGNATURE}"));
    let seed = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let witness = SigningKey::from_seed("witness.example.com/w1", KeyType::CosignatureV1, seed).unwrap();
    assert_eq!(witness.to_secret_text(), WITNESS_SECRET);
    assert_eq!(witness.verifier().to_string(), WITNESS_VKEY);
    assert_eq!(witness.cosign(CHECKPOINT, 1_679_315_147).unwrap().to_string(), COSIGNATURE);
    assert!(!format!("{key:?}{witness:?}").contains("AAECAwQF"));
}

#[test]
fn which_signatures_count() {
    let signed = format!("{CHECKPOINT}\n{COSIGNATURE}");
    let other = "— witness.example.com/w1 AAAAAWZmZmZm\n";
    let good = Ok(vec![("witness.example.com/w1".to_owned(), Some(1_679_315_147))]);
    let bad = Err(NoteError::BadSignature { name: "witness.example.com/w1".to_owned() });
    // Same name and another id, or a key that nobody knows: ignored. A second good line changes nothing.
    assert_eq!(check(&format!("{signed}{other}"), &[WITNESS_VKEY]), good);
    assert_eq!(check(&format!("{CHECKPOINT}\n{GO_SIGNATURE}{COSIGNATURE}"), &[WITNESS_VKEY]), good);
    assert_eq!(check(&format!("{signed}{COSIGNATURE}"), &[WITNESS_VKEY]), good);
    assert_eq!(check(&signed, &[GO_VKEY]), Err(NoteError::NoKnownSignature));
    assert_eq!(check(&signed, &[]), Err(NoteError::NoKnownSignature));
    // A known key that fails rejects the note, whoever else signed it.
    for altered in [
        signed.replace("20852163", "20852164"),
        signed.replace("ZBhQyw", "ZBhQyg").replace("BkGFDL", "BkGFDM"),
        format!("{signed}— witness.example.com/w1 oAWfEQAAAABkGFDL\n"),
        format!("{signed}— witness.example.com/w1 oAWfEQAA\n"),
    ] {
        assert_eq!(check(&altered, &[WITNESS_VKEY, GO_VKEY]), bad, "{altered}");
    }
    let sixteen: String = (0..16).map(|_| other).collect();
    assert_eq!(check(&format!("{CHECKPOINT}\n{sixteen}{COSIGNATURE}"), &[WITNESS_VKEY]), good);
}

#[test]
fn malformed_notes() {
    let line = GO_SIGNATURE.trim_end();
    for (note, error) in [
        (String::new(), NoteError::NoSignatures),
        ("text\n".to_owned(), NoteError::NoSignatures),
        ("text\n\n".to_owned(), NoteError::NoSignatures),
        (format!("text\n{line}\n"), NoteError::NoSignatures),
        (format!("text\n\n{line}"), NoteError::NoSignatures),
        (format!("text\n\n{line}\n\n"), NoteError::NoSignatures),
        (format!("text\n\n{line}\nmore\n"), NoteError::SignatureLine { line: 2 }),
        ("text\n\n- name AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— name\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— name AAAAAA==\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— name AAAAAAA\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n—  AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— na+me AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— na\u{a0}me AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— name AAAAAAA= \n".to_owned(), NoteError::SignatureLine { line: 1 }),
        (format!("te\txt\n\n{line}\n"), NoteError::Characters),
        (format!("text\r\n\n{line}\n"), NoteError::Characters),
        (format!("text\n\n{}", GO_SIGNATURE.repeat(101)), NoteError::TooLarge),
        ("x".repeat(NOTE_BYTES_MAX + 1), NoteError::TooLarge),
    ] {
        assert_eq!(SignedNote::parse(&note), Err(error), "{}", note.chars().take(80).collect::<String>());
    }
    assert_eq!(SignedNote::parse([0xff, b'\n', b'\n']), Err(NoteError::Characters));
    // A text may have blank lines of its own; the last one separates.
    let note = SignedNote::parse(format!("a\n\nb\n\n{line}\n")).unwrap();
    assert_eq!((note.text.as_str(), note.signatures.len()), ("a\n\nb\n", 1));
}

#[test]
fn malformed_keys() {
    for (text, error) in [
        ("", KeyError::Form),
        ("name", KeyError::Form),
        ("PeterNeumann+c74f20a3", KeyError::Form),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Form),
        ("PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Form),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq_LDE4izWy10TW", KeyError::Form),
        ("PeterNeumann+c74f20a3+", KeyError::Form),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
        ("Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
        ("PeterNeumann+c74f20a3+Bhpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Type),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy1w==", KeyError::Material),
        // The neutral point: with it, one signature fits many texts.
        ("PeterNeumann+c74f20a3+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KeyError::Material),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name),
    ] {
        assert_eq!(text.parse::<VerifierKey>(), Err(error), "{text}");
        assert!(format!("PRIVATE+KEY+{text}").parse::<SigningKey>().is_err(), "{text}");
    }
    assert!(GO_VKEY.parse::<SigningKey>().is_err());
    assert!(format!("{GO_SECRET}\n").parse::<SigningKey>().is_ok());
}

#[test]
fn what_is_not_signed() {
    let log: SigningKey = GO_SECRET.parse().unwrap();
    let witness: SigningKey = WITNESS_SECRET.parse().unwrap();
    for text in ["", "no newline", "control\u{7}\n"] {
        assert_eq!(log.sign_note(text), Err(NoteError::Text), "{text:?}");
        assert_eq!(witness.cosign(text, 1), Err(NoteError::Cosignature), "{text:?}");
    }
    for (text, time) in [(GO_TEXT, 1), (CHECKPOINT, 0), (CHECKPOINT, 1 << 63)] {
        assert_eq!(witness.cosign(text, time), Err(NoteError::Cosignature), "{text:?} at {time}");
    }
    assert!(witness.cosign(CHECKPOINT, (1 << 63) - 1).is_ok());
    assert_eq!(log.cosign(CHECKPOINT, 1), Err(NoteError::WrongKeyType { name: "PeterNeumann".to_owned() }));
    assert!(matches!(witness.sign_note(CHECKPOINT), Err(NoteError::WrongKeyType { .. })));
}

proptest! {
    #[test]
    fn signed_is_verified_and_altered_is_not(
        lines in prop::collection::vec("[^\u{0}-\u{1f}]{0,20}", 1..5),
        seed in any::<[u8; 32]>(),
        at in any::<prop::sample::Index>(),
    ) {
        let text = format!("{}\n", lines.join("\n"));
        let key = SigningKey::from_seed("example.com/log", KeyType::Ed25519, seed).unwrap();
        let known = [key.verifier().clone()];
        let note = key.sign_note(&text).unwrap();
        let read = SignedNote::parse(note.to_string()).unwrap();
        prop_assert_eq!(&read, &note);
        prop_assert!(read.verify(&known).is_ok());
        let mut bytes = note.to_string().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] ^= 1;
        if let Ok(altered) = SignedNote::parse(&bytes) {
            prop_assert!(altered.verify(&known).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SignedNote::parse(&bytes);
    }
}
