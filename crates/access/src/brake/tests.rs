//! The channel of brakes against a monitor that this test plays: what ends, what is kept, what is not believed.

use std::time::Duration;

use tlog::brake::{Target, Word};
use tlog::note::{KeyType, SigningKey};
use tokio::time::timeout;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const SESSION: &str = "4f000000000000000000000000000001";

fn key() -> SigningKey {
    SigningKey::from_seed("monitor.example/brake", KeyType::Ed25519, [7; 32]).unwrap()
}

fn brake(sequence: u64, target: Target) -> String {
    let order = Order {
        id: format!("{sequence:016x}"),
        target,
        given: "2026-01-31T10:00:00.000000Z".into(),
        until: "2026-01-31T12:00:00.000000Z".into(),
        because: "a secret reason".into(),
        by: "ada".into(),
    };
    Word::Brake { sequence, order }.sign(&key()).unwrap()
}

fn lift(sequence: u64, of: u64) -> String {
    let word = Word::Lift { sequence, id: format!("{of:016x}"), because: "b".into(), by: "c".into() };
    word.sign(&key()).unwrap()
}

fn open(path: &Path) -> Arc<Brakes> {
    Brakes::open(path, "gate", key().verifier()).unwrap()
}

/// Sits down as eve with a session, has a brake given, and answers whether it ends the session.
async fn ends(target: Target) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let brakes = open(&folder.path().join("brakes.json"));
    let seat = brakes.sit("eve", HERE).unwrap();
    seat.opens(SESSION);
    let (_, carrying) = brakes.take(&brake(1, target)).unwrap();
    let told = timeout(Duration::from_millis(20), seat.stopped()).await;
    assert_eq!(told.is_ok(), carrying.iter().any(|carrying| !carrying.ending.is_empty()));
    if let Ok(fault) = &told {
        let shown = format!("{:?}", fault.shown);
        assert!(shown.contains("0000000000000001") && !shown.contains("secret"), "{shown}");
        assert!(!shown.contains("ada"), "{shown}");
    }
    told.is_ok()
}

#[tokio::test]
async fn a_brake_ends_the_sessions_that_it_names() {
    for (target, expected) in [
        (Target::Session(SESSION.into()), true),
        (Target::Session(SESSION.replace('4', "5")), false),
        (Target::Principal("eve".into()), true),
        (Target::Principal("bob".into()), false),
        (Target::Gate("gate".into()), true),
        (Target::Gate("other".into()), false),
    ] {
        assert_eq!(ends(target.clone()).await, expected, "{target}");
    }
}

#[tokio::test]
async fn what_is_stopped_stays_so_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("brakes.json");
    let brakes = open(&path);
    for note in [brake(1, Target::Principal("eve".into())), brake(2, Target::Principal("mallory".into()))] {
        brakes.take(&note).unwrap();
    }
    brakes.take(&lift(3, 2)).unwrap();
    brakes.keep().unwrap();
    let again = open(&path);
    assert!(again.sit("eve", HERE).is_err() && again.sit("mallory", HERE).is_ok());
    // What was said before is not said again: an old order does not come back, an old lift takes nothing back.
    assert!(again.take(&brake(2, Target::Principal("mallory".into()))).is_err());
    assert!(again.take(&lift(3, 1)).is_err() && again.sit("eve", HERE).is_err());
    // A file that somebody has changed is no reason to let anybody in.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("eve", "bob")).unwrap();
    assert!(Brakes::open(&path, "gate", key().verifier()).is_err());
}

/// Only when a seat is given up is its session known to have ended.
#[tokio::test]
async fn an_order_is_carried_out_when_its_sessions_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let brakes = open(&folder.path().join("brakes.json"));
    let seat = brakes.sit("eve", HERE).unwrap();
    seat.opens(SESSION);
    let unopened = brakes.sit("eve", HERE).unwrap();
    let (_, carrying) = brakes.take(&brake(1, Target::Principal("eve".into()))).unwrap();
    let [mut carrying] = <[Carrying; 1]>::try_from(carrying).ok().unwrap();
    let both = async {
        let mut ended = Vec::new();
        for ending in carrying.ending.drain(..) {
            ended.extend(ending.wait().await);
        }
        ended
    };
    let mut both = Box::pin(both);
    seat.is_silent();
    drop(unopened);
    assert!(timeout(Duration::from_millis(20), &mut both).await.is_err());
    seat.is_gone();
    drop(seat);
    let ended = both.await;
    let [ended] = ended.as_slice() else { panic!("{ended:?}") };
    assert!(ended.session == SESSION && ended.gone.is_some(), "{ended:?}");
    assert!(brakes.known().live.is_empty());
}
