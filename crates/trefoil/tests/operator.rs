//! What the operator does with files alone: explaining a policy, adding and removing principals. No part of an enclave
//! runs here; that a new principal gets in is in `enclave`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tlog::note::{KeyType, SigningKey};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/europe");

/// Arguments of `policy explain`, the exit code, and what is said among other things.
const EXPLAINED: &[(&[&str], i32, &[&str])] = &[
    (
        &["aoife", "--place", "CN", "--purpose", "support", "--ticket", "SUP-1"],
        0,
        &[
            "aoife: person of fernway-ireland, roles: support_agent\n",
            "permitted [support-connect]: profile abroad\n",
            "users: all rows [users-from-abroad]\n  clear      home_site, country, language, followers [public-to-all]\n",
            "  withheld   id, handle, full_name, email, phone, birth_date, created_at [identifiers-stay-in-region]; \
             needed: a place inside the region\n",
            "payments: no row [no-permit]\n",
            "\nlimits\n  support-personal-day: at most 10000000 rows a day, of results that show a personal column\n",
        ],
    ),
    (
        &["lukas", "--listener", "germany", "--purpose", "analytics"],
        0,
        &[
            "pseudonyms: of the scope analytics\n",
            "posts: rows of the scope consented [analytics-rows]\n",
            "  pseudonym  author_id [analytics-pseudonyms]\n",
        ],
    ),
    (
        &["feed", "--listener", "ireland", "--purpose", "feed"],
        0,
        &[
            "  insert     id, author_id, body, language, likes, created_at [feed-posts]\n",
            "  update     body, language, likes, created_at [feed-posts]\n",
            "  delete     rows [feed-deletes]\n",
        ],
    ),
    (
        &["aoife", "--place", "IE"],
        1,
        &[
            "denied [purpose-required]: policy `purpose-required` forbids",
            "\nneeded: a purpose, stated at connect",
        ],
    ),
    (
        &["aoife", "--place", "unknown", "--purpose", "support", "--ticket", "S"],
        1,
        &["denied [unknown-place]"],
    ),
    (&["mallory", "--place", "IE"], 1, &["denied [unknown-principal]: `mallory` is not in the directory"]),
    (
        &["aoife", "--place", "XX"],
        2,
        &["trefoil: `XX` is no country; use two upper-case letters, such as IE"],
    ),
    (
        &["aoife", "--listener", "mars"],
        2,
        &["trefoil: there is no place `mars`; use one of: ireland, germany"],
    ),
    (&["aoife"], 2, &["--place <CN>"]),
];

#[test]
fn a_request_is_explained() {
    for (arguments, code, said) in EXPLAINED {
        let output = trefoil(&["policy", "explain", "--bundle", EXAMPLE]).args(*arguments).output().unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {text}");
        for line in *said {
            assert!(text.contains(line), "{arguments:?} does not say `{line}`:\n{text}");
        }
    }
}

#[test]
fn an_explanation_is_for_tools_too() {
    let ask = ["billing", "--place", "IE", "--purpose", "billing", "--json"];
    let output = trefoil(&["policy", "explain", "--bundle", EXAMPLE]).args(ask).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["decision"], "permitted");
    assert_eq!(said["rule"], "billing-connect");
    assert_eq!(said["profile"]["name"], "billing");
    assert_eq!(said["capped"], false);
    let payments =
        said["tables"].as_array().unwrap().iter().find(|table| table["table"] == "payments").unwrap();
    let column = |name: &str| {
        payments["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap().clone()
    };
    let status = json!({
        "name": "status", "class": "internal", "identifier": "none", "disclosure": "clear",
        "rule": "billing-payments", "insert": "billing-payments", "update": "billing-status",
    });
    assert_eq!(column("status"), status);
    assert_eq!(column("iban")["disclosure"], "withheld");
    assert_eq!(column("iban")["rule"], "restricted-never-clear");
    assert!(column("iban")["needs"].as_str().unwrap().starts_with("an approved grant"));
    // The policy names the group that the home is in; no policy can permit to write it.
    assert_eq!(column("home_site")["insert"], Value::Null);
    let limits = json!([{
        "name": "everybody-session", "per": "session", "class": null, "rows": null, "bytes": 100_000_000_000_u64,
        "subjects": null,
    }]);
    assert_eq!(said["limits"], limits);
}

#[test]
fn a_principal_comes_and_goes() {
    let enclave = Operator::new();
    let directory = enclave.directory();
    let add = ["principal", "add", "niamh", "--display", "Niamh Ryan", "--employer", "fernway-ireland"];
    let more = ["--office", "ireland", "--role", "support_agent", "--role", "analyst"];
    let added = enclave.run(&[&add[..], &more, &["--json"]].concat(), "");
    assert_eq!(added.status.code(), Some(0), "{}", text(&added));
    let added: Value = serde_json::from_slice(&added.stdout).unwrap();
    assert_eq!(added["password"].as_str().unwrap().len(), 24);
    assert!(added["next"][0].as_str().unwrap().starts_with("trefoil-monitor accept --dir "), "{added}");
    assert_eq!(
        enclave.directory(),
        format!(
            "{directory}\n[[principals]]\nname = \"niamh\"\ndisplay = \"Niamh Ryan\"\nkind = \"person\"\nemployer = \
             \"fernway-ireland\"\noffice = \"ireland\"\nroles = [\"support_agent\", \"analyst\"]\n"
        )
    );
    assert!(enclave.verifier("niamh").unwrap().starts_with("SCRAM-SHA-256$4096:"));
    let signed = access::signed_bundle(&enclave.dir.join("bundle"), enclave.key.verifier()).unwrap();
    assert_eq!(signed.hash().to_string(), added["policy"].as_str().unwrap());

    let twice = enclave.run(&[&add[..], &more].concat(), "");
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice).contains("`niamh` is a principal already"), "{}", text(&twice));
    let listed = enclave.run(&["principal", "list", "--json"], "");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let niamh = json!({
        "name": "niamh", "display": "Niamh Ryan", "kind": "person", "employer": "fernway-ireland",
        "office": "ireland", "roles": ["analyst", "support_agent"], "verifier": true, "totp": false,
    });
    assert_eq!(listed["principals"].as_array().unwrap().last(), Some(&niamh));
    let listed = text(&enclave.run(&["principal", "list"], ""));
    assert!(
        listed.contains(
            "aoife            person   Aoife Brennan, fernway-ireland, ireland: support_agent  (no password)"
        ),
        "{listed}"
    );

    let removed = enclave.run(&["principal", "remove", "niamh"], "");
    assert_eq!(removed.status.code(), Some(0), "{}", text(&removed));
    assert_eq!(enclave.directory(), directory);
    assert_eq!(enclave.verifier("niamh"), None);
    access::signed_bundle(&enclave.dir.join("bundle"), enclave.key.verifier()).unwrap();
}

/// Arguments after `principal`, what is on standard input, and what is said; nothing is changed.
const REFUSED: &[(&[&str], &str, &str)] = &[
    (
        &["add", "niamh", "--employer", "acme", "--office", "ireland", "--role", "analyst"],
        "",
        "--employer: there is no `acme`; use one of those in directory.toml: fernway-china, ",
    ),
    (
        &["add", "niamh", "--employer", "fernway-us", "--office", "mars", "--role", "analyst"],
        "",
        "--office: there is no `mars`; use one of places in enclave.toml: ireland, ",
    ),
    (
        &["add", "niamh", "--employer", "fernway-us", "--office", "ireland", "--role", "king"],
        "",
        "--role: there is no `king`; use one of those in directory.toml: analyst, ",
    ),
    (
        &["add", "Niamh R", "--employer", "fernway-us", "--office", "ireland", "--role", "analyst"],
        "",
        "`Niamh R` cannot be used as a name; use a-z, 0-9 and -, a letter first",
    ),
    (
        &[
            "add",
            "niamh",
            "--employer",
            "fernway-us",
            "--office",
            "ireland",
            "--role",
            "analyst",
            "--password-stdin",
        ],
        "secret\n",
        "the password on standard input is not of 16 to 256 bytes",
    ),
    (&["remove", "niamh"], "", "`niamh` is no principal; `trefoil principal list` names those that are"),
    (
        &["remove", "lukas"],
        "",
        "profiles.analytics: its exemplar is refused by `unknown-principal`: `lukas` is not in the directory",
    ),
];

#[test]
fn what_would_not_hold_changes_nothing() {
    let enclave = Operator::new();
    let before = enclave.files();
    for (arguments, input, said) in REFUSED {
        let output = enclave.run(&[&["principal"], *arguments].concat(), input);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?} does not say `{said}`:\n{text}");
        assert_eq!(enclave.files(), before, "{arguments:?}");
    }
}

#[test]
fn a_given_password_is_not_repeated() {
    let enclave = Operator::new();
    let add =
        ["principal", "add", "payroll", "--kind", "service", "--employer", "fernway-ireland", "--office"];
    let more = ["ireland", "--role", "billing_service", "--password-stdin"];
    let output = enclave.run(&[&add[..], &more].concat(), "correct horse battery staple\nignored\n");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("correct"), "{}", text(&output));
    assert!(enclave.verifier("payroll").is_some());
    assert!(enclave.directory().ends_with(
        "kind = \"service\"\nemployer = \"fernway-ireland\"\noffice = \"ireland\"\n\
                                           roles = [\"billing_service\"]\n"
    ));
}

/// An enclave's folder with what the operator edits in it, and nothing that runs.
struct Operator {
    dir: PathBuf,
    key: SigningKey,
    _root: TempDir,
}

impl Operator {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().to_owned();
        for folder in ["bundle/policy", "operator", "gate", "residency"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        for (name, bytes) in access::bundle_files(Path::new(EXAMPLE)).unwrap() {
            fs::write(dir.join("bundle").join(name), bytes).unwrap();
        }
        let key = SigningKey::from_seed("europe/operator", KeyType::Ed25519, [7; 32]).unwrap();
        fs::write(dir.join("operator/bundle.key"), key.to_secret_text()).unwrap();
        for passwords in ["services", "stats", "stop"] {
            fs::write(dir.join(format!("operator/{passwords}.json")), "{}").unwrap();
        }
        fs::write(dir.join("residency/passwords.json"), "{}").unwrap();
        fs::write(dir.join("gate/secrets.json"), r#"{"pool":{},"principals":{},"watch":{}}"#).unwrap();
        for marker in ["enclave", "complete"] {
            fs::write(dir.join(marker), "").unwrap();
        }
        Self { dir, key, _root: root }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = trefoil(arguments);
        command
            .arg("--dir")
            .arg(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn directory(&self) -> String {
        fs::read_to_string(self.dir.join("bundle/directory.toml")).unwrap()
    }

    fn verifier(&self, name: &str) -> Option<String> {
        let secrets: Value =
            serde_json::from_slice(&fs::read(self.dir.join("gate/secrets.json")).unwrap()).unwrap();
        secrets["principals"][name].as_str().map(str::to_owned)
    }

    /// What no refused command may change.
    fn files(&self) -> (String, Vec<u8>, bool) {
        let secrets = fs::read(self.dir.join("gate/secrets.json")).unwrap();
        (self.directory(), secrets, self.dir.join("bundle/bundle.note").exists())
    }
}

fn trefoil(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    command.args(arguments).env("NO_COLOR", "1").env_remove("TREFOIL_DIR");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A folder whose gate answers what the test wants, once for each answer.
fn with_gate(answers: Vec<Value>) -> TempDir {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("gate")).unwrap();
    for file in ["enclave", "complete"] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let listener = std::os::unix::net::UnixListener::bind(dir.path().join("gate/control.sock")).unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut asker, _) = listener.accept().unwrap();
            BufReader::new(&asker).read_line(&mut String::new()).unwrap();
            writeln!(asker, "{answer}").unwrap();
        }
    });
    dir
}

/// What a gate answers to `record probe` and `record forget`, the exit code, and what is said.
#[test]
fn a_gate_is_asked_and_its_answer_is_the_exit_code() {
    let probe = |cosigned: bool| {
        let asked = json!({ "principal": "wei", "listener": "china", "profile": "support", "site": "hamar" });
        let reason = (!cosigned).then_some("wei is denied");
        let shown = json!({ "probe": asked, "salt": "00", "index": 7, "line": "{}", "cosigned": cosigned, "reason": reason });
        json!({ "probed": { "revealed": 8, "committed": 3, "probes": [shown] } })
    };
    let gone =
        json!({ "forgotten": [{ "key": "2026-01-31.access", "entry": 9, "time": "2026-03-01T00:00:00Z" }] });
    let forget = &["record", "forget", "2026-01-31", "--yes"][..];
    for (arguments, answers, code, expected) in [
        (
            &["record", "probe"][..],
            vec![json!({ "committed": 3 }), probe(false)],
            0,
            "refused all 1 wrong decisions",
        ),
        (
            &["record", "probe"],
            vec![json!({ "committed": 3 }), probe(true)],
            1,
            "cosigned 1 of 1 wrong decisions",
        ),
        (&["record", "probe", "--commit"], vec![json!({ "committed": 3 })], 0, "committed by entry 3"),
        (
            &["record", "probe"],
            vec![json!({ "failed": "the probe was not answered" })],
            2,
            "was not answered",
        ),
        (forget, vec![gone], 0, "forgot 2026-01-31.access by entry 9, on both sides"),
        (forget, vec![json!({ "refused": "in use" })], 1, "in use"),
        (forget, vec![json!({ "committed": 3 })], 2, "another version"),
        (forget, vec![], 2, "see that it runs"),
    ] {
        let is_there = !answers.is_empty();
        let dir = with_gate(answers);
        if !is_there {
            fs::remove_file(dir.path().join("gate/control.sock")).unwrap();
        }
        let output =
            Command::new(env!("CARGO_BIN_EXE_trefoil")).args(arguments).arg("--dir").arg(dir.path()).output();
        let output = output.unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}
