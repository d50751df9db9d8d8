//! Attackers who come alone: they know the right password of one victim and log in once, or patiently, or take the
//! account over. As published, they copy a donor, somebody who logged in within the last hour. Not here: attacks on many
//! (`campaign`).

use risk::{Act, Network, Outcome};

use super::agents::Device;
use super::countries::COUNTRIES;
use super::dice::Dice;
use super::person::{self, From, Person};
use super::plan::{self, CITIES, Plan};
use super::shape::{DAY_MS, HOUR_MS, Shape};
use super::traps::Traps;
use super::{Attacker, Drawn, Label, Last, Lately};
use crate::login::Login;

/// What an attack happens in.
pub(super) struct Scene<'a> {
    pub(super) shape: &'a Shape,
    pub(super) plan: &'a Plan,
    pub(super) traps: &'a Traps,
    pub(super) lately: &'a Lately,
    /// When it begins.
    pub(super) at: i64,
    /// Logins of a usual day.
    pub(super) daily: f64,
    pub(super) label: Label,
}

/// Where an attacker is and what they seem to use.
#[derive(Debug, Clone)]
pub(super) struct Guise {
    pub(super) from: From,
    pub(super) agent: String,
    pub(super) target: String,
}

impl Scene<'_> {
    pub(super) fn day(&self) -> u32 {
        u32::try_from((self.at - self.shape.start_ms).div_euclid(DAY_MS)).unwrap_or(0)
    }

    /// One event of an attack.
    pub(super) fn event(&self, at: i64, user: String, guise: &Guise, act: Act, outcome: Outcome) -> Drawn {
        let mut login = Login::new(at, user, act, outcome);
        login.ip = Some(guise.from.ip);
        login.place = guise.from.place;
        login.agent = Some(guise.agent.clone().into());
        login.target = Some(guise.target.clone().into());
        Drawn { login, label: self.label, trap: None, net: guise.from.net, device: 0, user: u64::MAX }
    }

    /// A login with the right password.
    fn entry(&self, at: i64, victim: u64, guise: &Guise, dice: &mut Dice) -> Drawn {
        let mut entry = self.event(at, Person::name(victim), guise, Act::Logon, Outcome::Success);
        entry.login.session = Some(format!("{:016x}", dice.number()).into());
        if dice.chance(0.041) {
            entry.login.rtt_ms = Some((20.0 + dice.wait(90.0)) as f32);
        }
        entry
    }

    /// A single attacker's login; nothing where nobody can be a victim.
    pub(super) fn single(&self, kind: Attacker, victim: u64, dice: &mut Dice) -> Option<Drawn> {
        let guise = self.guise(kind, victim, dice)?;
        Some(self.entry(self.at, victim, &guise, dice))
    }

    /// What an attacker of a kind looks like to a victim's account.
    pub(super) fn guise(&self, kind: Attacker, victim: u64, dice: &mut Dice) -> Option<Guise> {
        let person = Person::of(self.shape, self.plan, victim);
        match kind {
            Attacker::Targeted => Some(self.twin(&person, dice)),
            Attacker::Vpn => {
                let code = COUNTRIES.get(person.country).map(|country| country.code);
                let like = self
                    .lately
                    .donor(dice, |donor| donor.login.place.country == code && donor.user != victim);
                Some(match like {
                    Some(donor) => self.copied(donor, dice),
                    None => self.stranger(person.country, dice),
                })
            }
            // From anywhere, but where most logins are from is where the victim's are: 53% share the country.
            _ => {
                let code =
                    COUNTRIES.get(person.country).map(|country| country.code).filter(|_| dice.chance(0.55));
                let is_right = |donor: &Drawn| {
                    donor.user != victim && (code.is_none() || donor.login.place.country == code)
                };
                let like = self.lately.donor(dice, is_right);
                let anywhere = dice.weighted(COUNTRIES.iter().map(|country| country.weight));
                Some(match like {
                    Some(donor) => self.copied(donor, dice),
                    None => self.stranger(if code.is_some() { person.country } else { anywhere }, dice),
                })
            }
        }
    }

    /// A donor's network, agent and service, at an address of one's own; or in a rented machine in the same country.
    fn copied(&self, donor: &Drawn, dice: &mut Dice) -> Guise {
        let net = self.plan.net(donor.net);
        let country = net.map_or(0, |net| net.country);
        let from = if dice.chance(self.shape.rented) {
            self.rented(country, dice)
        } else {
            self.elsewhere(donor.net, dice)
        };
        Guise { from, agent: text(donor.login.agent.as_deref()), target: text(donor.login.target.as_deref()) }
    }

    /// The victim's network and agent as they last were, and an address that the victim never had.
    fn twin(&self, person: &Person, dice: &mut Dice) -> Guise {
        let last = self.lately.last.get(&person.number).copied();
        let last = last.unwrap_or(Last { net: person.home.net, device: 0, day: self.day() });
        let device = person.devices.get(usize::from(last.device)).or(person.devices.first());
        let agent = device.map(|device| device.agent(f64::from(last.day), self.traps.updated(last.day)));
        let from = if dice.chance(self.shape.rented) {
            self.rented(person.country, dice)
        } else {
            self.elsewhere(last.net, dice)
        };
        let donor = self.lately.donor(dice, |donor| donor.user == person.number);
        let donor = donor.or_else(|| self.lately.donor(dice, |_| true));
        let target = donor.map_or_else(|| "web".to_owned(), |donor| text(donor.login.target.as_deref()));
        Guise { from, agent: agent.unwrap_or_default(), target }
    }

    /// Somebody of a country that nobody is copied from.
    pub(super) fn stranger(&self, country: usize, dice: &mut Dice) -> Guise {
        let kind = Device::kind(dice);
        let device = Device::draw(dice, kind);
        let net = self.plan.choose(dice, country, Network::Access);
        Guise {
            from: self.elsewhere(net, dice),
            agent: device.agent(f64::from(self.day()), self.traps.updated(self.day())),
            target: "web".to_owned(),
        }
    }

    /// Any address of a network.
    pub(super) fn elsewhere(&self, net: usize, dice: &mut Dice) -> From {
        let city = dice.below(CITIES);
        if self.plan.net(net).is_some_and(|net| net.kind == Network::Mobile) {
            return person::pool(self.plan, dice, net, city);
        }
        let block = self.plan.block(dice, net, city);
        let six = self.plan.net(net).and_then(|net| net.six).filter(|_| dice.chance(0.5));
        let prefix = (block.first >> 12 & 0xff) << 20 | dice.below(1 << 20) as u32;
        let ip = match six {
            Some(six) => plan::address_six(six, prefix, dice.number()),
            None => plan::address(dice, block),
        };
        From { ip, place: self.plan.place(net, block.city), net }
    }

    /// A machine for rent, or a VPN's way out.
    pub(super) fn rented(&self, country: usize, dice: &mut Dice) -> From {
        let kind = if dice.chance(0.7) { Network::Hosting } else { Network::Anonymous };
        let net = self.plan.choose(dice, country, kind);
        self.elsewhere(net, dice)
    }

    /// A login, then a password or a factor of the attacker's own.
    pub(super) fn takeover(&self, victim: u64, dice: &mut Dice) -> Vec<Drawn> {
        let kind = if dice.chance(0.6) { Attacker::Vpn } else { Attacker::Naive };
        let Some(guise) = self.guise(kind, victim, dice) else { return Vec::new() };
        let entry = self.entry(self.at, victim, &guise, dice);
        let session = entry.login.session.clone();
        let mut all = vec![entry];
        let both = dice.chance(0.4);
        let factor_first = dice.chance(0.5);
        let acts = if factor_first {
            [Act::FactorChange, Act::PasswordChange]
        } else {
            [Act::PasswordChange, Act::FactorChange]
        };
        let mut at = self.at;
        for act in acts.into_iter().take(1 + usize::from(both)) {
            at += 30_000 + dice.wait(200_000.0) as i64;
            let mut change = self.event(at, Person::name(victim), &guise, act, Outcome::Success);
            change.login.session.clone_from(&session);
            all.push(change);
        }
        all
    }

    /// Somebody who has time: logs in from one place in the right country every day or two until it is a usual one, and
    /// only then does what they came for.
    pub(super) fn poisoner(&self, victim: u64, dice: &mut Dice) -> Vec<Drawn> {
        let Some(guise) = self.guise(Attacker::Vpn, victim, dice) else { return Vec::new() };
        let mut at = self.at;
        let mut all = Vec::new();
        for _ in 0..7 + dice.below(7) {
            all.push(self.entry(at, victim, &guise, dice));
            at += ((14.0 + dice.wait(24.0)) * HOUR_MS) as i64;
        }
        all.push(self.entry(at, victim, &guise, dice));
        at += 60_000 + dice.wait(300_000.0) as i64;
        all.push(self.event(at, Person::name(victim), &guise, Act::PasswordChange, Outcome::Success));
        all
    }

    /// Somebody else's session, used from another network, a few times.
    pub(super) fn replay(&self, dice: &mut Dice) -> Vec<Drawn> {
        let Some(owner) = self.lately.donor(dice, |donor| donor.login.session.is_some()) else {
            return Vec::new();
        };
        let country = self.plan.net(owner.net).map_or(0, |net| net.country);
        let there = if dice.chance(0.5) { country } else { dice.below(COUNTRIES.len()) };
        let mut guise = self.stranger(there, dice);
        if dice.chance(0.5) {
            guise.from = self.rented(there, dice);
        }
        if dice.chance(0.3) {
            guise.agent = text(owner.login.agent.as_deref());
        }
        let mut at = self.at;
        let mut all = Vec::new();
        for _ in 0..2 + dice.below(5) {
            at += 5000 + dice.wait(240_000.0) as i64;
            let mut reuse =
                self.event(at, owner.login.user.to_string(), &guise, Act::Reuse, Outcome::Success);
            reuse.login.session.clone_from(&owner.login.session);
            reuse.login.target.clone_from(&owner.login.target);
            all.push(reuse);
        }
        all
    }
}

fn text(of: Option<&str>) -> String {
    of.unwrap_or_default().to_owned()
}
