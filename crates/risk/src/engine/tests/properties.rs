//! What holds for any events: no panic, reasons that sum to the score, the same again for the same events, snapshots that
//! change nothing and are refused when damaged, verdicts that leave nothing when they are taken back.

use proptest::prelude::*;

use super::*;
use crate::key::Tag;
use crate::store::Store;

/// An event that owns its texts.
#[derive(Debug, Clone)]
struct Owned {
    time_ms: i64,
    act: Act,
    outcome: Outcome,
    texts: [Option<String>; 7],
    user: String,
    ip: Option<IpAddr>,
    place: Place,
    rtt_ms: Option<f32>,
    is_mfa: bool,
}

impl Owned {
    fn event(&self) -> Event<'_> {
        let [agent, host, target, session, group, id, _] = self.texts.each_ref().map(Option::as_deref);
        Event {
            time_ms: self.time_ms,
            act: self.act,
            outcome: self.outcome,
            user: &self.user,
            ip: self.ip,
            place: self.place,
            agent,
            host,
            target,
            session,
            group,
            rtt_ms: self.rtt_ms,
            is_mfa: self.is_mfa,
            id,
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    use Act::*;
    prop_oneof![
        6 => Just(Logon),
        1 => prop::sample::select(vec![Logoff, Reuse, Prompt, PasswordChange, FactorChange]),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let whys = vec![Why::UnknownUser, Why::Password, Why::Factor, Why::Locked, Why::Other];
    prop_oneof![
        4 => Just(Outcome::Success),
        1 => Just(Outcome::Unknown),
        2 => prop::sample::select(whys).prop_map(Outcome::Failure),
    ]
}

/// Mostly plausible times, and some that are not.
fn time() -> impl Strategy<Value = i64> {
    let odd = prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1)];
    prop_oneof![12 => (0..200i64 * DAY).prop_map(|after| START + after), 1 => odd]
}

fn texts() -> impl Strategy<Value = [Option<String>; 7]> {
    let agents = vec![CHROME, CHROME_NEXT, IPHONE, PIXEL, PYTHON];
    let agent = prop_oneof![4 => prop::sample::select(agents).prop_map(String::from), 1 => ".{0,600}"];
    let few = || prop::option::weighted(0.4, "[ab]{0,2}");
    let id = prop::option::weighted(0.5, "[0-9a-z]{2}");
    (prop::option::weighted(0.8, agent), few(), few(), few(), few(), id)
        .prop_map(|(agent, host, target, session, group, id)| [agent, host, target, session, group, id, None])
}

fn place() -> impl Strategy<Value = Place> {
    let country = prop_oneof![4 => prop::sample::select(vec![*b"IE", *b"US", *b"NL"]), 1 => any::<[u8; 2]>()];
    let point = (prop_oneof![-90f32..90.0, any::<f32>()], prop_oneof![-180f32..180.0, any::<f32>()]);
    (
        prop::option::weighted(0.8, country),
        prop::option::weighted(0.8, prop_oneof![0u32..5, any::<u32>()]),
        prop::option::weighted(0.6, point),
        prop::sample::select(Network::ALL.to_vec()),
    )
        .prop_map(|(country, asn, point, network)| Place { country, asn, point, network })
}

fn owned() -> impl Strategy<Value = Owned> {
    let ip = prop_oneof![
        any::<[u8; 2]>().prop_map(|[a, b]| IpAddr::V4(Ipv4Addr::new(10, 0, a % 3, b % 9))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
    ];
    let rest = (
        "[a-d]{0,1}",
        prop::option::weighted(0.9, ip),
        place(),
        prop::option::of(any::<f32>()),
        any::<bool>(),
    );
    (time(), act(), outcome(), texts(), rest).prop_map(
        |(time_ms, act, outcome, texts, (user, ip, place, rtt_ms, is_mfa))| Owned {
            time_ms,
            act,
            outcome,
            texts,
            user,
            ip,
            place,
            rtt_ms,
            is_mfa,
        },
    )
}

fn engine() -> Engine {
    Engine::new(Key::new([5; 16]), Weights::shipped(), settings())
}

fn written(engine: &Engine) -> Vec<u8> {
    let mut bytes = Vec::new();
    engine.write(&mut bytes).expect("memory holds it");
    bytes
}

fn read(bytes: &[u8]) -> Result<Engine, SnapshotError> {
    Engine::read(&mut &*bytes, Key::new([5; 16]), Weights::shipped(), settings())
}

/// Everything that a judgement says, to compare.
fn all(judgement: &Judgement) -> String {
    format!("{judgement:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_events_are_judged_alike_before_and_after_a_snapshot(
        events in prop::collection::vec(owned(), 1..60),
        half in 0usize..60,
    ) {
        let (mut one, mut other) = (engine(), engine());
        for (at, owned) in events.iter().enumerate() {
            if at == half {
                other = read(&written(&other)).expect("what was written");
            }
            let event = owned.event();
            let features = one.features(&event);
            let (judgement, by) = one.judge_by(&event);
            prop_assert_eq!(all(&judgement), all(&other.judge(&event)));
            prop_assert!(judgement.score.is_finite());
            prop_assert_eq!(judgement.score, judgement.reasons.iter().map(|reason| reason.log_odds).sum::<f64>());
            prop_assert!(judgement.reasons.is_sorted_by(|one, next| one.log_odds >= next.log_odds));
            prop_assert!(by.values().iter().all(|value| value.is_finite()));
            // What was learnt before this event alone decides, at its time, which may be the newest.
            prop_assert_eq!(features.bucket, by.bucket);
            drop(one.known(&owned.user, owned.time_ms));
        }
        prop_assert!(written(&one) == written(&other), "the snapshots differ");
    }

    #[test]
    fn events_are_judged_together_as_they_are_one_by_one(events in prop::collection::vec(owned(), 0..60)) {
        let (mut one, mut other) = (engine(), engine());
        let events: Vec<Event<'_>> = events.iter().map(Owned::event).collect();
        let alone: Vec<String> = events.iter().map(|event| all(&one.judge(event))).collect();
        let together: Vec<String> = other.judge_all(&events).iter().map(all).collect();
        prop_assert_eq!(alone, together);
        prop_assert!(written(&one) == written(&other), "the snapshots differ");
    }

    #[test]
    fn a_verdict_taken_back_leaves_nothing(
        events in prop::collection::vec(owned(), 2..40),
        marked in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..6),
    ) {
        let mut engine = engine();
        for owned in &events {
            engine.judge(&owned.event());
        }
        let before = written(&engine);
        for (at, is_attack) in &marked {
            let verdict = if *is_attack { Verdict::Attack } else { Verdict::Legitimate };
            engine.mark(&at.get(&events).event(), verdict).expect("room");
        }
        let with = written(&engine);
        prop_assert!(written(&read(&with).expect("what was written")) == with, "verdicts are not kept");
        for (at, _) in &marked {
            engine.unmark(&at.get(&events).event());
        }
        prop_assert!(written(&engine) == before, "something is left");
    }
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let bytes = written(&World::new(settings()).engine);
    let key = Key::new([9; 16]);
    let try_read = |bytes: &[u8]| Engine::read(&mut &*bytes, key, Weights::shipped(), settings()).map(drop);
    try_read(&bytes).expect("what was written");
    for cut in (0..bytes.len()).step_by(bytes.len() / 20).chain([bytes.len() - 1]) {
        let error = try_read(&bytes[..cut]).expect_err("it is cut short");
        assert!(matches!(error, SnapshotError::Io(_)), "{cut}: {error}");
    }
    for at in (0..bytes.len()).step_by(bytes.len() / 20).chain([0, 9, 13, bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let error = try_read(&damaged).expect_err("it is damaged");
        let expected = match at {
            0..8 => matches!(error, SnapshotError::Foreign),
            8..12 => matches!(error, SnapshotError::Version(_)),
            12..20 => matches!(error, SnapshotError::Key),
            _ => matches!(error, SnapshotError::Damaged(_) | SnapshotError::Io(_)),
        };
        assert!(expected, "{at}: {error}");
    }
    let error = Engine::read(&mut &*bytes, Key::new([8; 16]), Weights::shipped(), Settings::default());
    assert!(matches!(error, Err(SnapshotError::Key)));
}

#[test]
fn a_second_delivery_teaches_nothing() {
    let mut world = World::new(settings());
    let event = Event { id: Some("7"), ..world.event("ann", &[]) };
    assert!(!world.engine.judge(&event).is_repeat);
    let before = world.engine.known("ann", event.time_ms);
    assert!(world.engine.judge(&event).is_repeat);
    assert_eq!(world.engine.known("ann", event.time_ms), before);
    assert!(!world.engine.judge(&Event { id: Some("8"), ..event }).is_repeat);
    assert_eq!(world.engine.known("ann", event.time_ms).logins, before.logins + 1);
}

#[test]
fn a_verdict_counts_for_the_user_and_against_the_source() {
    let away: &[But] = &[From(SPAIN, 3, 3), With(FIREFOX)];
    let mut world = World::new(settings());
    world.step(&Own(20, &[]));
    let event = world.event("ann", away);
    let other = world.event("bob", &[From(SPAIN, 3, 3)]);
    let score = |world: &World, event: &Event<'_>| {
        let mut copy = Engine::read(
            &mut &*written(&world.engine),
            Key::new([9; 16]),
            Weights::shipped(),
            Settings::default(),
        );
        copy.as_mut().expect("what was written").judge(event).score
    };
    let scores = |world: &World| [score(world, &event), score(world, &other)];
    let before = scores(&world);
    for (verdict, sign) in [(Verdict::Attack, 1.0), (Verdict::Legitimate, -1.0)] {
        world.engine.mark(&event, verdict).expect("room");
        for (before, after) in before.iter().zip(scores(&world)) {
            assert!((after - before) * sign > 0.5, "{verdict:?}: {before} {after}");
        }
        assert!(world.engine.unmark(&event));
        assert_eq!(scores(&world), before);
    }
    assert!(!world.engine.unmark(&event));
}

#[test]
fn settings_are_kept_to() {
    let odd: &[But] = &[From(RENTED, 1, 1), With(PYTHON)];
    let judge = |settings: Settings| {
        let mut world = World::new(settings);
        world.step(&Own(20, &[]));
        world.login("ann", odd)
    };
    assert_eq!(judge(settings()).action, Action::Block);
    assert_eq!(judge(Settings { observe_only: true, ..settings() }).action, Action::Allow);
    for term in [Term::Device, Term::Place, Term::NetworkKind] {
        let off = judge(Settings { off: Terms::default().and(term), ..settings() });
        assert!(off.reasons.iter().all(|reason| reason.term != term), "{term:?}");
    }
}

#[test]
fn a_list_that_is_full_keeps_what_a_provider_is_worth() {
    let mut world = World::new(settings());
    for step in [Moving(60, &[From(PHONE, 0, 0)]), Moving(30, &[From(NEIGHBOUR, 0, 0), Mfa]), Own(9, &[])] {
        world.step(&step);
    }
    let known = world.engine.known("ann", world.now);
    let of = |asn: u32| {
        let nets = known.networks.iter().filter(move |net| net.asn == Some(asn) && !net.is_on_probation);
        nets.map(|net| net.logins).sum::<u64>()
    };
    assert_eq!([of(PHONE.1), of(NEIGHBOUR.1), of(HOME.1)], [60, 30, 9], "{known:?}");
    assert!(known.networks.len() <= crate::store::NETWORKS_MAX);
    assert_eq!(known.logins, 99);
    // What is half a year old is of no use any more.
    world.step(&Own(3, &[After(80 * DAY)]));
    let known = world.engine.known("ann", world.now);
    assert_eq!(known.networks.iter().map(|net| net.asn).collect::<Vec<_>>(), [Some(HOME.1)], "{known:?}");
}

#[test]
fn the_oldest_are_forgotten_first_and_the_bound_holds() {
    let bytes_max = 4 << 20;
    let mut store = Store::new(bytes_max);
    let user = |user: u64| Tag(user.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let history = |at: u64| {
        let mut history = History { last_s: 1_700_000_000 + at as u32, logins: 1, ..History::default() };
        (0..at % 4).for_each(|net| {
            history.networks.push(crate::store::Net { asn: net as u32, count: 1, ..Default::default() })
        });
        history
    };
    for at in 0..100_000 {
        store.put(user(at), &history(at));
    }
    let held = |store: &Store, at: u64| {
        let mut found = History::default();
        store.get(user(at), 0, &mut found).then_some(found)
    };
    assert!(store.users() > 20_000, "{}", store.users());
    assert!((0..20_000).all(|at| held(&store, at).is_none()));
    assert!((95_000..100_000).all(|at| held(&store, at) == Some(history(at))));
    // The index and what is reserved are rounded up in each of many small shards.
    assert!(store.bytes() < 2 * bytes_max as usize, "{}", store.bytes());
    // After half a year of nobody, all are forgotten, a shard an event.
    let later = (1_700_000_000 + 200 * 86_400) * 1_000;
    (0..crate::store::SHARDS as i64 + 1).for_each(|turn| store.sweep(later + turn * 200_000));
    assert_eq!(store.users(), 0);
    assert!(store.bytes() < bytes_max as usize / 4, "{}", store.bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_store_holds_what_a_map_holds(steps in prop::collection::vec((0u64..40, 0usize..13, 0u8..8), 1..400)) {
        let mut store = Store::new(1 << 30);
        let mut map = std::collections::BTreeMap::new();
        // All in one shard, with fingers and homes that meet.
        let tag = |user: u64| Tag((user % 8) << 40 | user);
        for (at, (user, networks, what)) in steps.iter().enumerate() {
            if *what == 0 {
                prop_assert_eq!(store.remove(tag(*user)), map.remove(user).is_some());
            } else {
                let mut history = History { last_s: 1 + at as u32, ..History::default() };
                let net = crate::store::Net { source: at as u32, trust: 7, ..Default::default() };
                (0..*networks).for_each(|_| history.networks.push(net));
                store.put(tag(*user), &history);
                map.insert(*user, history);
            }
        }
        prop_assert_eq!(store.users(), map.len() as u64);
        let mut bytes = Vec::new();
        store.write_shard(0, &mut bytes);
        let mut again = Store::new(1 << 30);
        prop_assert!(again.read_shard(0, &bytes).is_some());
        for user in 0..40 {
            for store in [&store, &again] {
                let mut found = History::default();
                let is_held = store.get(tag(user), 0, &mut found);
                prop_assert_eq!(map.get(&user), is_held.then_some(&found));
            }
        }
    }
}
