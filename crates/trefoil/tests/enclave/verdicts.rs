//! What an analyst says of a login at the gate: it is in the record, the gate learns it, it survives the gate's being killed, and
//! it can be taken back. A part of the test in `logins`, whose logins it is about.

use serde_json::Value;

use super::lab::{AOIFE, Enclave};
use super::logins::{Office, responses};

/// `beijing` is where the principal gave a second proof; from `boston` they never came.
pub fn what_an_analyst_says_is_learnt(enclave: &Enclave, beijing: &Office, boston: &Office) {
    let said = boston.ask(enclave, AOIFE);
    let (_, number) = said.split_once("(entry ").unwrap_or_else(|| panic!("it was let in: {said}"));
    let refused = number.split_once(')').unwrap().0;
    let earlier = of_aoife(enclave, "10.5.2.3");

    assert_eq!(mark(enclave, &[refused, "attack"]).0, Some(0));
    assert_eq!(mark(enclave, &[&earlier, "legitimate"]).0, Some(0));
    assert_eq!(given(enclave), [(earlier.clone(), "legitimate"), (refused.to_owned(), "attack")].map(told));
    enclave.kill(&["gate"]);
    enclave.bring_back();
    assert_eq!(given(enclave).len(), 2, "it survives");
    assert_eq!(marked(enclave), [1, 1]);
    assert_eq!(judged_by(enclave, boston).as_deref(), Some("attack"));
    assert_eq!(beijing.ask(enclave, AOIFE), "1", "it was her");

    for (verdict, event) in [("legitimate", &*earlier), ("attack", refused)] {
        let other = if verdict == "attack" { "legitimate" } else { "attack" };
        assert_eq!(mark(enclave, &[event, other, "--undo"]).0, Some(1), "the verdict is another");
        assert_eq!(mark(enclave, &[event, verdict, "--undo"]).0, Some(0));
        assert_eq!(mark(enclave, &[event, verdict, "--undo"]).0, Some(1), "there is none left");
    }
    assert_eq!((given(enclave), marked(enclave)), (Vec::new(), [0, 0]));
    // What was done upon it is taken back by itself.
    for block in responses(enclave, "block") {
        let undo = ["logins", "responses", "undo", block["id"].as_str().unwrap(), "--because", "a drill"];
        assert!(enclave.trefoil(&undo).status.success(), "{block}");
    }
    assert_eq!(judged_by(enclave, boston).as_deref(), Some("nothing"), "as if it had never been said");

    let (code, said) = mark(enclave, &["0", "attack"]);
    assert!(code == Some(1) && said.contains("none of the last 1000"), "a gate's start is no login: {said}");
    let (code, said) = mark(enclave, &["3:1200", "attack"]);
    assert!(code == Some(2) && said.contains("no index of an entry"), "{said}");
    let entries = enclave.shown("login.marked");
    let said = |entry: &Value| {
        let detail = &entry["detail"];
        let undone = if detail["undone"] == true { " undone" } else { "" };
        format!(
            "{} {}{undone} for {}",
            detail["entry"],
            detail["verdict"].as_str().unwrap(),
            detail["because"]
        )
    };
    let said: Vec<String> = entries.iter().map(said).collect();
    let of = |event: &str, verdict: &str| format!("{event} {verdict} for \"a drill\"");
    let expected = [
        of(refused, "attack"),
        of(&earlier, "legitimate"),
        of(&earlier, "legitimate undone"),
        of(refused, "attack undone"),
    ];
    assert_eq!(said, expected);
    assert!(!entries[0]["entry"].to_string().contains("aoife"), "the open part names nobody: {}", entries[0]);
}

/// Index of the first login of aoife from an address that was judged and refused.
fn of_aoife(enclave: &Enclave, address: &str) -> String {
    let judged = enclave.shown("login.judged");
    let is = |entry: &&Value| entry["detail"]["address"] == address && entry["entry"]["decision"] == "deny";
    judged.iter().find(is).unwrap_or_else(|| panic!("{judged:#?}"))["index"].to_string()
}

fn mark(enclave: &Enclave, what: &[&str]) -> (Option<i32>, String) {
    let output = enclave.trefoil(&[&["logins", "mark"], what, &["--because", "a drill"]].concat());
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn told((event, verdict): (String, &str)) -> String {
    format!("{event} {verdict}")
}

/// Verdicts in force.
fn given(enclave: &Enclave) -> Vec<String> {
    let listed = enclave.trefoil(&["logins", "mark", "--list", "--json"]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let lines = String::from_utf8(listed.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|mark| told((mark["event"].to_string(), mark["verdict"].as_str().unwrap()))).collect()
}

/// By which verdict a login from there is judged, where it is not let in.
fn judged_by(enclave: &Enclave, office: &Office) -> Option<String> {
    let said = office.ask(enclave, AOIFE);
    if said == "1" {
        return None;
    }
    let last = enclave.shown("login.judged").pop().unwrap();
    let reasons = last["detail"]["judged"]["reasons"].as_array().unwrap();
    let of_mark = reasons.iter().find(|reason| reason["term"] == "mark");
    Some(of_mark.map_or("nothing", |reason| reason["observed"].as_str().unwrap()).to_owned())
}

/// How many verdicts of each kind are known of aoife: legitimate, attacks.
fn marked(enclave: &Enclave) -> [u64; 2] {
    let asked = ["logins", "explain", "aoife", "--purpose", "security", "--ticket", "SEC-3", "--json"];
    let said: Value = serde_json::from_slice(&enclave.trefoil(&asked).stdout).unwrap();
    [0, 1].map(|at: usize| said["known"]["marked"][at].as_u64().unwrap())
}
