//! What an auditor does with a key of their own, and what the running gate is asked on their behalf.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::lab::{AOIFE, Enclave, MAEVE};

/// Exit code and everything printed.
fn said(output: &Output) -> (i32, String) {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {:?}", said(output)))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &to)
        } else {
            fs::copy(item.path(), to).map(drop).unwrap()
        }
    }
}

#[test]
fn an_auditor_opens_and_decides_again_and_the_monitor_refuses_probes() {
    let enclave = Enclave::start();
    assert!(enclave.gate(AOIFE, &["SELECT count(*) FROM users"]).trim().parse::<u32>().is_ok());
    enclave.gate(MAEVE, &["DROP TABLE users"]);
    let release = enclave.shown("access.release")[0]["index"].to_string();
    for key in ["auditor", "operator", "monitor"] {
        let key = enclave.dir.join(key).join("detail.age");
        let opened = enclave.trefoil(&["record", "open", &release, "--key", key.to_str().unwrap()]);
        let (code, text) = said(&opened);
        assert!(code == 0 && text.contains("SELECT count(*) FROM users"), "{text}");
    }

    for (arguments, code, expected) in [
        (&["2020-01-01"][..], 2, "say --yes"),
        (&["2020-01-01", "--yes"], 1, "there is no key of 2020-01-01 here"),
        (&["2999-01-01", "--yes"], 1, "has not passed"),
        (&["yesterday", "--yes"], 1, "write it as 2026-01-31"),
    ] {
        let refused = enclave.trefoil(&[&["record", "forget"], arguments].concat());
        let (found, text) = said(&refused);
        assert!(found == code && text.contains(expected), "{arguments:?}: {found} {text}");
    }

    let committed = json(&enclave.trefoil(&["record", "probe", "--commit", "--count", "3", "--json"]));
    enclave.gate(AOIFE, &["SELECT 1"]);
    let probe = enclave.trefoil(&["record", "probe", "--json"]);
    let probed = json(&probe);
    assert_eq!((probe.status.code(), &probed["committed"]), (Some(0), &committed["committed"]), "{probed}");
    let probes = probed["probes"].as_array().unwrap();
    assert_eq!(probes.len(), 3);
    assert!(probes.iter().all(|probe| probe["cosigned"] == false && probe["reason"].is_string()), "{probed}");
    assert_eq!(enclave.gate(AOIFE, &["SELECT 'here'"]).trim(), "here", "probes stop nobody");
    assert_eq!(enclave.shown("probe.revealed").len(), 1);
    assert!(enclave.trefoil(&["record", "verify"]).status.success());

    // What was revealed is in the record at once and under its public checkpoint soon.
    let mut replay = enclave.trefoil(&["record", "replay", "--json"]);
    for _ in 0..20 {
        if json(&replay)["probes"] == 3 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
        replay = enclave.trefoil(&["record", "replay", "--json"]);
    }
    let found = json(&replay);
    assert_eq!(replay.status.code(), Some(0), "{found}");
    assert_eq!((&found["decided"], &found["disagreements"]), (&found["size"], &Value::Array(vec![])));
    assert_eq!((found["probes"].as_u64(), found["probes_cosigned"].as_u64()), (Some(3), Some(0)));

    // What is handed over, with the operator's key and the rule got elsewhere.
    let handed = enclave.dir.with_file_name("handed");
    for part in ["record", "gate/details", "gate/keys", "bundles"] {
        copy(&enclave.dir.join(part), &handed.join(part));
    }
    let gate = fs::read_to_string(enclave.dir.join("gate/gate.toml")).unwrap();
    let vkey = gate.lines().find_map(|line| line.strip_prefix("bundle_key = ")).unwrap().trim_matches('"');
    let (rule, key) = (enclave.dir.join("gate/rule.policy"), enclave.dir.join("auditor/detail.age"));
    let replay = |key: &Path| {
        let key = key.to_str().unwrap();
        let arguments = ["--key", key, "--policy", rule.to_str().unwrap(), "--bundle-vkey", vkey];
        let folder = handed.to_str().unwrap();
        said(&enclave.trefoil(&[&["record", "replay", folder][..], &arguments].concat()))
    };
    let (code, text) = replay(&key);
    assert!(code == 0 && text.contains("every decision is as policy has it"), "{text}");
    let stranger = age::x25519::Identity::generate();
    let file = handed.join("stranger.age");
    fs::write(&file, age::secrecy::ExposeSecret::expose_secret(&stranger.to_string())).unwrap();
    let (code, text) = replay(&file);
    assert!(code == 2 && text.contains("missing: key"), "{code} {text}");
}
