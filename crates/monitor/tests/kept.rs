//! What the monitor found is kept before it vouches for anything else, and what was its gate's own question is closed. The
//! program is run, and killed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;
#[path = "lab/running.rs"]
mod running;

use std::{fs, path::Path, process::Command, thread::sleep, time::Duration};

use lab::{AOIFE, CLEARED, Lab, SITE, Sealed, client};
use monitor::{clock, config::Config, own::Own};
use running::Running;
use serde_json::{Value, json};
use tlog::{
    detail::{Probe, ProbeRevealed, ProbesCommitted, ProbesRevealed},
    entry::{CountState, Kind},
    hash::hex,
};

const TRIES: u32 = 300;

fn said(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil-monitor"));
    let output = command.args(arguments).arg("--dir").arg(dir).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn incidents(dir: &Path) -> Vec<Value> {
    let (code, text) = said(dir, &["incidents", "list", "--json"]);
    assert_eq!(code, 0, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Looks until there is something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..TRIES {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{what}: it did not come");
}

/// A gate that has started at a monitor that runs.
struct Scene {
    lab: Lab,
    monitor: Running,
}

impl Scene {
    fn new() -> Scene {
        let mut lab = Lab::at(clock::now());
        lab.monitor = None;
        let gate = client::enrolled(&lab.folder(), lab::GATE);
        let monitor = Running::start(&lab.monitor_dir(), &gate);
        let items = lab.gate.first();
        let mut scene = Scene { lab, monitor };
        scene.accept(&items);
        scene
    }

    fn restart(&mut self) {
        self.monitor.child.kill().unwrap();
        self.monitor.child.wait().unwrap();
        self.monitor = Running::start(&self.lab.monitor_dir(), &self.monitor.tls);
    }

    fn accept(&mut self, items: &[Sealed]) {
        let (status, answer) = self.monitor.post(&self.lab.gate.batch(items));
        assert_eq!(status, 200, "{answer}");
        self.lab.gate.tree = self.lab.gate.tree_with(items);
    }

    fn say(&mut self, kind: Kind, detail: impl serde::Serialize) -> u64 {
        self.lab.gate.now = clock::now();
        let piece = self.lab.gate.piece(kind, detail);
        let index = self.lab.gate.tree.size();
        let items = [self.lab.gate.seal(piece)];
        self.accept(&items);
        index
    }

    /// Posts an entry of a session that was never opened, which is refused.
    fn forge(&mut self, number: u8) {
        self.lab.gate.now = clock::now();
        let piece = self.lab.gate.release(&hex(&[number; 16]), CLEARED, CountState::Exact, 1, 10);
        let items = [self.lab.gate.seal(piece)];
        let (status, answer) = self.monitor.post(&self.lab.gate.batch(&items));
        assert_eq!(status, 422, "{answer}");
    }

    fn heartbeat(&self) -> (u16, String) {
        self.monitor.post(&self.lab.gate.batch(&[]))
    }

    /// Files that the incidents' receipts are written to, of what was refused.
    fn refused(&self, id: &str) -> usize {
        let out = self.lab.dir.path().join("receipts");
        let _ = fs::remove_dir_all(&out);
        let (code, text) =
            said(&self.lab.monitor_dir(), &["incidents", "show", id, "--receipts", out.to_str().unwrap()]);
        assert_eq!(code, 0, "{text}");
        let names = fs::read_dir(out).unwrap().map(|item| item.unwrap().file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("refused-") && name.ends_with(".json")).count()
    }
}

/// The longest file of a folder.
fn longest(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|item| item.unwrap().metadata().unwrap().len()).max().unwrap()
}

#[test]
fn a_monitor_that_cannot_keep_what_it_finds_cosigns_nothing_until_it_can() {
    let mut scene = Scene::new();
    let dir = scene.lab.monitor_dir();
    (1..=3).for_each(|number| scene.forge(number));
    assert_eq!(scene.heartbeat().0, 200, "what is refused is kept, and the rest goes on");

    let full = longest(&dir.join("own/wal"));
    assert!(full > longest(&dir.join("copy")), "the copy alone would fail");
    scene.monitor.limit_files(Some(full));
    scene.forge(4);
    for _ in 0..2 {
        let (status, answer) = scene.heartbeat();
        assert!(status == 503 && answer.contains("nothing is cosigned"), "{status} {answer}");
        sleep(Duration::from_millis(1_000));
    }
    let (code, text) = said(&dir, &["check"]);
    assert!(code == 1 && text.contains("cosigns nothing"), "{code} {text}");
    // It still stops whom it is asked to stop, and says what is missing.
    let brake = ["brake", "principal", "aoife", "--for", "1h", "--because", "a drill"];
    let (code, text) = said(&dir, &brake);
    assert!(code == 2 && text.contains("own record lacks it"), "{code} {text}");
    assert!(said(&dir, &["brakes", "list"]).1.contains("aoife"));

    scene.monitor.limit_files(None);
    wait_for("a cosignature", || (scene.heartbeat().0 == 200).then_some(()));
    let found = incidents(&dir);
    let id = found[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((found.len(), scene.refused(&id)), (1, 4), "{found:?}");
    assert_eq!(said(&dir, &["check"]).0, 0);
    scene.restart();
    assert_eq!((incidents(&dir).len(), scene.refused(&id)), (1, 4));
    scene.monitor.child.kill().unwrap();
    scene.monitor.child.wait().unwrap();
    assert_eq!(braked(&scene.lab), 1);

    // A monitor that ended between a brake and its entry says it at the next start.
    let kept = fs::read(dir.join("brakes.json")).unwrap();
    let mut taken: Value = serde_json::from_slice(&kept).unwrap();
    taken["orders"] = json!([]);
    fs::write(dir.join("brakes.json"), taken.to_string()).unwrap();
    assert_eq!(said(&dir, &["brakes", "list"]).0, 0);
    assert_eq!(braked(&scene.lab), 0);
    fs::write(dir.join("brakes.json"), kept).unwrap();
    assert_eq!(said(&dir, &["brakes", "list"]).0, 0);
    assert_eq!(braked(&scene.lab), 1);
}

/// Brakes that stand by the own record of a monitor that does not run.
fn braked(lab: &Lab) -> i32 {
    let (folder, mut standing) = (lab.folder(), 0);
    let config = Config::read(&folder).unwrap();
    let identity = fs::read_to_string(folder.identity()).unwrap();
    let own = Own::open(&folder, &config.own, identity.trim()).unwrap();
    let count = |kept: monitor::own::Kept| {
        standing += match kept.kind {
            Kind::BrakeApplied => 1,
            Kind::BrakeLifted => -1,
            _ => 0,
        };
        Ok(())
    };
    own.each(0, count).unwrap();
    standing
}

/// A question that policy denies.
fn question(ticket: &str) -> Probe {
    Probe {
        principal: AOIFE.principal.to_owned(),
        listener: "unmapped".to_owned(),
        purpose: AOIFE.purpose.map(str::to_owned),
        ticket: Some(ticket.to_owned()),
        profile: "support".to_owned(),
        site: SITE.to_owned(),
    }
}

/// Posts an entry that asks it, which must be refused; answers what is revealed of it.
fn ask(scene: &mut Scene, probe: &Probe, salt: u8) -> ProbeRevealed {
    let gate = &mut scene.lab.gate;
    gate.now = clock::now();
    let session = gate.session_id();
    let mut piece = gate.open(&AOIFE, &session);
    let detail = piece.detail.as_mut().unwrap();
    detail["listener"] = probe.listener.clone().into();
    detail["ticket"] = probe.ticket.clone().into();
    assert_eq!(detail["profile"], probe.profile);
    let items = [gate.seal(piece)];
    let index = gate.tree.size();
    let (status, answer) = scene.monitor.post(&scene.lab.gate.batch(&items));
    assert_eq!(status, 422, "{answer}");
    let line = String::from_utf8(items[0].0.clone()).unwrap();
    let (probe, salt) = (probe.clone(), hex(&[salt; 32]));
    ProbeRevealed { probe, salt, index, line, cosigned: false, reason: Some(answer) }
}

fn commit(scene: &mut Scene, probes: &[(&Probe, u8)]) -> u64 {
    let probes = probes.iter().map(|(probe, salt)| probe.commitment(&[*salt; 32]).unwrap()).collect();
    scene.say(Kind::ProbeCommitted, ProbesCommitted { probes })
}

#[test]
fn an_incident_closes_when_what_was_refused_was_a_probe_and_only_then() {
    let mut scene = Scene::new();
    let dir = scene.lab.monitor_dir();
    let state = |id: usize| incidents(&dir)[id]["state"].as_str().unwrap().to_owned();
    let (one, two) = (question("SUP-2"), question("SUP-3"));
    let committed = commit(&mut scene, &[(&one, 1), (&two, 2)]);
    let probes = vec![ask(&mut scene, &one, 1), ask(&mut scene, &two, 2)];
    assert_eq!((incidents(&dir).len(), state(0).as_str()), (1, "open"));
    let revealed = scene.say(Kind::ProbeRevealed, ProbesRevealed { committed, probes: probes.clone() });
    // Killed before or after it is closed: the copy says the same.
    scene.restart();
    wait_for("the end of the incident", || (state(0) == "closed").then_some(()));
    let closed = incidents(&dir).remove(0);
    let last = closed["history"].as_array().unwrap().last().unwrap();
    assert_eq!((last["to"].as_str(), last["by"].as_str()), (Some("closed"), Some("monitor")));
    assert!(last["because"].as_str().unwrap().ends_with(&format!("entry {revealed} reveals")), "{last}");

    // Tried first and committed to afterwards; revealed under a commitment to something else; and a line that asked
    // something else than what was committed to.
    let tried = question("SUP-4");
    let late = ask(&mut scene, &tried, 4);
    let committed_late = commit(&mut scene, &[(&tried, 4)]);
    scene.say(Kind::ProbeRevealed, ProbesRevealed { committed: committed_late, probes: vec![late.clone()] });
    scene.say(Kind::ProbeRevealed, ProbesRevealed { committed, probes: vec![late.clone(); 2] });
    let other = question("SUP-5");
    let committed_other = commit(&mut scene, &[(&other, 5)]);
    let real = ask(&mut scene, &question("SUP-4"), 5);
    let borrowed = ProbeRevealed { probe: other, ..real };
    scene.say(Kind::ProbeRevealed, ProbesRevealed { committed: committed_other, probes: vec![borrowed] });
    // A probe beside them is told apart, and closes nothing.
    let three = question("SUP-6");
    let committed = commit(&mut scene, &[(&three, 6)]);
    let probes = vec![ask(&mut scene, &three, 6)];
    scene.say(Kind::ProbeRevealed, ProbesRevealed { committed, probes });
    let history = wait_for("the probe's mark", || {
        let history = incidents(&dir).remove(1)["history"].as_array().unwrap().clone();
        history.iter().any(|step| step["to"] == "probed").then_some(history)
    });
    assert_eq!(history.iter().filter(|step| step["to"] == "probed").count(), 1, "{history:?}");
    assert_eq!((incidents(&dir).len(), state(0).as_str(), state(1).as_str()), (2, "closed", "open"));
    scene.restart();
    assert_eq!((state(0).as_str(), state(1).as_str()), ("closed", "open"));
    let (code, text) = said(&dir, &["incidents", "list"]);
    assert_eq!(code, 0, "{text}");
}
