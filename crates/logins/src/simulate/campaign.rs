//! Attacks on many accounts, or on one by many tries. Not here: attackers who know the password (`attack`).

use risk::{Act, Network, Outcome, Why};

use super::agents::Device;
use super::attack::{Guise, Scene};
use super::countries::COUNTRIES;
use super::dice::Dice;
use super::person::{From, Person};
use super::{Drawn, Lately};

impl Scene<'_> {
    /// A try at an account: the password is wrong, or right and a factor in the way, or right.
    fn attempt(&self, at: i64, user: Option<u64>, is_right: bool, guise: &Guise, dice: &mut Dice) -> Drawn {
        let (name, outcome) = match user {
            None => (nobody(dice), Outcome::Failure(Why::UnknownUser)),
            Some(user) => {
                let has_factor = || Person::of(self.shape, self.plan, user).has_factor;
                let outcome = match is_right {
                    false => Outcome::Failure(Why::Password),
                    true if has_factor() => Outcome::Failure(Why::Factor),
                    true => Outcome::Success,
                };
                (Person::name(user), outcome)
            }
        };
        let mut event = self.event(at, name, guise, Act::Logon, outcome);
        if outcome == Outcome::Success {
            event.login.session = Some(format!("{:016x}", dice.number()).into());
        }
        event
    }

    /// Machines of some networks of some countries, as a botnet or a proxy service has them.
    fn sources(&self, count: usize, nets: usize, rented: f64, dice: &mut Dice) -> Vec<From> {
        let nets: Vec<usize> = (0..nets)
            .map(|_| {
                let country = dice.weighted(COUNTRIES.iter().map(|country| country.weight));
                let kind = if dice.chance(rented) { Network::Hosting } else { Network::Access };
                self.plan.choose(dice, country, kind)
            })
            .collect();
        (0..count).filter_map(|_| dice.pick(&nets).copied().map(|net| self.elsewhere(net, dice))).collect()
    }

    fn agents(&self, count: usize, dice: &mut Dice) -> Vec<String> {
        const TOOLS: [&str; 4] =
            ["python-requests/2.31.0", "Go-http-client/2.0", "okhttp/4.12.0", "axios/1.6.2"];
        if dice.chance(0.25) {
            return dice.pick(&TOOLS).map(|tool| vec![(*tool).to_owned()]).unwrap_or_default();
        }
        (0..count)
            .map(|_| {
                let kind = Device::kind(dice);
                Device::draw(dice, kind).agent(f64::from(self.day()), None)
            })
            .collect()
    }

    fn any(&self, from: &[From], agents: &[String], target: &str, dice: &mut Dice) -> Option<Guise> {
        Some(Guise { from: *dice.pick(from)?, agent: dice.pick(agents)?.clone(), target: target.to_owned() })
    }

    /// Many users, one or two tries each, from a handful of machines.
    pub(super) fn spray(&self, dice: &mut Dice) -> Vec<Drawn> {
        let sources = 1 + dice.below(6);
        let nets = 1 + dice.below(2);
        let from = self.sources(sources, nets, 0.8, dice);
        let count = 1 + dice.below(2);
        let agents = self.agents(count, dice);
        let users = 25 + dice.below(175.min(self.shape.users as usize / 4).max(1));
        let gap = dice.between(1500.0, 20_000.0);
        let mut at = self.at as f64;
        let mut all = Vec::new();
        for _ in 0..users {
            let user = (!dice.chance(0.1)).then(|| dice.below(self.shape.users as usize) as u64);
            let is_right = dice.chance(0.007);
            let Some(guise) = self.any(&from, &agents, "web", dice) else { break };
            all.push(self.attempt(at as i64, user, is_right, &guise, dice));
            at += dice.wait(gap);
        }
        all
    }

    /// Pairs of user and password from elsewhere: most users are none here, and of the others few passwords hold.
    pub(super) fn stuffing(&self, dice: &mut Dice) -> Vec<Drawn> {
        let attempts = (self.daily * dice.between(0.1, 1.5)).clamp(300.0, 20_000.0);
        let nets = 3 + dice.below(6);
        let from = self.sources((attempts / dice.between(5.0, 40.0)) as usize + 4, nets, 0.5, dice);
        let count = 3 + dice.below(20);
        let agents = self.agents(count, dice);
        let lasts = dice.between(0.4, 4.0) * 3.6e6;
        let unknown = dice.between(0.65, 0.9);
        let right = dice.between(0.002, 0.02) / (1.0 - unknown);
        let mut at = self.at as f64;
        let mut all = Vec::new();
        for _ in 0..attempts as usize {
            let user = (!dice.chance(unknown)).then(|| dice.below(self.shape.users as usize) as u64);
            let is_right = dice.chance(right);
            let Some(guise) = self.any(&from, &agents, "web", dice) else { break };
            all.push(self.attempt(at as i64, user, is_right, &guise, dice));
            at += dice.wait(lasts / attempts);
        }
        all
    }

    /// Many tries at one user; three in ten end with the right password.
    pub(super) fn brute_force(&self, victim: u64, dice: &mut Dice) -> Vec<Drawn> {
        let sources = 1 + dice.below(4);
        let from = self.sources(sources, 1, 0.6, dice);
        let agents = self.agents(1, dice);
        let tries = 40 + dice.below(300);
        let gap = dice.between(800.0, 15_000.0);
        let succeeds = dice.chance(0.3);
        let mut at = self.at as f64;
        let mut all = Vec::new();
        for left in (0..tries).rev() {
            let Some(guise) = self.any(&from, &agents, "web", dice) else { break };
            all.push(self.attempt(at as i64, Some(victim), succeeds && left == 0, &guise, dice));
            at += dice.wait(gap);
        }
        all
    }

    /// A spray that takes its time: each machine tries once or twice, minutes apart, for a day or two.
    pub(super) fn low_and_slow(&self, dice: &mut Dice) -> Vec<Drawn> {
        let attempts = 120 + dice.below(200);
        let nets = 3 + dice.below(8);
        let from = self.sources(attempts * 2 / 3, nets, 0.4, dice);
        let count = 1 + dice.below(3);
        let agents = self.agents(count, dice);
        let lasts = dice.between(8.0, 48.0) * 3.6e6;
        let mut at = self.at as f64;
        let mut all = Vec::new();
        for _ in 0..attempts {
            let user = (!dice.chance(0.15)).then(|| dice.below(self.shape.users as usize) as u64);
            let is_right = dice.chance(0.007);
            let Some(guise) = self.any(&from, &agents, "web", dice) else { break };
            all.push(self.attempt(at as i64, user, is_right, &guise, dice));
            at += dice.wait(lasts / attempts as f64);
        }
        all
    }

    /// The password is known, and the owner's phone asks until somebody gives in: four in ten do.
    pub(super) fn fatigue(&self, victim: u64, lately: &Lately, dice: &mut Dice) -> Vec<Drawn> {
        let country = Person::of(self.shape, self.plan, victim).country;
        let mut guise = self.stranger(country, dice);
        if dice.chance(0.5) {
            guise.from = self.rented(country, dice);
        }
        if let Some(donor) = lately.donor(dice, |_| true) {
            guise.target = donor.login.target.as_deref().unwrap_or("web").to_owned();
        }
        let mut at = self.at;
        let mut all = Vec::new();
        for _ in 0..6 + dice.below(20) {
            all.push(self.event(
                at,
                Person::name(victim),
                &guise,
                Act::Prompt,
                Outcome::Failure(Why::Factor),
            ));
            at += 15_000 + dice.wait(60_000.0) as i64;
        }
        if dice.chance(0.4) {
            all.push(self.event(at, Person::name(victim), &guise, Act::Prompt, Outcome::Success));
            let mut entry = self.event(at + 3000, Person::name(victim), &guise, Act::Logon, Outcome::Success);
            entry.login.is_mfa = true;
            entry.login.session = Some(format!("{:016x}", dice.number()).into());
            all.push(entry);
        }
        all
    }
}

/// A name that no user has: of another service's list.
pub(super) fn nobody(dice: &mut Dice) -> String {
    const NAMES: [&str; 12] =
        ["anna", "max", "info", "admin", "sofia", "lukas", "emma", "noah", "olga", "marc", "lena", "jan"];
    let name = dice.pick(&NAMES).copied().unwrap_or("info");
    format!("{name}{}", dice.below(1_000_000))
}
