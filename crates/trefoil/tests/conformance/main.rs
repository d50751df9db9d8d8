//! Whether what is published is what the C2SP documents say, judged by code that is not ours: the crates signed_note
//! and tlog_tiles, and a verifier in Python that shares nothing with anything here. Over files, over HTTP, and of
//! receipts. Also what `record verify` says of each, and of records that take something back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

mod foreign;
mod published;
mod served;

use std::fs;
use std::path::Path;
use std::process::Command;

use published::{Published, trefoil};
use serde_json::Value;
use served::{Served, get};

/// Three levels of tiles, and incomplete ones at every level.
const LARGE: u64 = 66_000;

fn python(rule: &Path, what: &str) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/verify_record.py");
    let output = Command::new("python3").arg(script).arg(rule).arg(what).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// `trefoil record verify`, its exit code and its JSON or its complaint.
fn verify(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = trefoil(&["record", "verify", "--json"]).args(arguments).output().unwrap();
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|_| Value::String(String::from_utf8(output.stderr).unwrap()));
    (output.status.code(), said)
}

#[test]
fn a_record_is_verified_by_others_over_files_and_over_http() {
    let record = Published::new();
    for size in [1, 255, 256, 300, 700, LARGE] {
        let older = record.note();
        record.grow(size);
        let served = Served::start(&record.dir);
        let folder = |path: &str| fs::read(record.dir.join(path)).ok();
        let http = |path: &str| served.file(path);
        for read in [&folder as foreign::Read<'_>, &http] {
            foreign::verify(read, &record.log_vkey(), older.as_deref());
        }
        let root = record.root().to_string();
        for place in [record.dir.to_str().unwrap(), served.url.as_str()] {
            let (whole, said) = python(&record.rule, place);
            assert!(
                whole && said.starts_with(&format!("whole example.com/record {size} {root}\n")),
                "{said}"
            );
            assert!(
                said.contains("signed example.com/record example.com/witness example.com/redecided\n"),
                "{said}"
            );
            let state = record.scratch("state");
            let (code, said) = verify(&[place, "--rule", record.rule(), "--state", &state]);
            assert_eq!(
                (code, &said["size"], &said["root"]),
                (Some(0), &size.into(), &root.as_str().into()),
                "{said}"
            );
        }
    }
}

#[test]
fn others_find_what_was_changed() {
    let record = Published::new();
    record.grow(700);
    let rule = &record.rule;
    for path in ["checkpoint", "tile/entries/001", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"] {
        let file = record.dir.join(path);
        let before = fs::read(&file).unwrap();
        let mut after = before.clone();
        let at = before.len() / 2;
        after[at] ^= 1;
        fs::write(&file, &after).unwrap();
        let (whole, said) = python(rule, record.dir.to_str().unwrap());
        assert!(!whole, "{path}: {said}");
        assert_eq!(verify(&[record.dir.to_str().unwrap(), "--rule", record.rule()]).0, Some(1), "{path}");
        fs::write(&file, before).unwrap();
    }
    assert!(python(rule, record.dir.to_str().unwrap()).0);
}

#[test]
fn a_receipt_stands_alone() {
    let record = Published::new();
    record.grow(LARGE);
    let served = Served::start(&record.dir);
    let file = record.scratch("r.tlog-proof");
    for (index, from) in [(0, record.dir.to_str().unwrap()), (300, &served.url), (LARGE - 1, &served.url)] {
        let number = index.to_string();
        let made = trefoil(&["record", "prove", &number, from, "--rule", record.rule()]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(&file, &made.stdout).unwrap();
        let text = String::from_utf8(made.stdout).unwrap();

        let (code, said) = verify(&[&file, "--rule", record.rule()]);
        assert_eq!((code, &said["index"], &said["size"]), (Some(0), &index.into(), &LARGE.into()), "{said}");
        let entry: Value = serde_json::from_slice(&record.entry(index)).unwrap();
        assert_eq!(said["entry"], entry);
        let (proved, said) = python(&record.rule, &file);
        assert!(proved && said.starts_with(&format!("proved example.com/record {index} {LARGE} ")), "{said}");
        foreign::verify_receipt(&text, &record.log_vkey(), &record.entry(index));

        // Without its entry it proves something to those alone who have the entry.
        let bare: String = text.split_inclusive('\n').filter(|line| !line.starts_with("extra ")).collect();
        fs::write(&file, bare).unwrap();
        let (code, said) = verify(&[&file, "--rule", record.rule()]);
        assert!(code == Some(2) && said.as_str().unwrap().contains("--entry FILE"), "{said}");
        let beside = record.scratch("entry");
        fs::write(&beside, record.entry(index)).unwrap();
        assert_eq!(verify(&[&file, "--rule", record.rule(), "--entry", &beside]).0, Some(0));

        for (from, to) in [
            (format!("index {index}"), format!("index {}", index + 1)),
            (format!("\n{LARGE}\n"), format!("\n{}\n", LARGE - 1)),
            ("extra ".to_owned(), "extra AAAA".to_owned()),
        ] {
            fs::write(&file, text.replacen(&from, &to, 1)).unwrap();
            assert_eq!(verify(&[&file, "--rule", record.rule()]).0, Some(1), "{from}");
            assert!(!python(&record.rule, &file).0, "{from}");
        }
    }
    for (arguments, code, expected) in [
        (vec!["66000", &served.url], 2, "has 66000 entries, numbered from 0"),
        (vec!["0", "http://127.0.0.1:1"], 2, "refused"),
        (vec!["0", "ftp://127.0.0.1"], 2, "no folder, no file and no http:// or https:// address"),
    ] {
        let made = trefoil(&["record", "prove", "--rule", record.rule()]).args(&arguments).output().unwrap();
        let said = String::from_utf8(made.stderr).unwrap();
        assert!(made.status.code() == Some(code) && said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn nothing_that_was_shown_is_taken_back() {
    let record = Published::new();
    record.grow(300);
    let served = Served::start(&record.dir);
    let state = record.scratch("state");
    let ask = || verify(&[&served.url, "--rule", record.rule(), "--state", &state]);
    let (code, said) = ask();
    assert_eq!((code, &said["seen"]), (Some(0), &Value::Null), "{said}");
    record.grow(700);
    for (size, consistent) in [(300, true), (700, true)] {
        let (code, said) = ask();
        assert_eq!(
            (code, &said["seen"]["size"], &said["seen"]["consistent"]),
            (Some(0), &size.into(), &consistent.into()),
            "{said}"
        );
    }
    // Signed by everybody, and not what was shown before.
    for (other, why) in [
        (record.fork(300, "a"), "the log was rolled back"),
        (record.fork(700, "b"), "another root over the same 700 entries"),
        (record.fork(900, "c"), "does not continue the 700 entries"),
    ] {
        let folder = other.to_str().unwrap();
        assert_eq!(verify(&[folder, "--rule", record.rule()]).0, Some(0), "whole by itself");
        let (code, said) = verify(&[folder, "--rule", record.rule(), "--state", &state]);
        let what = said["findings"][0]["what"].as_str().unwrap();
        assert!(code == Some(1) && what.contains(why), "{said}");
        assert_eq!(said["seen"]["consistent"], false);
    }
    // Nothing is asked for under what the rule does not accept.
    let note = record.note().unwrap();
    let unsigned = note.iter().rposition(|byte| *byte == b'\xe2').unwrap();
    fs::write(record.dir.join("checkpoint"), &note[..unsigned]).unwrap();
    let (code, said) = ask();
    assert_eq!(
        (code, &said["findings"].as_array().unwrap().len(), &said["size"]),
        (Some(1), &1, &0.into()),
        "{said}"
    );
    fs::write(record.dir.join("checkpoint"), note).unwrap();
    // The evidence is kept, and what was shown is still remembered.
    let kept: Vec<_> = fs::read_dir(&state).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(ask().0, Some(0));
    drop(served);
    let (code, said) = verify(&["http://127.0.0.1:1", "--rule", record.rule(), "--state", &state]);
    assert!(code == Some(2) && said.as_str().unwrap().contains("refused"), "{said}");
}

#[test]
fn over_https_those_are_believed_who_are_named() {
    let record = Published::new();
    record.grow(300);
    let served = Served::start(&record.dir);
    let (port, certificate) = served::with_tls(&served.address);
    let (url, ca) = (format!("https://localhost:{port}"), record.scratch("ca.pem"));
    fs::write(&ca, certificate).unwrap();
    let state = record.scratch("state");
    let ask = |more: &[&str]| verify(&[&[&url, "--rule", record.rule(), "--state", &state], more].concat());
    let (code, said) = ask(&["--ca", &ca]);
    assert_eq!((code, &said["size"]), (Some(0), &300.into()), "{said}");
    for (more, expected) in [
        (&["--ca", record.rule()][..], "there is none"),
        (&[], "certificate"),
        (&["--ca", "/nowhere"], "/nowhere"),
    ] {
        let (code, said) = ask(more);
        assert!(code == Some(2) && said.as_str().unwrap().contains(expected), "{said}");
    }
}

/// What is asked, and the status, type and caching of the answer.
const ASKED: &[(&str, &str, u16, &str, &str)] = &[
    ("GET", "/checkpoint", 200, "text/plain; charset=utf-8", "max-age=1, must-revalidate"),
    ("HEAD", "/checkpoint", 200, "text/plain; charset=utf-8", "max-age=1, must-revalidate"),
    ("GET", "/tile/0/000", 200, served::BYTES, served::FOR_EVER),
    ("HEAD", "/tile/0/000", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/0/000?x", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/0/002.p/188", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/1/000.p/2", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/entries/001", 200, served::BYTES, served::FOR_EVER),
    // Of every size that may have been signed, whether or not it was ever published or is tidied away.
    ("GET", "/tile/0/000.p/7", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/1/000.p/1", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/entries/002.p/11", 200, served::BYTES, served::FOR_EVER),
    ("GET", "/tile/0/002.p/189", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/002", 404, served::TEXT, "no-store"),
    ("GET", "/tile/1/000", 404, served::TEXT, "no-store"),
    ("GET", "/tile/2/000.p/1", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/000.p/0", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/000.p/256", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/000.p/07", 404, served::TEXT, "no-store"),
    ("GET", "/tile/00/000", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/x000/000", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/00", 404, served::TEXT, "no-store"),
    ("GET", "/tile/8/0/000", 404, served::TEXT, "no-store"),
    ("GET", "/tile/64/000", 404, served::TEXT, "no-store"),
    ("GET", "/tile/data/000", 404, served::TEXT, "no-store"),
    ("GET", "/", 404, served::TEXT, "no-store"),
    ("GET", "/tile", 404, served::TEXT, "no-store"),
    ("GET", "/tile/", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/000/", 404, served::TEXT, "no-store"),
    ("GET", "//checkpoint", 404, served::TEXT, "no-store"),
    ("GET", "/checkpoint/", 404, served::TEXT, "no-store"),
    ("GET", "/../rule.policy", 404, served::TEXT, "no-store"),
    ("GET", "/tile/../../rule.policy", 404, served::TEXT, "no-store"),
    ("GET", "/tile/0/%30%30%30", 404, served::TEXT, "no-store"),
    ("POST", "/checkpoint", 405, served::TEXT, "no-store"),
    ("DELETE", "/tile/0/000", 405, served::TEXT, "no-store"),
];

#[test]
fn http_to_the_letter() {
    let record = Published::new();
    record.grow(255);
    record.grow(700);
    let served = Served::start(&record.dir);
    for (method, path, status, media, caching) in ASKED {
        let answer = get(&served.address, method, path);
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.header("cache-control")),
            (*status, Some(*media), Some(*caching)),
            "{method} {path}"
        );
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert_eq!(answer.body.len(), if *method == "HEAD" { 0 } else { length }, "{method} {path}");
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(answer.header("allow"), (*status == 405).then_some("GET, HEAD"));
        if path.starts_with("/tile/0") && *status == 200 && *method == "GET" {
            assert_eq!(answer.body, record.bytes_of(path.split('?').next().unwrap()), "{path}");
        }
    }
    // What is written ahead of the checkpoint is signed by nobody, and served to nobody.
    fs::create_dir_all(record.dir.join("tile/0/003.p")).unwrap();
    fs::write(record.dir.join("tile/0/003.p/1"), [0; 32]).unwrap();
    assert_eq!(get(&served.address, "GET", "/tile/0/003.p/1").status, 404);
    fs::remove_file(record.dir.join("checkpoint")).unwrap();
    for path in ["/checkpoint", "/tile/0/000"] {
        assert_eq!(get(&served.address, "GET", path).status, 404, "{path}");
    }
}
