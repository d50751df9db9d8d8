//! What holds of any stream: memory is bounded, order within an hour matters little, a snapshot goes on as if nothing
//! had been, floods wipe nothing out, and no event is too strange. Not here: what is found in which (`tests`).

use proptest::prelude::*;

use super::scenarios::{ATTACKS, day};
use super::world::*;
use super::{found, settings, stream};
use crate::campaign::count::{DAY_MS, Distinct, HOUR_MS};
use crate::campaign::store::mix;
use crate::campaign::{Campaigns, Evidence};
use crate::event::{Act, Network, Outcome, Why};
use crate::judgement::{Kind, Term};

/// The log-odds of a term.
fn log_odds(evidence: &Evidence, term: Term) -> f64 {
    evidence.reasons.iter().filter(|reason| reason.term == term).map(|reason| reason.log_odds).sum()
}

#[test]
fn distinct_are_exact_to_some_dozens_then_near() {
    for (count, off) in [(1, 0.0), (10, 0.0), (30, 0.0), (100, 0.4), (1_000, 0.4), (100_000, 0.4)] {
        let mut distinct = Distinct::default();
        for number in 0..count * 3 {
            distinct.add(mix(number % count, 5));
        }
        let error = (distinct.count() as f64 / count as f64 - 1.0).abs();
        assert!(error <= off, "{count}: {}", distinct.count());
    }
}

#[test]
fn a_flood_of_strangers_takes_no_memory_and_wipes_out_no_siege() {
    let mut world = World::new(3, 1_000);
    world.live(0..1);
    let spot = world.rented(1, 900);
    for number in 0..200 {
        world.push(day() + number * 1_000, &World::name(number as u64), spot, WRONG);
    }
    for number in 0..100_000 {
        let spot = world.away(number);
        let outcome = if number % 3 == 0 { OK } else { NOBODY };
        world.push(day() + 200_000 + number as i64 * 20, &format!("flood{number}"), spot, outcome);
    }
    let (mut campaigns, mut memory) = (Campaigns::new(&settings()), Memory::default());
    let bytes = campaigns.bytes();
    for login in &world.logins {
        observe(&mut campaigns, &mut memory, login);
    }
    assert_eq!(bytes, campaigns.bytes());
    let mut hit = world.logins.last().unwrap().clone();
    (hit.spot, hit.user, hit.outcome) = (Some(spot), World::name(500), OK);
    let evidence = observe(&mut campaigns, &mut memory, &hit);
    assert!(log_odds(&evidence, Term::Source) > 3.0, "{evidence:?}");
}

#[test]
fn a_hit_of_a_spray_is_risky_and_its_owner_at_home_is_not() {
    let mut world = World::new(4, 1_000);
    world.live(0..QUIET_DAYS);
    let spot = world.rented(1, 900);
    for number in 0..40 {
        world.push(day() + number * 1_000, &World::name(number as u64), spot, WRONG);
    }
    let home = world.home(50);
    let (mut campaigns, mut memory) = (Campaigns::new(&settings()), Memory::default());
    for login in &world.logins {
        observe(&mut campaigns, &mut memory, login);
    }
    let mut login = world.logins.last().unwrap().clone();
    (login.user, login.outcome) = (World::name(50), OK);
    let hit = observe(&mut campaigns, &mut memory, &login);
    assert!(log_odds(&hit, Term::Source) > 4.0, "{hit:?}");
    login.spot = Some(home);
    let owner = observe(&mut campaigns, &mut memory, &login);
    assert!(owner.reasons.is_empty(), "{owner:?}");
    // Two weeks later nothing is left of it.
    (login.time_ms, login.spot, login.user) = (login.time_ms + 14 * DAY_MS, Some(spot), World::name(60));
    for _ in 0..4 {
        observe(&mut campaigns, &mut memory, &login);
    }
    let late = observe(&mut campaigns, &mut memory, &login);
    assert!(log_odds(&late, Term::Source) < 0.5, "{late:?}");
}

#[test]
fn who_is_let_in_beside_a_campaign_is_a_little_riskier_and_in_its_prefix_more() {
    // Half of the attack is in one prefix, half in its provider's other ones.
    let mut world = World::new(12, 1_000);
    world.live(0..QUIET_DAYS);
    for number in 0..300_u32 {
        let ip = if number % 2 == 0 { 0x2d07_0000 + number / 8 } else { 0x2d08_0000 + number * 256 };
        let spot = Spot { ip, asn: 902, network: Network::Access, ..world.rented(0, 902) };
        world.push(day() + i64::from(number) * 60_000, &World::name(number.into()), spot, WRONG);
    }
    let (mut campaigns, mut memory) = (Campaigns::new(&settings()), Memory::default());
    for login in &world.logins {
        observe(&mut campaigns, &mut memory, login);
    }
    let elsewhere = Spot { network: Network::Access, ..world.rented(0, 902) };
    let (beside, within) = (Spot { ip: 0x2d09_0001, ..elsewhere }, Spot { ip: 0x2d07_00f0, ..elsewhere });
    let own = world.home(501).agent;
    for (name, person, spot, agent, least, most, is_found) in [
        ("beside it", 500, beside, 70, 0.9, 1.0, false),
        ("beside it, with the user's agent", 501, beside, own, 0.4, 0.5, false),
        ("in its prefix", 502, within, 70, 1.5, 4.0, true),
    ] {
        let mut login = world.logins.last().unwrap().clone();
        (login.user, login.outcome, login.spot) = (World::name(person), OK, Some(Spot { agent, ..spot }));
        let evidence = observe(&mut campaigns, &mut memory, &login);
        let seen = log_odds(&evidence, Term::Campaign);
        assert!((least..=most).contains(&seen), "{name}: {seen}");
        assert_eq!(!evidence.findings.is_empty(), is_found, "{name}: {evidence:?}");
    }
}

#[test]
fn who_breaks_a_siege_is_risky_and_the_besieged_at_home_is_not() {
    let mut world = World::new(8, 100);
    world.live(0..QUIET_DAYS);
    let (home, spot) = (world.home(7), world.rented(1, 900));
    for number in 0..14 {
        world.push(day() + number * 5_000, &World::name(7), spot, WRONG);
    }
    for number in 0..5 {
        world.push(day() + 60_000 + number * 30_000, &World::name(7), spot, DENIED).act = Act::Prompt;
    }
    let (mut campaigns, mut memory) = (Campaigns::new(&settings()), Memory::default());
    for login in &world.logins {
        observe(&mut campaigns, &mut memory, login);
    }
    let mut login = world.logins.last().unwrap().clone();
    (login.act, login.outcome, login.is_mfa, login.spot) = (Act::Logon, OK, false, Some(home));
    let owner = observe(&mut campaigns, &mut memory, &login);
    assert!(owner.reasons.is_empty() && owner.findings.is_empty(), "{owner:?}");
    (login.spot, login.is_mfa) = (Some(spot), true);
    let thief = observe(&mut campaigns, &mut memory, &login);
    assert!(log_odds(&thief, Term::Siege) > 3.0 && log_odds(&thief, Term::Prompts) > 3.0, "{thief:?}");
    let kinds: Vec<Kind> = thief.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::BruteForce, Kind::MfaFatigue], "{thief:?}");
}

#[test]
fn the_same_stream_says_the_same_and_a_snapshot_goes_on_as_if_nothing_had_been() {
    let (_, scenario, ..) = ATTACKS[0];
    let logins = stream(5, scenario);
    let (mut campaigns, mut memory) = (Campaigns::new(&settings()), Memory::default());
    let mut told = Vec::new();
    for (at, login) in logins.iter().enumerate() {
        if at % 4_001 == 4_000 {
            let mut bytes = Vec::new();
            campaigns.write(&mut bytes);
            let mut left = bytes.as_slice();
            campaigns = Campaigns::read(&settings(), &mut left).unwrap();
            assert!(left.is_empty());
            for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
                assert!(Campaigns::read(&settings(), &mut &bytes[..cut]).is_none(), "{cut}");
            }
        }
        let evidence = observe(&mut campaigns, &mut memory, login);
        told.extend(evidence.findings.into_iter().map(|finding| (at, finding)));
    }
    assert_eq!(told, found(&logins));
    assert!(!told.is_empty());
}

#[test]
fn attacks_are_found_out_of_order_and_with_wrong_clocks() {
    for (name, scenario, kind, _) in ATTACKS {
        if matches!(kind, Kind::Replay | Kind::Takeover)
            || name.contains("then in")
            || name.contains("succeeds")
        {
            continue;
        }
        let mut logins = stream(6, *scenario);
        let mut dice = Dice(9);
        // Each comes up to ten minutes late; one in two hundred is of a clock that is years ahead or a month behind.
        logins.sort_by_cached_key(|login| login.time_ms + dice.below(600_000) as i64);
        for login in logins.iter_mut().filter(|login| login.label.is_none()) {
            match dice.below(400) {
                0 => login.time_ms += 3_000 * DAY_MS,
                1 => login.time_ms -= 30 * DAY_MS,
                _ => {}
            }
        }
        let found = found(&logins);
        assert!(found.iter().any(|(_, finding)| finding.kind == *kind), "{name}: {found:?}");
    }
}

fn any_login() -> impl Strategy<Value = Login> {
    let act = prop::sample::select(vec![
        Act::Logon,
        Act::Logoff,
        Act::Reuse,
        Act::Prompt,
        Act::PasswordChange,
        Act::FactorChange,
    ]);
    let outcome = prop::sample::select(vec![
        OK,
        WRONG,
        NOBODY,
        DENIED,
        Outcome::Unknown,
        Outcome::Failure(Why::Locked),
        Outcome::Failure(Why::Other),
    ]);
    let time = prop_oneof![0..HOUR_MS, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    let point = (any::<f32>(), any::<f32>());
    (time, act, outcome, 0..5_u8, prop::option::of((0..4_u32, point)), any::<bool>()).prop_map(
        |(time_ms, act, outcome, user, spot, is_mfa)| Login {
            time_ms,
            act,
            outcome,
            user: user.to_string(),
            spot: spot.map(|(ip, point)| Spot { ip, point, ..World::new(0, 1).home(1) }),
            host: (user == 1).then(|| "host".into()),
            target: "any",
            session: (user > 2).then(|| "session".into()),
            is_mfa,
            label: None,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_event_is_too_strange(logins in prop::collection::vec(any_login(), 1..300)) {
        let (mut campaigns, mut memory) = (Campaigns::new(&settings()), Memory::default());
        for login in &logins {
            let evidence = observe(&mut campaigns, &mut memory, login);
            for reason in &evidence.reasons {
                prop_assert!(reason.log_odds.is_finite() && reason.log_odds <= 40.0, "{reason:?}");
            }
        }
    }
}
