//! An enclave whose record a witness of somebody else's must have seen: it is named in enclave.toml, learns the log's key
//! while the enclave is made, is stopped, and comes back.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::Value;

use super::lab::{AOIFE, Enclave, try_up_with};

/// How long the log's key may take to be made.
const KEY_TRIES_MAX: u32 = 600;

/// A witness's program and folder.
struct Witness {
    dir: PathBuf,
    listen: String,
    vkey: String,
    child: Option<Child>,
}

fn program() -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_trefoil")).with_file_name("trefoil-monitor"))
}

impl Witness {
    fn make(dir: PathBuf) -> Witness {
        // A port that is free now; the address has to be known before the witness runs.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let made = program()
            .args(["init", "--json", "--name", "harbour.example/w1", "--listen", &listen, "--dir"])
            .arg(&dir)
            .output()
            .unwrap();
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        Witness { dir, listen, vkey: made["witness"].as_str().unwrap().to_owned(), child: None }
    }

    /// Cosigns for this log from now on.
    fn know(&self, log: &str) {
        let text = format!("listen = \"{}\"\nlogs = [\"{log}\"]\n", self.listen);
        fs::write(self.dir.join("witness.toml"), text).unwrap();
    }

    fn start(&mut self) {
        let mut command = program();
        command.args(["run", "--witness-only", "--json", "--dir"]).arg(&self.dir);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("\"ready\":true"), "{line}");
        self.child = Some(child);
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The files of the example, with the witness.
fn files(to: &Path, witness: &Witness) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
    for (name, mut bytes) in access::bundle_files(&example).unwrap() {
        if name == "enclave.toml" {
            let Witness { listen, vkey, .. } = witness;
            let table = format!(
                "\n[record.witness]\nname = \"harbour\"\nvkey = \"{vkey}\"\nurl = \"http://{listen}\"\n"
            );
            bytes.extend(table.as_bytes());
        }
        fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
        fs::write(to.join(&name), bytes).unwrap();
    }
}

/// The log's key, as the rule says it, once there is one.
fn log_key(rule: &Path) -> String {
    for _ in 0..KEY_TRIES_MAX {
        let text = fs::read_to_string(rule).unwrap_or_default();
        if let Some(key) = text.lines().find_map(|line| line.strip_prefix("log ")) {
            return key.to_owned();
        }
        sleep(Duration::from_millis(100));
    }
    panic!("no rule in {}", rule.display())
}

#[test]
fn nothing_is_released_that_the_foreign_witness_has_not_seen() {
    let root = tempfile::tempdir().unwrap();
    let mut witness = Witness::make(root.path().join("witness"));
    let from = root.path().join("files");
    files(&from, &witness);
    let enclave = Enclave::start_with(|dir| {
        let rule = dir.join("gate/rule.policy");
        let (dir, from) = (dir.to_owned(), from.clone());
        let up = thread::spawn(move || try_up_with(&dir, &["--enclave", from.to_str().unwrap()]));
        witness.know(&log_key(&rule));
        witness.start();
        up.join().unwrap().unwrap_or_else(|said| panic!("trefoil up: {said}"))
    });
    let count = || enclave.gate(AOIFE, &["SELECT count(*) FROM users"]);
    assert!(count().trim().parse::<u32>().is_ok());
    let rule = fs::read_to_string(enclave.dir.join("gate/rule.policy")).unwrap();
    assert!(
        rule.contains("\nwitness harbour ") && rule.contains(" all witness redecided harbour\n"),
        "{rule}"
    );
    enclave.is_of_one_mind();
    let note = fs::read_to_string(enclave.dir.join("record/checkpoint")).unwrap();
    assert!(note.contains("\u{2014} harbour.example/w1 "), "{note}");

    witness.stop();
    let said = count();
    assert!(said.contains("nothing is released") && said.contains("no cosignature by harbour"), "{said}");

    witness.start();
    let mut said = String::new();
    for _ in 0..50 {
        said = count();
        if said.trim().parse::<u32>().is_ok() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert!(said.trim().parse::<u32>().is_ok(), "{said}\n{}", enclave.log("gate"));
    enclave.is_of_one_mind();
}
