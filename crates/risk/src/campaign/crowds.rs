//! Every login is looked at as one of its source's, of its network's, and of all that come to its target in the same
//! way. The smallest crowd that explains a failure keeps it to itself, so that one bad address does not accuse its
//! network, nor one bad network a target. Not here: one user (`siege`) or session.

use super::climate::{Climate, Home};
use super::crowd::Crowd;
use super::ledger::{Added, Begun, Ledger};
use super::pair::{Around, Change, Pair};
use super::store::{Place, Stored, Table, mix};
use super::{Familiarity, Settings};
use crate::event::{Network, Outcome};
use crate::judgement::{Action, Finding, Kind};
use crate::seen::Seen;

/// From which evidence (nats), users and sources on a crowd is a campaign, and what is then done about it. There are a few
/// hundred thousand sources a day and fewer networks; ways to a target are few, but larger, and larger crowds differ by
/// more than chance. Few sources have so many users, and what is surprising is held against twice the usual odds already:
/// a source needs less.
struct Rank {
    nats: f32,
    users: u32,
    sources: u32,
    spray: Action,
    stuffing: Action,
}

const SOURCE: Rank = Rank { nats: 8.0, users: 6, sources: 1, spray: Action::Block, stuffing: Action::Block };
const NETWORK: Rank =
    Rank { nats: 16.0, users: 8, sources: 4, spray: Action::Block, stuffing: Action::Throttle };
const COHORT: Rank =
    Rank { nats: 22.0, users: 10, sources: 8, spray: Action::StepUp, stuffing: Action::Throttle };
/// A source is heard by its network and target as this many users at a time.
const USERS_HEARD: f32 = 4.0;
/// Who fails where or as many do is less likely aimed at.
const AIMED_IN_MANY: f32 = 0.25;
/// So many times the evidence is needed for one who may be a bystander to complete a campaign.
const BYSTANDER: f32 = 2.0;
/// What the networks or ways say of one who is let in, at most: nearly all are bystanders, unless the source itself or its
/// prefix is a campaign's. Of whom the network or the agent is known, half as much each.
const LET_IN_LOG_ODDS_MAX: f64 = 1.0;
const KNOWN_PART: f64 = 0.5;
/// The same otherwise, and of one who failed.
const NETWORK_LOG_ODDS_MAX: f64 = 4.0;
const COHORT_LOG_ODDS_MAX: f64 = 3.0;
/// Tries a user that are few.
const FEW_TRIES: f32 = 4.0;
/// The climate of all targets.
const ALL: u64 = 1;

impl Rank {
    fn is_met(&self, crowd: &Crowd, now_ms: i64, scale: f32) -> bool {
        let least = self.nats * scale;
        crowd.evidence >= least
            && crowd.evidence_at(now_ms) >= least
            && crowd.users.at_least() >= self.users
            && crowd.sources.at_least() >= self.sources
    }

    /// Whether a crowd is a campaign's now.
    fn is_accused(&self, crowd: &Crowd, now_ms: i64) -> bool {
        crowd.campaign != 0 && crowd.evidence_at(now_ms) >= self.nats / 2.0
    }

    /// What is done about a crowd in which others are let in, too, is milder.
    fn action(&self, kind: Kind, crowd: &Crowd) -> Action {
        let action = if kind == Kind::Spray { self.spray } else { self.stuffing };
        if crowd.is_mixed() { action.min(Action::Throttle) } else { action }
    }

    /// Whether an event of a crowd is a campaign's: of a new one where there is enough evidence, or (less suffices) of the
    /// one that the crowd is in.
    fn may_join(&self, crowd: &mut Crowd, ledger: &Ledger, added: Added, scale: f32) -> Option<bool> {
        if crowd.campaign != 0 && !ledger.is_live(crowd.campaign, added.now_ms) {
            crowd.close();
        }
        let is_new = crowd.campaign == 0;
        let may = if is_new {
            !added.is_success && self.is_met(crowd, added.now_ms, scale)
        } else {
            crowd.evidence_at(added.now_ms) >= self.nats / 2.0
        };
        may.then_some(is_new)
    }

    /// Adds an event to a crowd's campaign, opened unless there is a kindred one, and says what there is to tell of it.
    fn join(
        &self,
        (key, crowd): (u64, &mut Crowd),
        is_new: bool,
        kin: u64,
        ledger: &mut Ledger,
        added: Added,
    ) -> Option<Finding> {
        let kind = if crowd.is_stuffed() { Kind::Stuffing } else { Kind::Spray };
        if is_new {
            let is_kin = ledger.is_live(kin, added.now_ms) && ledger.is_of(kin, kind);
            crowd.campaign = if is_kin { kin } else { ledger.open(kind, key, Begun::of(crowd)) };
        }
        let action = self.action(kind, crowd);
        ledger.add(crowd.campaign, added, (kind, action), is_new)
    }
}

/// All crowds.
pub(super) struct Crowds {
    pairs: Table<Pair>,
    climates: Table<Climate>,
    pub(super) sources: Table<Crowd>,
    networks: Table<Crowd>,
    cohorts: Table<Crowd>,
}

/// A login and whose it is.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) now_ms: i64,
    pub(super) user: u64,
    /// 0 where nothing says where it came from.
    pub(super) source: u64,
    pub(super) home: Home,
    pub(super) is_success: bool,
}

/// What the crowds of a login say of it.
#[derive(Default)]
pub(super) struct Look {
    /// Log-odds of its source, and of the source's network or the way to the target, with the failures seen and due.
    pub(super) source: (f64, u64, f64),
    pub(super) campaign: (f64, u64, f64),
    /// How much of a failure may be somebody's who is after this user above all: nothing when its source or network attacks
    /// many, little when many attack the target in the same way, less when everybody fails.
    pub(super) aimed: f32,
    pub(super) finding: Option<Finding>,
}

impl Crowds {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            pairs: Table::new(settings.pairs),
            climates: Table::new(settings.targets),
            sources: Table::new(settings.sources),
            networks: Table::new(settings.networks),
            cohorts: Table::new(settings.cohorts),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.pairs.bytes()
            + self.climates.bytes()
            + self.sources.bytes()
            + self.networks.bytes()
            + self.cohorts.bytes()
    }

    /// Reads where the evidence about a login is said to be. The evidence itself is long, and read as it is needed.
    pub(super) fn reach(&self, user: u64, source: u64, prefix: u64) -> u64 {
        let pair = mix(user, source);
        self.pairs.reach_set(pair)
            ^ self.pairs.reach_cells(pair)
            ^ self.sources.reach_set(source)
            ^ self.networks.reach_set(network_key(prefix))
    }

    /// Whether a user got in from a source today.
    pub(super) fn has_succeeded(&self, user: u64, source: u64, now_ms: i64) -> bool {
        self.pairs.get(mix(user, source)).is_some_and(|pair| pair.has_succeeded(now_ms))
    }

    /// Whether several users log in from a source, or did lately.
    pub(super) fn is_shared(&self, source: u64) -> bool {
        self.sources.get(source).is_some_and(|crowd| crowd.good() > 2.0)
    }

    /// Counts a login from a source and says what its crowds say.
    pub(super) fn observe(
        &mut self,
        seen: &Seen<'_>,
        known: &Familiarity,
        at: At,
        ledger: &mut Ledger,
    ) -> Look {
        let target = mix(seen.target.map_or(0, |target| target.0), 1);
        let is_failure = seen.event.outcome != Outcome::Success;
        let keys = Keys::of(seen, known, at, target);
        let change = self.change(at, &keys, target, seen.event.outcome);
        let mut look = Look { aimed: 1.0, ..Look::default() };
        if at.home == Home::Usual && !is_failure && self.sources.find(at.source).is_none() {
            // Nothing ever happened there.
            return look;
        }
        if at.is_success {
            self.correct(seen, known, at, target);
        }
        self.count(at, &keys, change, is_failure);
        if let (true, Some(here), Some(all)) = (is_failure, self.climates.get(target), self.climates.get(ALL))
        {
            look.aimed = 1.0 / here.worse(all).max(1.0);
        }
        let places = Places::of(self, at, &keys);
        self.say(at, known, &places, &mut look);
        self.find(at, &keys, &places, ledger, &mut look);
        look
    }

    /// What a login changes, by what is remembered of its user at its source. The target hears of it, unless what it would
    /// hear is an attack.
    fn change(&mut self, at: At, keys: &Keys, target: u64, outcome: Outcome) -> Option<Change> {
        let pair = self.pairs.entry(mix(at.user, at.source), at.now_ms);
        if !pair.is_counted(at.now_ms, outcome) {
            return None;
        }
        let source = self.sources.get(at.source);
        let is_stranger = matches!(at.home, Home::Strange | Home::New);
        let networks = keys.networks().filter(|_| is_stranger).filter_map(|key| self.networks.get(key));
        let is_accused = source.into_iter().chain(networks).any(|crowd| crowd.is_accused(at.now_ms));
        let room = source.map_or(1.0, |source| source.room(USERS_HEARD));
        let all = self.climates.get(ALL).copied().unwrap_or_default();
        let climate = self.climates.entry(target, at.now_ms);
        let around = Around {
            expected: climate.expected(&all, at.home),
            knows_users: climate.knows_users(),
            says_why: climate.says_why(),
            heard: if is_stranger { room } else { 1.0 },
            is_first: source.is_none_or(|source| source.room(1.0) > 0.5),
            has_success: source.is_some_and(|source| source.good() > 0.9),
        };
        let (change, told) = pair.count(at, outcome, &around);
        if !is_accused || told.heard < 0.0 {
            climate.add(at.now_ms, told);
            self.climates.entry(ALL, at.now_ms).add(at.now_ms, told);
        }
        Some(change)
    }

    /// Takes back the name that nobody has and that was tried at a source just before somebody got in.
    fn correct(&mut self, seen: &Seen<'_>, known: &Familiarity, at: At, target: u64) {
        let source = self.sources.get_mut(at.source);
        let Some(heard) = source.and_then(|source| source.corrected(at.now_ms)) else { return };
        let at = At { home: Home::New, is_success: false, ..at };
        let (change, told) = Change::misspelt(heard);
        self.climates.entry(target, at.now_ms).add(at.now_ms, told);
        self.climates.entry(ALL, at.now_ms).add(at.now_ms, told);
        self.count(at, &Keys::of(seen, known, at, target), Some(change), false);
    }

    /// Adds a change to the crowds of a login, from the smallest up until one explains it.
    fn count(&mut self, at: At, keys: &Keys, change: Option<Change>, is_failure: bool) {
        let tried = |crowd: &mut Crowd| {
            if is_failure {
                crowd.tried(at.now_ms, at.user, at.source);
            }
        };
        let source = self.sources.entry(at.source, at.now_ms);
        if let Some(change) = &change {
            source.add(at.now_ms, change.source);
            source.hurry();
            if change.is_nobody {
                source.misspelt(at.now_ms, change.heard);
            }
        }
        source.hits += u32::from(at.is_success && at.home != Home::Usual);
        tried(source);
        let Some(change) = change else { return };
        // What is taken back was heard by all.
        let explains = |rank: &Rank, crowd: &Crowd| !change.is_back && rank.is_met(crowd, at.now_ms, 1.0);
        if explains(&SOURCE, source) || change.heard <= 0.0 {
            return;
        }
        for key in keys.networks() {
            let network = self.networks.entry(key, at.now_ms);
            network.add(at.now_ms, change.network);
            tried(network);
            if explains(&NETWORK, network) {
                return;
            }
        }
        for key in keys.cohorts() {
            let cohort = self.cohorts.entry(key, at.now_ms);
            cohort.add(at.now_ms, change.cohort);
            tried(cohort);
            if explains(&COHORT, cohort) {
                return;
            }
        }
    }

    /// What the crowds of a login say of it.
    fn say(&self, at: At, known: &Familiarity, places: &Places, look: &mut Look) {
        let said = |crowd: Option<&Crowd>, most: f64| {
            let Some(crowd) = crowd else { return (0.0, 0, 0.0) };
            let log_odds = crowd.log_odds(at.now_ms, at.is_success).min(most);
            let (bad, surplus) = if log_odds > 0.05 { crowd.surplus() } else { (0.0, 0.0) };
            (log_odds, bad.round() as u64, bad - surplus)
        };
        let at_home = if at.home == Home::Usual { 0.2 } else { 1.0 };
        look.source = said(places.source.and_then(|place| self.sources.at(place)), 7.0 * at_home);
        let more = |best: (f64, u64, f64), next: (f64, u64, f64)| if next.0 > best.0 { next } else { best };
        let networks = places.networks.into_iter().flatten();
        let networks = networks.map(|place| said(self.networks.at(place), NETWORK_LOG_ODDS_MAX));
        let cohorts = places.cohorts.into_iter().flatten();
        let cohorts = cohorts.map(|place| said(self.cohorts.at(place), COHORT_LOG_ODDS_MAX));
        look.campaign = networks.chain(cohorts).fold((0.0, 0, 0.0), more);
        if at.is_success && look.campaign.0 > 0.0 {
            look.campaign.0 = self.heeded(look.campaign.0, at, known, places);
        }
    }

    /// What is heeded of what the networks and ways say of one who is let in.
    fn heeded(&self, log_odds: f64, at: At, known: &Familiarity, places: &Places) -> f64 {
        let source = places.source.and_then(|place| self.sources.at(place));
        let prefix = places.networks.first().and_then(|place| self.networks.at((*place)?));
        let is_accused = source.is_some_and(|source| SOURCE.is_accused(source, at.now_ms))
            || prefix.is_some_and(|prefix| NETWORK.is_accused(prefix, at.now_ms));
        let most = if is_accused { log_odds } else { log_odds.min(LET_IN_LOG_ODDS_MAX) };
        let part = |is_known: bool| if is_known { KNOWN_PART } else { 1.0 };
        most * part(known.is_network) * part(known.is_agent == Some(true))
    }

    /// The campaign that a login belongs to, opened where there is none, and what there is to tell of it.
    fn find(&mut self, at: At, keys: &Keys, places: &Places, ledger: &mut Ledger, look: &mut Look) {
        if at.is_success && at.home == Home::Usual {
            return;
        }
        let source = places.source.and_then(|place| self.sources.at(place));
        // A bystander does not complete a campaign of many sources, if it can wait for one that failed as several users.
        let scale = if source.is_none_or(|source| source.users.at_least() < 2) { BYSTANDER } else { 1.0 };
        let is_aimed = source.is_some_and(|source| source.tries_a_user() > FEW_TRIES);
        let added = Added { now_ms: at.now_ms, user: at.user, source: at.source, is_success: at.is_success };
        for (level, key, place) in places.all(at, keys) {
            let scale = if level == Level::Source { 1.0 } else { scale };
            let Some(crowd) = self.table(level).at_mut(place) else { continue };
            let Some(is_new) = level.rank().may_join(crowd, ledger, added, scale) else { continue };
            let kin = if is_new { self.kin(at, keys, places, ledger) } else { 0 };
            let Some(crowd) = self.table(level).at_mut(place) else { continue };
            look.finding = level.rank().join((key, crowd), is_new, kin, ledger, added);
            look.aimed *= match level {
                Level::Source => 0.0,
                Level::Network | Level::Cohort if is_aimed => 1.0,
                Level::Network | Level::Cohort => AIMED_IN_MANY,
            };
            let campaign = crowd.campaign;
            for (key, place) in keys.networks.iter().zip(places.networks) {
                let network = place.filter(|_| level == Level::Source && keys.kin.contains(key));
                if let Some(network) = network.and_then(|place| self.networks.at_mut(place)) {
                    network.kin = campaign;
                }
            }
            return;
        }
    }

    fn table(&mut self, level: Level) -> &mut Table<Crowd> {
        match level {
            Level::Source => &mut self.sources,
            Level::Network => &mut self.networks,
            Level::Cohort => &mut self.cohorts,
        }
    }

    /// A campaign under way that a new part of this login's network or way belongs to.
    fn kin(&self, at: At, keys: &Keys, places: &Places, ledger: &Ledger) -> u64 {
        let cohorts = places.cohorts.into_iter().flatten().filter_map(|place| self.cohorts.at(place));
        let cohorts = cohorts.map(|crowd| crowd.campaign);
        let networks = keys.networks.iter().zip(places.networks).filter(|(key, _)| keys.kin.contains(key));
        let networks = networks.filter_map(|(_, place)| self.networks.at(place?)).map(|crowd| crowd.kin);
        networks.chain(cohorts).find(|id| ledger.is_live(*id, at.now_ms)).unwrap_or(0)
    }
}

/// Which table a crowd is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Source,
    Network,
    Cohort,
}

impl Level {
    fn rank(self) -> &'static Rank {
        match self {
            Self::Source => &SOURCE,
            Self::Network => &NETWORK,
            Self::Cohort => &COHORT,
        }
    }
}

/// Where the crowds of a login are: its networks' and cohorts' only of one who is not at home.
struct Places {
    source: Option<Place>,
    networks: [Option<Place>; 2],
    cohorts: [Option<Place>; 5],
}

impl Places {
    fn of(crowds: &Crowds, at: At, keys: &Keys) -> Self {
        let is_away = at.home != Home::Usual;
        let away = |key: u64| Some(key).filter(|key| is_away && *key != 0);
        Self {
            source: crowds.sources.find(at.source),
            networks: keys.networks.map(|key| away(key).and_then(|key| crowds.networks.find(key))),
            cohorts: keys.cohorts.map(|key| away(key).and_then(|key| crowds.cohorts.find(key))),
        }
    }

    /// From the smallest crowd to the largest.
    fn all(&self, at: At, keys: &Keys) -> impl Iterator<Item = (Level, u64, Place)> + use<> {
        let source = [(Level::Source, at.source, self.source)].into_iter();
        // Who is let in is of a source's campaign, its prefix's, or that of the machines for rent: in a provider's network and
        // in the ways to a target everybody comes.
        let kin = keys.kin;
        let networks = keys.networks.into_iter().zip(self.networks);
        let networks = networks.filter(move |(key, _)| !at.is_success || kin.contains(key));
        let networks = networks.map(|(key, place)| (Level::Network, key, place));
        let cohorts = keys.cohorts.into_iter().zip(self.cohorts);
        let cohorts = cohorts.map(|(key, place)| (Level::Cohort, key, place)).filter(move |_| !at.is_success);
        let all = source.chain(networks).chain(cohorts);
        all.filter_map(|(level, key, place)| Some((level, key, place?)))
    }
}

fn network_key(prefix: u64) -> u64 {
    mix(prefix, 2)
}

/// The keys of a login's crowds; 0 is none.
struct Keys {
    networks: [u64; 2],
    /// Networks whose sources are one attacker's when several of them attack.
    kin: [u64; 2],
    cohorts: [u64; 5],
}

impl Keys {
    fn of(seen: &Seen<'_>, known: &Familiarity, at: At, target: u64) -> Self {
        let place = seen.event.place;
        let prefix = seen.prefix.map_or(0, |prefix| network_key(prefix.0));
        let asn = place.asn.map_or(0, |asn| mix(u64::from(asn), 3));
        let is_rented = matches!(place.network, Network::Hosting | Network::Anonymous);
        let mut cohorts = [0; 5];
        if at.home != Home::Usual {
            let way = mix(target, 4);
            let family = known.family.map_or(0, |family| mix(way, family.0));
            let country =
                place.country.map_or(0, |country| mix(way, u64::from(u16::from_le_bytes(country)) + 16));
            let both = if family != 0 && country != 0 { mix(family, country) } else { 0 };
            let rented = if is_rented { mix(way, 8 + place.network as u64) } else { 0 };
            cohorts = [both, rented, family, country, way];
        }
        Self { networks: [prefix, asn], kin: [prefix, if is_rented { asn } else { 0 }], cohorts }
    }

    fn networks(&self) -> impl Iterator<Item = u64> + use<> {
        self.networks.into_iter().filter(|key| *key != 0)
    }

    fn cohorts(&self) -> impl Iterator<Item = u64> + use<> {
        self.cohorts.into_iter().filter(|key| *key != 0)
    }
}

impl Stored for Crowds {
    fn put(&self, out: &mut Vec<u8>) {
        self.pairs.put(out);
        self.climates.put(out);
        self.sources.put(out);
        self.networks.put(out);
        self.cohorts.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            pairs: Table::take(from)?,
            climates: Table::take(from)?,
            sources: Table::take(from)?,
            networks: Table::take(from)?,
            cohorts: Table::take(from)?,
        })
    }
}
