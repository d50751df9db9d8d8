//! Worlds are the same by seed, read again as they were written, have every attacker, and are like what was published.

use std::collections::BTreeMap;

use risk::{Act, Outcome};

use super::{Attacker, Describe, People, Shape, World};
use crate::ocsf::{self, Product, Told};

fn lines(shape: Shape) -> Vec<u8> {
    let product = Product::new("test", "test");
    let mut out = Vec::new();
    for drawn in World::new(shape) {
        let told = Told { label: &drawn.label.to_string(), trap: drawn.trap };
        ocsf::write_labelled(&mut out, &drawn.login.event(), &product, told).unwrap();
    }
    out
}

#[test]
fn the_same_seed_makes_the_same_world_byte_for_byte_and_another_another() {
    let shape = Shape::new(5, 300, 12);
    let once = lines(shape.clone());
    assert_eq!(once, lines(shape.clone()));
    assert_ne!(once, lines(Shape { seed: 6, ..shape }));
}

#[test]
fn what_is_written_is_read_again_in_order_of_time_and_has_a_label() {
    let world: Vec<_> = World::new(Shape::new(3, 400, 10)).collect();
    let text = lines(Shape::new(3, 400, 10));
    let mut last = 0;
    for (line, drawn) in text.split(|byte| *byte == b'\n').zip(&world) {
        let read = ocsf::read(line).unwrap().unwrap();
        assert!(read.time_ms >= last);
        last = read.time_ms;
        let login = &drawn.login;
        assert_eq!((read.user.as_ref(), read.ip, read.act), (login.user.as_ref(), login.ip, login.act));
        assert_eq!((read.outcome, read.place.asn), (login.outcome, login.place.asn));
        let json: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(json["unmapped"]["label"], drawn.label.to_string());
        assert_eq!(json["unmapped"]["trap"].as_str(), drawn.trap);
    }
    assert!(world.len() > 1000, "{} events", world.len());
}

/// Every kind attacks, and each as it is meant to.
#[test]
fn every_kind_of_attacker_attacks() {
    for people in [People::Customers, People::Employees] {
        let mut shape = Shape::new(9, 600, 20);
        shape.people = people;
        let mut seen: BTreeMap<Attacker, (u32, u32)> = BTreeMap::new();
        for drawn in World::new(shape) {
            let Some((kind, _)) = drawn.label.attack() else { continue };
            let (events, entries) = seen.entry(kind).or_default();
            *events += 1;
            *entries += u32::from(drawn.login.act == Act::Logon && drawn.login.outcome == Outcome::Success);
        }
        for kind in Attacker::ALL {
            let (events, entries) = seen.get(&kind).copied().unwrap_or_default();
            assert!(events > 10, "{people:?}: {kind:?} {events} events");
            match kind {
                Attacker::Naive | Attacker::Vpn | Attacker::Targeted => {
                    assert_eq!(events, entries, "{kind:?}")
                }
                Attacker::Replay => assert_eq!(entries, 0),
                Attacker::Takeover | Attacker::Poisoner => assert!(entries > 0 && entries < events),
                _ => assert!(entries * 5 < events, "{kind:?}: {entries} of {events} succeed"),
            }
        }
    }
}

/// The world is as real ones are said to be, within bounds that a small one keeps.
#[test]
fn a_world_is_like_the_published_one() {
    let mut description = Describe::default();
    for drawn in World::new(Shape::new(1, 4000, 40)) {
        description.add(&drawn);
    }
    let figures = description.figures();
    for figure in &figures {
        let Some(published) = figure.published else { continue };
        let bound = match figure.name {
            // Attackers are more than in the published log, so that figures about each kind can be given.
            "attempts by attackers" | "attackers' attempts that succeed" => 0.4,
            name if name.contains("attempts of a user") => 0.35 * published,
            "logins by day for one by night, at home" => 2.5,
            _ => 0.13,
        };
        assert!((figure.here - published).abs() <= bound, "{}: {} for {published}", figure.name, figure.here);
    }
    assert!(figures.len() > 25);
}
