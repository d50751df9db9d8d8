//! What a gate may and may not have cosigned. The tables of `cases` each forge one thing, and the monitor's state must
//! not change with any of them. Not here: the disk (`copy`), HTTP and the program (`program`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod cases;
mod lab;

use cases::Scene;
use lab::{
    AOIFE, AOIFE_WITHOUT, CLEARED, LUKAS, NOWHERE, ORIGIN, REFUSED, SECOND, Sealed, WRITE, encode, sign,
};
use monitor::monitor::Answer;
use serde_json::json;
use tlog::{
    checkpoint::Checkpoint,
    detail::Stage,
    entry::{CountState, Decision},
    hash::{Hash, leaf_hash},
    note::{KeyType, SigningKey},
    proof::Receipt,
    rule::ReleaseRule,
};

#[test]
fn what_is_not_cosigned() {
    let mut scene = Scene::new();
    for (name, build, kind, reason) in cases::all() {
        let forged = build(&mut scene);
        check(&mut scene, name, &forged, kind, reason);
    }
    // After all of that the log goes on as if nothing had been tried.
    let good = scene.release(CLEARED);
    let items = scene.seal(good);
    scene.lab.accept(&items);
}

/// The batch is refused at its last entry, leaves everything as it was, and makes one incident.
fn check(scene: &mut Scene, name: &str, items: &[Sealed], kind: &str, reason: &str) {
    let lab = &mut scene.lab;
    let before = (lab.monitor().size(), lab.monitor().root(), lab.refused().len());
    let index = before.0 + u64::try_from(items.len()).unwrap() - 1;
    let Answer::Refused(refused) = lab.post(items) else { panic!("{name}: cosigned or not judged") };
    assert!(refused.reason.contains(reason), "{name}: {}", refused.reason);
    assert_eq!(refused.index, index, "{name}");
    assert!(matches!(lab.post(items), Answer::Refused(_)), "{name}: refused again");
    let kept = lab.refused();
    assert_eq!(kept.len(), before.2 + 1, "{name}: kept once, however often it is posted");
    let (what, at, exhibit) = kept.last().unwrap();
    assert_eq!((what.as_str(), *at), (kind, index), "{name}");
    let entry = &items.last().unwrap().0;
    assert_eq!(
        exhibit.entry.as_ref().unwrap().as_bytes(),
        String::from_utf8_lossy(entry).as_bytes(),
        "{name}"
    );
    // The log signed it, and what was kept proves that to anybody.
    let rule = ReleaseRule::all_of(lab.gate.log.verifier(), &[]).unwrap();
    let receipt = Receipt::parse(exhibit.proof.as_ref().unwrap()).unwrap();
    receipt.verify(&rule, &leaf_hash(entry)).unwrap();
    assert_eq!((lab.monitor().size(), lab.monitor().root()), (before.0, before.1), "{name}");
}

#[test]
fn what_is_cosigned() {
    let mut scene = Scene::new();
    let (open, windowed, writing) = (scene.open.clone(), scene.windowed.clone(), scene.writing.clone());
    let gate = &mut scene.lab.gate;
    let cut = gate.cut(&windowed, "support-personal-day", 100, 4_000);
    let mut bare_window = gate.release(&windowed, CLEARED, CountState::Window, 50, 2_000);
    bare_window.detail = None;
    let mut bare_total = gate.release(&windowed, CLEARED, CountState::Total, 160, 6_500);
    bare_total.detail = None;
    let mut update = gate.release(&writing, WRITE, CountState::Exact, 0, 0);
    update.detail.as_mut().unwrap()["statements"][0]["tag"] = json!("UPDATE 1");
    let pieces = vec![
        cut,
        bare_window,
        bare_total,
        update,
        gate.write(&writing, &[WRITE, "INSERT INTO payments (id, user_id) VALUES (1, 2)"]),
        gate.commit(&writing, 3, "COMMIT"),
        gate.commit(&writing, 2, "END"),
        gate.release(&windowed, CLEARED, CountState::Exact, 0, 0),
        gate.refusal(&AOIFE, Some(&open), Stage::Statement, Some(REFUSED)),
        gate.refusal(&AOIFE, Some(&open), Stage::Wall, Some(CLEARED)),
        gate.refusal(&AOIFE_WITHOUT, None, Stage::Connect, None),
        gate.refusal(&NOWHERE, None, Stage::Connect, None),
        gate.refusal(&LUKAS, None, Stage::Login, None),
        gate.evidence(),
        gate.judged(&LUKAS, "step_up", Decision::Deny),
        gate.judged(&AOIFE, "allow", Decision::Permit),
        gate.handed(),
        gate.responded(),
        gate.explained(),
        gate.marked(),
        gate.close(&windowed, 160, 6_500),
        // A gate that was killed starts again without a stop, and may close what it had open.
        gate.start(),
        gate.close(&open, 3, 90),
        gate.stop(),
        gate.start(),
    ];
    let items: Vec<Sealed> = pieces.into_iter().map(|piece| scene.lab.gate.seal(piece)).collect();
    scene.lab.accept(&items);
    scene.lab.open(&AOIFE);
    assert_eq!(scene.lab.refused(), []);
}

#[test]
fn statuses_of_the_witness_rule() {
    let mut scene = Scene::new();
    let good = scene.release(CLEARED);
    let items = scene.seal(good);
    let lab = &mut scene.lab;
    let (size, root) = (lab.monitor().size(), lab.monitor().root());
    let next = lab.gate.tree_with(&items);
    let at = |origin: &str, size: u64, root: Hash| Checkpoint { origin: origin.to_owned(), size, root };
    let signed = |checkpoint: Checkpoint| sign(&lab.gate.log, &checkpoint);
    let stranger = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [9; 32]).unwrap();
    let grown = at(ORIGIN, next.size(), next.root());
    let other = Hash([7; 32]);
    let extended = lab.gate.log.sign_note(&format!("{grown}extension\n")).unwrap().to_string();
    let bodies: Vec<(&str, Vec<u8>, Answer)> = vec![
        (
            "another log",
            encode(&signed(at("elsewhere", next.size(), next.root())), size, &items),
            Answer::UnknownOrigin(String::new()),
        ),
        ("another key", encode(&sign(&stranger, &grown), size, &items), Answer::Unsigned(String::new())),
        ("an extension", encode(&extended, size, &items), Answer::Malformed(String::new())),
        (
            "a size without its entries",
            encode(&signed(at(ORIGIN, size + 2, next.root())), size, &items),
            Answer::Malformed(String::new()),
        ),
        (
            "a smaller size",
            encode(&signed(at(ORIGIN, size - 1, other)), size, &[]),
            Answer::Malformed(String::new()),
        ),
        ("a rollback", encode(&signed(at(ORIGIN, 1, other)), 0, &items), Answer::Elsewhere(size)),
        ("a gap", encode(&signed(at(ORIGIN, size + 9, other)), size + 8, &items), Answer::Elsewhere(size)),
        ("a batch again", encode(&signed(at(ORIGIN, size, root)), size - 1, &items), Answer::Elsewhere(size)),
    ];
    for (name, body, expected) in bodies {
        let answer = lab.submit(&body);
        let same = std::mem::discriminant(&answer) == std::mem::discriminant(&expected);
        assert!(same, "{name}: {answer:?}");
        if let Answer::Elsewhere(_) = expected {
            assert_eq!(answer, expected, "{name}");
        }
    }
    assert_eq!(lab.refused(), [], "none of these proves anything against the log");

    for (name, size, first, entries) in
        [("other entries of the same size", size, size, &[][..]), ("another past", next.size(), size, &items)]
    {
        let note = sign(&lab.gate.log, &at(ORIGIN, size, other));
        let answer = lab.submit(&encode(&note, first, entries));
        assert!(matches!(answer, Answer::Refused(_)), "{name}: {answer:?}");
        let (kind, _, exhibit) = lab.refused().pop().unwrap();
        assert_eq!((kind.as_str(), exhibit.checkpoint), ("fork", note), "{name}");
        assert!(exhibit.held.unwrap().starts_with(ORIGIN), "{name}");
    }
    lab.accept(&items);
}

/// A gate that the monitor could not hear catches up, in as many batches as it takes; then it may not be late again.
#[test]
fn what_was_staged_while_the_monitor_was_away() {
    let mut scene = Scene::new();
    let (hour, before) = (3_600 * SECOND, scene.lab.gate.now.0);
    let staged = [1, 2, 3].map(|n| {
        scene.lab.gate.now.0 = before + n * hour / 4;
        let piece = scene.release(CLEARED);
        scene.seal(piece)
    });
    scene.lab.gate.now.0 = before + hour;
    scene.lab.restart();
    staged.iter().for_each(|items| {
        scene.lab.accept(items);
    });
    let late = scene.forged_release(|e, _| e.time.0 -= hour / 8);
    scene.lab.accept(&late);
    let heartbeat = scene.lab.gate.batch(&[]);
    assert!(matches!(scene.lab.submit(&heartbeat), Answer::Cosigned(_)));
    let forged = scene.forged_release(|e, _| e.time.0 -= hour / 10);
    check(
        &mut scene,
        "an old time from a gate that is heard",
        &forged,
        "clock",
        "behind the monitor's clock",
    );
}

/// A gate that starts again makes another day key, under another id.
#[test]
fn a_second_key_of_the_day() {
    let mut scene = Scene::new();
    scene.lab.gate.key.id = "2026-03-01.access.2".to_owned();
    scene.lab.gate.key.seal = [8; 32];
    scene.lab.gate.key.names = [9; 32];
    let made = scene.lab.gate.key_made();
    let piece = scene.release(CLEARED);
    let items = [made, scene.lab.gate.seal(piece)];
    scene.lab.accept(&items);
    scene.lab.open(&AOIFE);
}
