//! What the monitor makes of a gate that says that it has carried out a brake: what goes on all the same is cosigned no
//! more. Not here: sites and sessions (`trefoil`'s tests), what brakes are (`monitor::brake`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;

use lab::{AOIFE, CLEARED, LUKAS, Lab, Piece, Who};
use monitor::{
    brake::Wish,
    monitor::{Answer, Cosigned},
};
use tlog::{
    brake::{Order, Stopped, Target},
    detail::{BrakeApplied, BrakeLifted},
    entry::{CountState, Kind},
};

const HOUR_US: i64 = 3_600 * lab::SECOND;
const GOES_ON: &str = "was carried out, and it goes on";

/// A lab in which aoife and lukas have a session each, and something of aoife's is stopped.
struct Scene {
    lab: Lab,
    aoife: String,
    lukas: String,
    stopped: Stopped,
}

impl Scene {
    fn new(target: impl FnOnce(&str) -> Target) -> Scene {
        let mut lab = Lab::started();
        let (aoife, lukas) = (lab.open(&AOIFE), lab.open(&LUKAS));
        let target = target(&aoife);
        let wish = Wish { target, for_us: HOUR_US, because: "a drill".to_owned(), by: "ada".to_owned() };
        let now = lab.gate.now;
        let brakes = lab.monitor().brakes().clone();
        brakes.apply(wish, now).unwrap();
        let stopped = brakes.orders().remove(0);
        Scene { lab, aoife, lukas, stopped }
    }

    /// The gate says that it has carried it out.
    fn applied(&mut self, order: Order) -> Piece {
        let detail = BrakeApplied { order, note: self.stopped.note.clone(), ended: Vec::new() };
        self.lab.gate.piece(Kind::BrakeApplied, detail)
    }

    fn open(&mut self, who: &Who) -> Piece {
        let id = self.lab.gate.session_id();
        self.lab.gate.open(who, &id)
    }

    fn release(&mut self, session: &str) -> Piece {
        self.lab.gate.release(session, CLEARED, CountState::Exact, 1, 1)
    }

    fn accept(&mut self, piece: Piece) -> Cosigned {
        let items = [self.lab.gate.seal(piece)];
        self.lab.accept(&items)
    }

    /// The batch is refused for this, and an incident says so.
    fn refuse(&mut self, piece: Piece, reason: &str) {
        let items = [self.lab.gate.seal(piece)];
        let before = self.lab.refused().len();
        let Answer::Refused(refused) = self.lab.post(&items) else { panic!("cosigned, or not judged") };
        assert!(refused.reason.contains(reason), "{}", refused.reason);
        let kept = self.lab.refused();
        assert_eq!((kept.len(), kept.last().unwrap().1), (before + 1, refused.index), "one incident more");
    }
}

#[test]
fn what_goes_on_after_a_brake_was_carried_out_is_a_breach() {
    // What is stopped, and whether that is another session of aoife's, and one of lukas's.
    for (target, another, lukas) in [
        (Target::Principal as fn(String) -> Target, true, false),
        (Target::Session, false, false),
        (Target::Gate, true, true),
    ] {
        let name = |session: &str| match target(String::new()) {
            Target::Principal(_) => "aoife".to_owned(),
            Target::Gate(_) => "gate-1".to_owned(),
            _ => session.to_owned(),
        };
        let mut scene = Scene::new(|session| target(name(session)));
        let (session, of_lukas) = (scene.aoife.clone(), scene.lukas.clone());
        // What was on its way still comes; nothing of it opens a site.
        let piece = scene.release(&session);
        scene.accept(piece);
        let piece = scene.open(&AOIFE);
        assert_eq!(scene.accept(piece).certificates.is_empty(), another);
        let applied = scene.applied(scene.stopped.order.clone());
        scene.accept(applied);
        // A monitor that was killed knows it.
        scene.lab.restart();

        let piece = scene.release(&session);
        scene.refuse(piece, GOES_ON);
        let piece = scene.lab.gate.cut(&session, "results", 0, 0);
        scene.refuse(piece, GOES_ON);
        let piece = scene.open(&AOIFE);
        if another {
            scene.refuse(piece, GOES_ON)
        } else {
            drop(scene.accept(piece))
        }
        let piece = scene.release(&of_lukas);
        if lukas {
            scene.refuse(piece, GOES_ON)
        } else {
            drop(scene.accept(piece))
        }

        // Its end is told; and when the monitor has lifted it, aoife comes back.
        let piece = scene.lab.gate.close(&session, 1, 1);
        scene.accept(piece);
        let (id, now) = (scene.stopped.order.id.clone(), scene.lab.gate.now);
        let brakes = scene.lab.monitor().brakes().clone();
        brakes.lift(&id, "over".to_owned(), "ada".to_owned(), now).unwrap();
        let piece = scene.open(&AOIFE);
        scene.accept(piece);
    }
}

#[test]
fn a_gate_takes_no_brake_back_and_makes_none_up() {
    let mut scene = Scene::new(|_| Target::Principal("aoife".to_owned()));
    let order = scene.stopped.order.clone();
    let piece = scene.applied(Order { target: Target::Principal("lukas".to_owned()), ..order.clone() });
    scene.refuse(piece, "another than the one that was signed");
    scene.stopped.note = scene.stopped.note.to_uppercase();
    let piece = scene.applied(order.clone());
    scene.refuse(piece, "no brake of this monitor");
    let lifted = BrakeLifted { id: order.id, because: None };
    let piece = scene.lab.gate.piece(Kind::BrakeLifted, lifted);
    scene.refuse(piece, "is in force, and the gate lifts it");
}
