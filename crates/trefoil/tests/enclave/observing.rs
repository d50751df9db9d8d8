//! What a gate does about suspicious logins short of stopping a source: it slows one down, or it only observes; and a rule of
//! the monitor stops somebody for what such a gate observed. That a source is stopped is in `logins`.

use std::fs;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::brakes::{Stream, monitor_lines, until};
use super::lab::{AOIFE, Enclave, LUKAS, MAEVE};
use super::logins::{NAMES, Office, free_port, from_everywhere, responses};
use super::standing::reconfigure;

/// Logins by which somebody becomes known.
const USUAL: usize = 12;
/// Wrong passwords of one name that an address may try at once.
const TRIES: usize = 10;
const RULE: &str = "\n[brakes.rules.suspicious-logins]\nstop = \"principal\"\nlasts = \"1h\"\n";

#[test]
fn sources_are_slowed_down_or_observed_and_a_rule_stops_whom_they_name() {
    let enclave = Enclave::start();
    let gate = free_port();
    reconfigure(&enclave, |toml| from_everywhere(&toml, gate));
    let office = |address| Office::open(gate, address);
    let (dublin, munich) = (office([10, 1, 2, 3]), office([10, 2, 7, 7]));
    for n in 0..USUAL {
        for (home, who) in [(&dublin, AOIFE), (&dublin, MAEVE), (&munich, LUKAS)] {
            assert_eq!(home.ask(&enclave, who), "1", "usual login {n}: {}", enclave.log("gate"));
        }
    }
    let offices = [office([10, 4, 1, 1]), office([10, 4, 2, 2])];
    who_tries_one_name_for_ever_is_slowed_down(&enclave, &dublin, offices);

    observe(&enclave);
    let (beijing, berlin) = (office([10, 5, 2, 3]), office([10, 2, 9, 9]));
    what_is_observed_is_told_and_not_done(&enclave, &beijing, &berlin);
    a_rule_stops_whose_password_a_sprayer_has(&enclave, [&dublin, &munich, &berlin]);
    enclave.is_of_one_mind();
}

/// Of two addresses, so that neither is one that fails too often by itself.
fn who_tries_one_name_for_ever_is_slowed_down(enclave: &Enclave, home: &Office, offices: [Office; 2]) {
    let tried = |office: &Office| office.guess(enclave, MAEVE, MAEVE.name, "guess");
    for office in &offices {
        for n in 0..TRIES {
            let said = tried(office);
            if said.contains("are slowed down") {
                break;
            }
            assert!(said.contains("authentication failed"), "{n}: {said}");
        }
    }
    let slowed = responses(enclave, "throttle");
    assert_eq!(slowed.len(), 1, "{slowed:?}");
    assert!(responses(enclave, "block").is_empty(), "nobody is stopped");
    let second = |said: &Value| said.as_str() == Some("10.4.2.2");
    assert!(second(&slowed[0]["source"]) && slowed[0]["principal"].is_null(), "{slowed:?}");
    let said = tried(&offices[1]);
    assert!(said.contains("are slowed down; the next one is let pass in"), "{said}");
    let aoife = offices[1].ask(enclave, AOIFE);
    assert!(aoife.contains("are slowed down"), "it is the source, whoever comes from there: {aoife}");
    until(
        || offices[1].guess(enclave, MAEVE, "nobody", "guess").contains("authentication failed"),
        "an attempt every ten seconds is let pass",
    );
    assert!(tried(&offices[1]).contains("are slowed down"), "one is");
    assert_eq!(home.ask(enclave, MAEVE), "1", "the owner goes on from where she is");
    let begun = enclave.shown("login.responded");
    assert!(begun.iter().any(|entry| entry["detail"]["response"]["kind"] == "throttle"), "{begun:#?}");
}

/// Has the gate observe, and the monitor stop whom suspicious logins are about.
fn observe(enclave: &Enclave) {
    let file = enclave.dir.join("monitor/monitor.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + RULE).unwrap();
    kill_process(enclave.process("monitor").unwrap(), Signal::TERM).unwrap();
    until(|| enclave.process("monitor").is_none(), "the monitor does not end");
    reconfigure(enclave, |toml| toml.replace("mode = \"enforce\"", "mode = \"observe\""));
}

fn what_is_observed_is_told_and_not_done(enclave: &Enclave, beijing: &Office, berlin: &Office) {
    assert_eq!(beijing.ask(enclave, AOIFE), "1", "no second proof is asked for: {}", enclave.log("gate"));
    for n in 0..NAMES {
        let said = berlin.guess(enclave, LUKAS, &format!("guess-{n}"), "guess");
        assert!(said.contains("authentication failed"), "{n}: {said}");
    }
    assert!(responses(enclave, "block").is_empty(), "{:?}", responses(enclave, "block"));
    let judged = enclave.shown("login.judged");
    let observed = |entry: &&Value| entry["detail"]["observed"] == true;
    let observed: Vec<_> = judged.iter().filter(observed).collect();
    let of_aoife = observed.iter().find(|entry| entry["detail"]["principal"] == "aoife").unwrap();
    assert_eq!(of_aoife["detail"]["judged"]["action"], "step_up", "what would have been done: {of_aoife}");
    assert_eq!(of_aoife["entry"]["decision"], "permit", "and what was: {of_aoife}");
    let found = |entry: &&&Value| entry["detail"]["judged"]["findings"][0]["action"] == "block";
    assert!(observed.iter().any(|entry| found(&entry)), "{observed:#?}");
}

/// The gate lets them in, since it only observes; the monitor is told, and ends what they have open elsewhere.
fn a_rule_stops_whose_password_a_sprayer_has(enclave: &Enclave, [dublin, munich, berlin]: [&Office; 3]) {
    let mut idle = Stream::idle(&munich.target(enclave, LUKAS), &enclave.password(LUKAS.name));
    let said = berlin.ask(enclave, LUKAS);
    // The brake may be there before the session is.
    let is_late = ["stopped by the monitor", "issued no certificate"].iter().any(|why| said.contains(why));
    assert!(said == "1" || is_late, "{said}");
    let said = idle.hear();
    assert!(said.contains("57P01"), "{said}");
    for office in [munich, berlin] {
        let refused = office.ask(enclave, LUKAS);
        assert!(refused.contains("stopped by the monitor"), "{refused}");
    }
    assert_eq!(dublin.ask(enclave, AOIFE), "1", "others go on");
    let stopped = monitor_lines(enclave, &["brakes", "list"]);
    let [brake] = &stopped[..] else { panic!("not one brake: {stopped:#?}") };
    assert_eq!(brake["target"]["principal"], "lukas", "{brake}");
    assert_eq!(brake["by"], "suspicious-logins", "{brake}");
    let incidents = monitor_lines(enclave, &["incidents", "list"]);
    let is_named = |incident: &&Value| {
        incident["detector"] == "suspicious-logins" && incident["about"]["principal"] == "lukas"
    };
    assert!(incidents.iter().any(|incident| is_named(&incident)), "{incidents:#?}");
    until(|| enclave.shown("brake.applied").len() == 1, "the record holds it");
    assert!(responses(enclave, "block").is_empty(), "the gate still only observes");
}
