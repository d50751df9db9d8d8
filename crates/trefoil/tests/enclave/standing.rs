//! A gate that is configured anew: sites watched every second, and a listener for proxies.

use std::fs;
use std::net::TcpListener;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Signal, kill_process, test_kill_process};
use serde_json::Value;

use super::lab::{AOIFE, Enclave, Who, up};
use super::opening::proxy_header;
use super::raw::{Opening, Raw, Say};

/// Longer than two looks at a site and all that follows from them.
const SEEN_WITHIN_S: u64 = 20;

#[test]
fn proxies_say_who_comes_and_drift_closes_a_site() {
    let enclave = Enclave::start();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    reconfigure(&enclave, |toml| {
        let listener = format!("address = \"127.0.0.1:{port}\"\nproxy = [\"127.0.0.1/32\"]\n");
        toml.replace("drift_check_seconds = 30", "drift_check_seconds = 1") + "\n[[listeners]]\n" + &listener
    });
    a_trusted_proxy_says_where_a_client_is(&enclave, port);
    drift_closes_a_site_until_it_is_gone(&enclave);
    enclave.is_of_one_mind();
}

/// Ends the gate, changes its configuration, and starts it again.
pub fn reconfigure(enclave: &Enclave, change: impl FnOnce(String) -> String) {
    let gate = enclave.process("gate").unwrap();
    kill_process(gate, Signal::TERM).unwrap();
    let file = enclave.dir.join("gate/gate.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, change(text)).unwrap();
    for _ in 0..100 {
        if test_kill_process(gate).is_err() && enclave.status()["ready"] == false {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    up(&enclave.dir);
}

fn a_trusted_proxy_says_where_a_client_is(enclave: &Enclave, port: u16) {
    let local = [b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec()].concat();
    for (name, before, expected) in [
        ("from Ireland", proxy_header([10, 1, 2, 3]), Ok("Dublin")),
        ("from China, by another profile", proxy_header([10, 5, 2, 3]), Ok("China")),
        ("from nowhere known", proxy_header([192, 0, 2, 1]), Err("42501")),
        ("the proxy itself", local, Err("42501")),
        ("without a header", Vec::new(), Err("closed")),
        ("of version 1", b"PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\n".to_vec(), Err("closed")),
        ("from a Unix socket", b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\0".to_vec(), Err("closed")),
    ] {
        let opening = Opening { before: &before, ..Opening::default() };
        match (Raw::open(enclave, ("127.0.0.1".into(), port), AOIFE, opening), expected) {
            (Ok(mut raw), Ok(_)) => {
                let heard = raw.talk(&[Say::Query("SELECT 1")], "T D*1 C:SELECT_1 Z:I");
                assert_eq!(heard, "T D*1 C:SELECT_1 Z:I", "{name}");
            }
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{name}: {said}"),
            (Ok(_), Err(expected)) => panic!("{name}: let in instead of {expected}"),
            (Err(said), Ok(_)) => panic!("{name}: {said}"),
        }
    }
    let direct = Opening { direct: true, alpn: Some(b"postgresql"), ..Opening::default() };
    let header = proxy_header([10, 1, 2, 3]);
    let direct = Opening { before: &header, ..direct };
    assert!(Raw::open(enclave, ("127.0.0.1".into(), port), AOIFE, direct).is_ok(), "direct TLS behind it");
    let opened: Vec<Value> = enclave.shown("session.open");
    let places: Vec<_> = opened.iter().map(|entry| entry["entry"]["place"].as_str().unwrap()).collect();
    assert_eq!(places, ["IE", "CN", "IE"]);
    assert_eq!(opened[1]["detail"]["listener"], "china");
    assert_eq!(opened[1]["detail"]["profile"], "abroad");
    let refused = enclave.shown("access.decision");
    assert_eq!(refused[0]["entry"]["place"], "unknown");
    assert_eq!(refused[0]["detail"]["listener"], "192.0.2.1");
}

fn drift_closes_a_site_until_it_is_gone(enclave: &Enclave) {
    let there = Who {
        options: "-c trefoil.purpose=support -c trefoil.ticket=SUP-1 -c trefoil.site=dublin-1",
        ..AOIFE
    };
    let mut open = Raw::connect(enclave, there);
    assert_eq!(enclave.admin("dublin-1", &["GRANT SELECT ON data.users TO PUBLIC"]), "GRANT\n");
    // The session that was open ends by itself, with a reason.
    let heard = open.talk(&[], "E:57P01 closed");
    assert_eq!(heard, "E:57P01 closed");
    let refused = enclave.gate(there, &["SELECT 1"]);
    assert!(refused.contains("site dublin-1 is closed"), "{refused}");
    assert_eq!(enclave.gate(AOIFE, &["SELECT 1"]), "1\n", "elsewhere there is room");
    let status = enclave.status();
    let site = status["sites"].as_array().unwrap().iter().find(|site| site["name"] == "dublin-1").unwrap();
    assert_eq!(site["used"], false);
    assert!(site["reason"].as_str().unwrap().contains("differs from policy"), "{site}");

    enclave.admin("dublin-1", &["REVOKE SELECT ON data.users FROM PUBLIC"]);
    let reopened = (0..SEEN_WITHIN_S * 5).any(|_| {
        sleep(Duration::from_millis(200));
        enclave.gate(there, &["SELECT 1"]) == "1\n"
    });
    assert!(reopened, "{}", enclave.log("gate"));
    let said = |kind| {
        let entries = enclave.shown(kind);
        assert_eq!(entries.len(), 1, "{kind}: {entries:?}");
        entries[0]["detail"].clone()
    };
    assert_eq!(said("sites.closed")["site"], "dublin-1");
    assert!(said("sites.closed")["reason"].as_str().unwrap().contains("users"));
    assert_eq!(said("sites.reopened")["site"], "dublin-1");
}
