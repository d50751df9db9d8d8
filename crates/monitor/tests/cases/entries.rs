//! Forgeries that do not depend on the kind of entry, and those of the gate itself and its day keys.

use serde_json::json;
use tlog::detail::HomesStated;
use tlog::entry::{CountState, Kind, Micros};
use tlog::note::{KeyType, SigningKey};

use super::Case;
use crate::lab::{AOIFE, CLEARED, REFUSED, SECOND, SITE, START};

pub const CASES: &[Case] = &[
    (
        "another detail than committed to",
        |s| {
            let piece = s.release(CLEARED);
            let other = s.release(REFUSED);
            let (entry, _) = s.lab.gate.seal(piece);
            vec![(entry, s.lab.gate.seal(other).1)]
        },
        "detail",
        "not the detail committed to",
    ),
    (
        "a detail that does not open",
        |s| {
            let piece = s.release(CLEARED);
            let (entry, blob) = s.lab.gate.seal(piece);
            let mut blob = blob.unwrap();
            *blob.last_mut().unwrap() ^= 1;
            vec![(entry, Some(blob))]
        },
        "detail",
        "does not open",
    ),
    (
        "the detail withheld",
        |s| {
            let piece = s.release(CLEARED);
            vec![(s.lab.gate.seal(piece).0, None)]
        },
        "detail",
        "is missing",
    ),
    (
        "a detail that nothing commits to",
        |s| {
            let piece = s.release(CLEARED);
            let (_, blob) = s.lab.gate.seal(piece);
            let id = s.windowed.clone();
            let mut bare = s.lab.gate.release(&id, CLEARED, CountState::Window, 1, 1);
            bare.detail = None;
            vec![(s.lab.gate.seal(bare).0, blob)]
        },
        "detail",
        "does not commit to",
    ),
    (
        "a day key that was never made",
        |s| s.forged_release(|e, _| e.key = Some("2026-03-02.access".to_owned())),
        "key",
        "no key 2026-03-02.access was ever made",
    ),
    ("the same day key again", |s| vec![s.lab.gate.key_made()], "key", "a second key"),
    (
        "a day key for someone else",
        |s| {
            let recipient = age::x25519::Identity::generate().to_public().to_string();
            let ours = std::mem::replace(&mut s.lab.gate.recipient, recipient);
            let made = s.lab.gate.key_made();
            s.lab.gate.recipient = ours;
            vec![made]
        },
        "key",
        "does not open",
    ),
    (
        "a day key of yesterday",
        |s| {
            let id = std::mem::replace(&mut s.lab.gate.key.id, "2026-02-28.access".to_owned());
            let made = s.lab.gate.key_made();
            s.lab.gate.key.id = id;
            vec![made]
        },
        "key",
        "not a key of that day",
    ),
    (
        "a day key of another retention class",
        |s| {
            let id = std::mem::replace(&mut s.lab.gate.key.id, "2026-03-01.transfer".to_owned());
            let made = s.lab.gate.key_made();
            s.lab.gate.key.id = id;
            vec![made]
        },
        "key",
        "not a key of that day",
    ),
    (
        "a time before the last entry",
        |s| s.forged_release(|e, _| e.time = Micros(START.0 + 1)),
        "clock",
        "before that of the entry before it",
    ),
    (
        "a time ahead",
        |s| s.forged_release(|e, _| e.time.0 += 301 * SECOND),
        "clock",
        "ahead of the monitor's clock",
    ),
    (
        "a kind that a gate does not write yet",
        |s| {
            let piece = s.lab.gate.piece(Kind::DirectoryChanged, json!({}));
            s.seal(piece)
        },
        "unexpected",
        "directory.changed is not expected",
    ),
    (
        "a statement about homes that the operator did not sign",
        |s| {
            let homes = policy::Homes::first(&s.lab.gate.bundle);
            let next = homes.begin(homes.now().moved(SITE, "hamar"));
            let somebody = SigningKey::from_seed("europe/operator", KeyType::Ed25519, [9; 32]).unwrap();
            let detail = HomesStated {
                id: "0123456789abcdef".to_owned(),
                home: SITE.to_owned(),
                from: SITE.to_owned(),
                to: "hamar".to_owned(),
                course: "planned".to_owned(),
                done: false,
                unshipped: None,
                kept: None,
                statement: somebody.sign_note(&next.text()).unwrap().to_string(),
            };
            let mut piece = s.lab.gate.piece(Kind::SitesFailover, detail);
            piece.entry.policy = Some(s.lab.gate.bundle.hash().to_string());
            s.seal(piece)
        },
        "decision",
        "not signed by the operator",
    ),
    (
        "another gate's name",
        |s| s.forged_release(|e, _| e.gate = "gate-2".to_owned()),
        "unexpected",
        "gate \"gate-1\", by its certificate, posts what gate \"gate-2\" writes",
    ),
    ("not an entry", |_| vec![(b"{\"v\":1}".to_vec(), None)], "malformed", "not an entry"),
    (
        "an unknown kind",
        |s| {
            let (entry, blob) = s.forged_release(|_, _| ()).remove(0);
            vec![(
                String::from_utf8(entry).unwrap().replace("access.release", "access.nothing").into_bytes(),
                blob,
            )]
        },
        "malformed",
        "kind",
    ),
    (
        "a gate with other profiles",
        |s| {
            let mut piece = s.lab.gate.start();
            piece.detail.as_mut().unwrap()["profiles"]["support"] = json!("0".repeat(64));
            s.seal(piece)
        },
        "decision",
        "profiles are not those",
    ),
    (
        "a gate with a site of its own",
        |s| {
            let mut piece = s.lab.gate.start();
            piece.detail.as_mut().unwrap()["sites"] = json!([SITE, "virginia"]);
            s.seal(piece)
        },
        "decision",
        "no site \"virginia\"",
    ),
    (
        "an entry after the stop",
        |s| {
            let stop = s.lab.gate.stop();
            let after = s.opening(&AOIFE);
            [stop, after].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "unexpected",
        "has not said that it started",
    ),
];
