//! Suspicious logins at the gate: a login from afar needs a second proof, a source that tries many names is stopped and its
//! sessions are ended, its owner goes on from elsewhere; all of it is in the record and survives the gate's being killed.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use access::totp::{STEP_SECONDS, Secret};
use serde_json::Value;
use tlog::entry::Micros;

use super::brakes::Stream;
use super::lab::{AOIFE, BILLING, Enclave, LUKAS, Who, psql, trefoil};
use super::opening::proxy_header;
use super::raw::{Opening, Raw};
use super::standing::reconfigure;
use super::verdicts;

/// Logins by which somebody becomes known.
const USUAL: usize = 12;
/// Names that an attacker tries, and how many of them at once: one after the other they would be slowed down before they are a
/// campaign.
pub const NAMES: usize = 40;
const AT_ONCE: usize = 10;
/// Where an attempt every ten seconds is let pass, some are enough.
const ROUNDS_MAX: usize = 120;
/// Whose the addresses of the example's places are.
const NETWORKS: &str = "\
10.1.0.0,10.1.255.255,64501,Eire Telecom
10.2.0.0,10.2.255.255,64502,Berlin Broadband
10.4.0.0,10.4.255.255,64504,Example Wireless
10.5.0.0,10.5.255.255,64505,Example Hosting
";
const TRIES_MAX: u32 = 100;
const POLL_MS: u64 = 100;

#[test]
fn suspicious_logins_are_answered_and_nobody_is_locked_out() {
    let enclave = Enclave::start();
    let gate = free_port();
    std::fs::create_dir(enclave.dir.join("gate/places")).unwrap();
    std::fs::write(enclave.dir.join("gate/places/asn.csv"), NETWORKS).unwrap();
    reconfigure(&enclave, |toml| {
        from_everywhere(&toml, gate).replace("[logins]\n", "[logins]\nplaces = \"places\"\n")
    });
    let said = enclave.log("gate");
    assert!(said.contains("coordinates (files *city*.mmdb)"), "it is said what is not there: {said}");
    let office = |address| Office::open(gate, address);
    let (dublin, beijing) = (office([10, 1, 2, 3]), office([10, 5, 2, 3]));
    let code = a_login_from_afar_needs_a_second_proof(&enclave, &dublin, &beijing);
    codes_hold_once(&enclave, &dublin, &beijing, &code);
    let (berlin, munich) = (office([10, 2, 9, 9]), office([10, 2, 7, 7]));
    let block = a_spray_stops_its_source_and_not_the_owner(&enclave, &berlin, &munich);
    what_is_known_is_told_for_a_purpose(&enclave);
    it_survives_the_gate(&enclave, &berlin, &munich, &block);
    verdicts::what_an_analyst_says_is_learnt(&enclave, &beijing, &office([10, 4, 9, 9]));
    others_hand_in_what_they_judged(&enclave);
    a_watch_of_other_systems_hands_in(&enclave);
    processes_that_share_a_stream_hand_in(&enclave);
    it_is_in_the_record_and_at_the_monitor(&enclave);
    enclave.is_of_one_mind();
}

fn a_login_from_afar_needs_a_second_proof(enclave: &Enclave, dublin: &Office, beijing: &Office) -> String {
    for n in 0..USUAL {
        assert_eq!(dublin.ask(enclave, AOIFE), "1", "usual login {n}: {}", enclave.log("gate"));
    }
    let refused = beijing.ask(enclave, AOIFE);
    assert!(refused.contains("is unusual and needs a second proof (entry "), "{refused}");
    assert!(refused.contains("ask the gate's operator"), "{refused}");
    let address = ("127.0.0.1".to_owned(), beijing.port);
    let opening = Opening { parameter: Some(("application_name", "psql")), ..Opening::default() };
    let said = Raw::open(enclave, address, AOIFE, opening).map(drop).unwrap_err();
    assert!(said.contains("28000"), "{said}");
    let again = beijing.ask(enclave, AOIFE);
    assert!(
        again.contains("second proof"),
        "refusals teach nothing: {again}\n{:#?}",
        enclave.shown("login.judged")
    );
    assert_eq!(dublin.ask(enclave, AOIFE), "1", "at home nothing has changed");

    let none = beijing.confirm(enclave, AOIFE, "000000");
    assert!(none.1.contains("no one-time codes are set up"), "{none:?}");
    let said = enclave.trefoil(&["principal", "totp", "aoife", "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let uri = said["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Trefoil%20europe:aoife?secret="), "{uri}");
    let secret = Secret::parse(uri.split_once("secret=").unwrap().1.split_once('&').unwrap().0).unwrap();
    let service = enclave.trefoil(&["principal", "totp", BILLING.name]);
    assert_eq!(service.status.code(), Some(1), "a service reads no codes");

    let refused = beijing.ask(enclave, AOIFE);
    assert!(refused.contains("trefoil confirm"), "{refused}");
    code_at(&secret, 0)
}

fn codes_hold_once(enclave: &Enclave, dublin: &Office, beijing: &Office, code: &str) {
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let said = beijing.confirm(enclave, AOIFE, wrong);
    assert!(said.0 == Some(1) && said.1.contains("the code is wrong"), "{said:?}");
    assert!(beijing.ask(enclave, AOIFE).contains("second proof"));
    let said = beijing.confirm(enclave, AOIFE, code);
    assert!(said.0 == Some(0) && said.1.contains("passes within 5 minutes"), "{said:?}");
    assert_eq!(beijing.ask(enclave, AOIFE), "1", "{}", enclave.log("gate"));
    let said = beijing.confirm(enclave, AOIFE, code);
    assert!(said.0 == Some(1) && said.1.contains("used before"), "{said:?}");
    let no_password = beijing.run(enclave, AOIFE, "not it", code);
    assert!(no_password.1.contains("authentication failed"), "a code alone is nothing: {no_password:?}");
    // A pass is for where it was asked, and the operator can answer for somebody.
    let passed =
        enclave.trefoil(&["logins", "pass", "aoife", "--from", "10.4.2.3", "--because", "a drill", "--json"]);
    assert!(passed.status.success(), "{}", String::from_utf8_lossy(&passed.stderr));
    assert_eq!(dublin.ask(enclave, AOIFE), "1");
}

/// Answers the id of the block.
fn a_spray_stops_its_source_and_not_the_owner(enclave: &Enclave, berlin: &Office, munich: &Office) -> String {
    for _ in 0..USUAL {
        assert_eq!(berlin.ask(enclave, LUKAS), "1");
    }
    assert_eq!(munich.ask(enclave, LUKAS), "1", "an address of the same network");
    let mut idle = Stream::idle(&berlin.target(enclave, LUKAS), &enclave.password(LUKAS.name));
    berlin.is_stopped_for_guessing(enclave);
    let said = idle.hear();
    assert!(said.contains("are stopped until"), "{said}");
    let refused = berlin.ask(enclave, LUKAS);
    assert!(refused.contains("are stopped until"), "{refused}");
    assert_eq!(munich.ask(enclave, LUKAS), "1", "the owner goes on from elsewhere");
    let blocks = responses(enclave, "block");
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    blocks[0]["id"].as_str().unwrap().to_owned()
}

fn what_is_known_is_told_for_a_purpose(enclave: &Enclave) {
    let ask = |purpose: &str| {
        let asked = ["logins", "explain", "aoife", "--purpose", purpose, "--ticket", "SEC-1", "--json"];
        enclave.trefoil(&asked)
    };
    assert_eq!(ask("curiosity").status.code(), Some(1));
    let said = ask("security");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(said["known"]["logins"].as_u64().unwrap() > USUAL as u64, "{said}");
    // Of the files of places.
    let networks = said["known"]["networks"].as_array().unwrap();
    let usual = networks.iter().find(|network| network["country"] == "IE").unwrap();
    assert_eq!((&usual["asn"], &usual["kind"]), (&64_501.into(), &"access".into()), "{said}");
    let [looked] = &enclave.shown("login.explained")[..] else { panic!("not one look in the record") };
    assert_eq!(looked["index"], said["entry"]);
    assert_eq!(looked["detail"]["ticket"], "SEC-1");
}

fn it_survives_the_gate(enclave: &Enclave, berlin: &Office, munich: &Office, block: &str) {
    let known = || {
        let asked = ["logins", "explain", "lukas", "--purpose", "security", "--ticket", "SEC-2", "--json"];
        let said: Value = serde_json::from_slice(&enclave.trefoil(&asked).stdout).unwrap();
        said["known"].clone()
    };
    let before = known();
    enclave.kill(&["gate"]);
    enclave.bring_back();
    assert_eq!(known(), before, "nothing that was learnt is lost");
    let refused = berlin.ask(enclave, LUKAS);
    assert!(refused.contains(block), "{refused}");
    assert_eq!(munich.ask(enclave, LUKAS), "1");

    let undo = ["logins", "responses", "undo", block, "--because", "a drill"];
    let undone = enclave.trefoil(&undo);
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert_eq!(enclave.trefoil(&undo).status.code(), Some(1), "there is nothing left to undo");
    assert!(responses(enclave, "block").is_empty());
    assert!(!berlin.ask(enclave, LUKAS).contains("are stopped until"));
}

fn others_hand_in_what_they_judged(enclave: &Enclave) {
    let reason =
        serde_json::json!({ "term": "place", "log_odds": "6.0", "observed": "SG", "expected": "IE" });
    let handed = |sequence: u64, score: &str| {
        let judged = serde_json::json!({ "score": score, "action": "block", "reasons": [reason] });
        let time = "2026-03-01T12:00:00.000000Z";
        let login = serde_json::json!({ "user": "bob", "time": time, "succeeded": true, "judged": judged });
        let order =
            serde_json::json!({ "logins": { "watch": "vpn", "sequence": sequence, "logins": [login] } });
        enclave.order(&order)
    };
    let first = handed(1, "6.0");
    let entry = first["recorded"].as_u64().unwrap_or_else(|| panic!("{first}"));
    assert_eq!(handed(1, "6.0")["recorded"], entry, "again is the same");
    assert_eq!(handed(0, "6.0")["behind"], 1, "what came before is there");
    assert!(handed(2, "much")["refused"].is_string());
}

/// A login elsewhere; every thousandth is not where the user usually is.
fn line_elsewhere(number: u64) -> String {
    let (ip, country) = if number % 1_000 == 999 { ("203.0.113.9", "RU") } else { ("192.0.2.7", "IE") };
    let time = 1_772_000_000_000 + number * 3_600_000;
    let user = number * 7 % 9;
    format!(
        r#"{{"class_uid":3002,"activity_id":1,"status_id":1,"time":{time},"user":{{"name":"user-{user}"}},"src_endpoint":{{"ip":"{ip}","location":{{"country":"{country}"}}}}}}"#
    ) + "\n"
}

/// Two processes, one of which is killed: what is unusual is in the record once.
fn processes_that_share_a_stream_hand_in(enclave: &Enclave) {
    let room = tempfile::tempdir().unwrap();
    let server = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"])
        .arg(room.path().join("store"))
        .arg("--ports_file_dir")
        .arg(room.path())
        .stderr(Stdio::null())
        .spawn();
    let mut server = Ended(server.expect("`. .ci/install.sh && ensure_nats` installs nats-server"));
    let ports = room.path().join(format!("nats-server_{}.ports", server.0.id()));
    let read = || serde_json::from_slice::<Value>(&std::fs::read(&ports).ok()?).ok();
    let url = wait("nats-server runs", || Some(read()?["nats"][0].as_str()?.to_owned()));
    let publish = |from: u64, to: u64| {
        let log = room.path().join("log");
        std::fs::write(&log, (from..to).map(line_elsewhere).collect::<String>()).unwrap();
        let mut command = super::lab::trefoil();
        let published = command
            .args(["logins", "publish", "--nats", &url, "--shares", "4", "--input"])
            .arg(&log)
            .output();
        let published = published.unwrap();
        assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));
    };
    let state = room.path().join("shared");
    let watch = || {
        let mut command = super::lab::trefoil();
        command.args([
            "logins",
            "watch",
            "--nats",
            &url,
            "--lease",
            "2",
            "--snapshot-events",
            "100",
            "--state",
        ]);
        Ended(command.arg(&state).arg("--dir").arg(&enclave.dir).stdout(Stdio::null()).spawn().unwrap())
    };
    let handed = || -> Vec<String> {
        let judged = enclave.shown("login.judged");
        let of_shares = |entry: &&Value| {
            entry["detail"]["watch"].as_str().is_some_and(|watch| watch.starts_with("share-"))
        };
        let users = judged.iter().filter(of_shares).flat_map(|entry| {
            let logins = entry["detail"]["logins"].as_array().unwrap();
            logins.iter().map(|login| login["user"].as_str().unwrap().to_owned())
        });
        users.collect()
    };
    publish(0, 1_000);
    let first = watch();
    wait("the first is handed in", || (handed().len() == 1).then_some(()));
    let second = watch();
    drop(first);
    publish(1_000, 2_000);
    wait("the second is handed in", || (handed().len() >= 2).then_some(()));
    // What is judged again after a kill is there already.
    drop(second);
    let third = watch();
    publish(2_000, 3_000);
    wait("the third is handed in", || (handed().len() >= 3).then_some(()));
    assert_eq!(handed(), ["user-0", "user-7", "user-5"].map(str::to_owned), "each once");
    let alone = super::lab::trefoil()
        .args(["logins", "watch", "--nats", &url, "--state"])
        .arg(&state)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&alone.stderr).contains("give every process --dir"), "{alone:?}");
    drop(third);
    let _ = server.0.kill();
}

/// A process that is killed when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6 * TRIES_MAX {
        if let Some(there) = is() {
            return there;
        }
        sleep(Duration::from_millis(POLL_MS));
    }
    panic!("{what}: it did not come to that")
}

/// A thousand usual logins elsewhere, and one that is not.
fn a_watch_of_other_systems_hands_in(enclave: &Enclave) {
    let room = tempfile::tempdir().unwrap();
    let (log, state) = (room.path().join("log"), room.path().join("mail"));
    std::fs::write(&log, (0..1_000).map(line_elsewhere).collect::<String>()).unwrap();
    let watch = || {
        let arguments =
            ["logins", "watch", "--state", state.to_str().unwrap(), "--input", log.to_str().unwrap()];
        let watched = enclave.trefoil(&arguments);
        assert!(watched.status.success(), "{}", String::from_utf8_lossy(&watched.stderr));
    };
    watch();
    let handed = || -> Vec<Value> {
        let judged = enclave.shown("login.judged");
        let is =
            |entry: &Value| entry["detail"]["watch"].as_str().is_some_and(|watch| watch.starts_with("mail-"));
        judged.into_iter().filter(is).collect()
    };
    let first = handed();
    let users = |entry: &Value| entry["detail"]["logins"][0]["user"].clone();
    assert_eq!(first.iter().map(users).collect::<Vec<_>>(), ["user-0"], "{first:#?}");
    // Nothing new, nothing handed in.
    watch();
    assert_eq!(handed(), first);
    // The state is the enclave's: whoever looks says why.
    let explain = ["logins", "explain", "user-0", "--state", state.to_str().unwrap(), "--json"];
    assert_eq!(enclave.trefoil(&explain).status.code(), Some(1), "no purpose");
    let nonsense = [&explain[..], &["--purpose", "curiosity", "--ticket", "SEC-12"]].concat();
    assert_eq!(enclave.trefoil(&nonsense).status.code(), Some(1), "no such purpose");
    let score = trefoil().args(["logins", "score", "--state", state.to_str().unwrap()]).output().unwrap();
    assert_eq!(score.status.code(), Some(1), "no look beside the record: {score:?}");
    let looked = enclave.trefoil(&[&explain[..], &["--purpose", "security", "--ticket", "SEC-12"]].concat());
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
    assert!(enclave.shown("login.explained").iter().any(|entry| entry["detail"]["user"] == "user-0"));
}

fn it_is_in_the_record_and_at_the_monitor(enclave: &Enclave) {
    let judged = enclave.shown("login.judged");
    let of = |action: &str, decision: &str| {
        let is = |entry: &&Value| {
            entry["detail"]["judged"]["action"] == action && entry["entry"]["decision"] == decision
        };
        judged.iter().filter(is).collect::<Vec<_>>()
    };
    let asked = of("step_up", "deny");
    assert!(asked.len() >= 3, "{judged:#?}");
    assert_eq!(
        (&asked[0]["detail"]["principal"], &asked[0]["detail"]["address"]),
        (&"aoife".into(), &"10.5.2.3".into())
    );
    let open = asked[0]["entry"].to_string();
    assert!(!open.contains("aoife") && !open.contains("10.5"), "the open part names nobody: {open}");
    let found = judged.iter().find(|entry| entry["detail"]["judged"]["findings"][0]["kind"] == "spray");
    assert!(found.is_some(), "{judged:#?}");

    let responded = enclave.shown("login.responded");
    let changes: Vec<_> = responded
        .iter()
        .map(|entry| {
            format!("{} {}", entry["detail"]["response"]["kind"], entry["detail"]["change"]).replace('"', "")
        })
        .collect();
    for expected in ["pass begun", "block begun", "block undone"] {
        assert!(changes.iter().any(|change| change == expected), "{expected}: {changes:?}");
    }
    let block =
        responded.iter().find(|entry| entry["detail"]["ended"][0].is_object()).expect("it ended a session");
    let time = |text: &Value| Micros::parse_rfc3339(text.as_str().unwrap()).unwrap().0;
    let (since, ended) = (&block["detail"]["response"]["since"], &block["detail"]["ended"][0]);
    let (silent, gone) = (time(&ended["silent"]) - time(since), time(&ended["gone"]) - time(since));
    println!("a session was silent {silent} µs after the response, its backend gone after {gone} µs");
    assert!(silent < 2_000_000, "{block}");

    let incidents = || {
        let listed = enclave.monitor(&["incidents", "list", "--json"]);
        listed.matches("\"suspicious-logins\"").count()
    };
    let told = (0..TRIES_MAX).any(|_| {
        sleep(Duration::from_millis(POLL_MS));
        // The spray, and a login elsewhere that should not have been let in.
        incidents() >= 2
    });
    assert!(told, "{}", enclave.monitor(&["incidents", "list", "--json"]));
}

/// A gate that hears proxies, from whom everybody may come, and judges at once.
pub fn from_everywhere(toml: &str, port: u16) -> String {
    let listener = format!("address = \"127.0.0.1:{port}\"\nproxy = [\"127.0.0.1/32\"]\n");
    let logins = toml.replace("learning_days = 7", "learning_days = 0");
    logins.replace("never_blocked = [\"127.0.0.1/32\", \"::1/128\"]", "never_blocked = []")
        + "\n[[listeners]]\n"
        + &listener
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn responses(enclave: &Enclave, kind: &str) -> Vec<Value> {
    let said = enclave.trefoil(&["logins", "responses", "list", "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let all = said["responses"].as_array().unwrap().iter();
    all.filter(|response| response["kind"] == kind).cloned().collect()
}

/// The code of now and so many steps.
#[allow(clippy::disallowed_methods, reason = "codes are of the time at which they are asked for")]
fn code_at(secret: &Secret, steps: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    secret.code(now / STEP_SECONDS + steps)
}

/// A proxy that says that whoever comes through it has an address.
pub struct Office {
    pub port: u16,
}

impl Office {
    pub fn open(gate: u16, address: [u8; 4]) -> Office {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A gate that is gone takes nobody.
                let Ok(mut to_gate) = TcpStream::connect(("127.0.0.1", gate)) else { continue };
                to_gate.write_all(&proxy_header(address)).unwrap();
                let (from_client, from_gate) = (client.try_clone().unwrap(), to_gate.try_clone().unwrap());
                thread::spawn(move || pipe(from_client, to_gate));
                thread::spawn(move || pipe(from_gate, client));
            }
        });
        Office { port }
    }

    pub fn target(&self, enclave: &Enclave, who: Who) -> String {
        let (_, port) = enclave.listener(who.place);
        enclave.target(who).replace(&format!("port={port} "), &format!("port={} ", self.port))
    }

    /// What a query is answered.
    pub fn ask(&self, enclave: &Enclave, who: Who) -> String {
        self.guess(enclave, who, who.name, &enclave.password(who.name))
    }

    /// Likewise, of whoever tries a name and a password.
    pub fn guess(&self, enclave: &Enclave, who: Who, name: &str, password: &str) -> String {
        let target =
            self.target(enclave, who).replace(&format!("user={} ", who.name), &format!("user={name} "));
        psql(&target, &[("PGPASSWORD", password)], &["SELECT 1"]).trim().to_owned()
    }

    /// Likewise, of several who try names that nobody has at the same time.
    fn guesses(&self, enclave: &Enclave, numbers: std::ops::Range<usize>) -> Vec<String> {
        thread::scope(|scope| {
            let guess = |n| scope.spawn(move || self.guess(enclave, LUKAS, &format!("guess-{n}"), "guess"));
            let guesses: Vec<_> = numbers.map(guess).collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
        })
    }

    /// Guesses at names until that is enough. On a busy machine it is slowed down before, and then takes longer.
    fn is_stopped_for_guessing(&self, enclave: &Enclave) {
        for round in 0..ROUNDS_MAX {
            let said = self.guesses(enclave, round * AT_ONCE..(round + 1) * AT_ONCE);
            if said.iter().any(|said| said.contains("are stopped until")) {
                return;
            }
            let is_slow = said.iter().any(|said| said.contains("are slowed down"));
            let failed =
                |said: &String| said.contains("authentication failed") || said.contains("are slowed down");
            assert!(said.iter().all(failed), "{said:?}");
            if is_slow {
                sleep(Duration::from_secs(1));
            }
        }
        panic!("nobody stops it");
    }

    fn confirm(&self, enclave: &Enclave, who: Who, code: &str) -> (Option<i32>, String) {
        self.run(enclave, who, &enclave.password(who.name), code)
    }

    fn run(&self, enclave: &Enclave, who: Who, password: &str, code: &str) -> (Option<i32>, String) {
        let mut command: Command = trefoil();
        command.args(["confirm", &self.target(enclave, who), "--code", code]).env("PGPASSWORD", password);
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
