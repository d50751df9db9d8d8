//! Who works in the simulated enclave: roles, offices, shifts, leave, travel, changes of role. All of it is drawn once from
//! the seed; what they do all day is in `normal`.

use super::dice::Dice;

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Support,
    Trainee,
    Analyst,
    Engineer,
    Security,
    Billing,
    Feed,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Support => "support_agent",
            Role::Trainee => "support_trainee",
            Role::Analyst => "analyst",
            Role::Engineer => "engineer",
            Role::Security => "security_analyst",
            Role::Billing => "billing_service",
            Role::Feed => "feed_service",
        }
    }

    pub fn purpose(self) -> &'static str {
        match self {
            Role::Support | Role::Trainee => "support",
            Role::Analyst => "analytics",
            Role::Engineer => "engineering",
            Role::Security => "security",
            Role::Billing => "billing",
            Role::Feed => "feed",
        }
    }
}

/// Somebody.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub role: Role,
    pub office: &'static str,
    /// Hour at which the shift begins, UTC, and how long it is.
    pub begins: f64,
    pub hours: f64,
    /// Whether weekends are worked like other days.
    pub weekends: bool,
    /// How much more than others.
    pub busy: f64,
    pub joined: i64,
    /// Days away, from and to.
    pub away: Vec<(i64, i64)>,
    /// From, to, where, and whether the directory was told.
    pub trips: Vec<(i64, i64, &'static str, bool)>,
    pub change: Option<(i64, Role)>,
    /// A customer who is looked after again and again.
    pub customer: Option<u64>,
    /// Whether a tool keeps sessions open that do nothing.
    pub pool: bool,
    /// When on call, for the nights of a week.
    pub on_call: Vec<i64>,
}

pub const OFFICES: [&str; 5] = ["IE", "DE", "NO", "US", "CN"];
/// Where nobody works usually.
pub const ABROAD: [&str; 4] = ["FR", "ES", "SG", "BR"];

impl Person {
    pub fn is_service(&self) -> bool {
        matches!(self.role, Role::Billing | Role::Feed)
    }

    pub fn role_on(&self, day: i64) -> Role {
        self.change.filter(|(from, _)| day >= *from).map_or(self.role, |(_, role)| role)
    }

    fn trip(&self, day: i64) -> Option<&(i64, i64, &'static str, bool)> {
        self.trips.iter().find(|(from, to, ..)| (*from..*to).contains(&day))
    }

    pub fn place_on(&self, day: i64) -> &'static str {
        self.trip(day).map_or(self.office, |(_, _, place, _)| place)
    }

    /// Where the directory says that they usually are.
    pub fn office_on(&self, day: i64) -> &'static str {
        self.trip(day).filter(|(.., told)| *told).map_or(self.office, |(_, _, place, _)| place)
    }

    pub fn is_away(&self, day: i64) -> bool {
        day < self.joined || self.away.iter().any(|(from, to)| (*from..*to).contains(&day))
    }
}

/// Draws the staff. Days count from the beginning of the world, which is a Monday.
pub fn draw(dice: &mut Dice, principals: u32, days: i64) -> Vec<Person> {
    let staff = (0..principals).map(|n| person(dice, n, principals)).collect();
    let mut drawing = Drawing { staff, dice, days };
    drawing.leave();
    drawing.travel();
    drawing.change();
    drawing.habits();
    drawing.staff
}

/// Staff on their way.
struct Drawing<'a> {
    staff: Vec<Person>,
    dice: &'a mut Dice,
    days: i64,
}

impl Drawing<'_> {
    /// So many of two hundred.
    fn share(&self, of: f64) -> u64 {
        let principals = u32::try_from(self.staff.len()).unwrap_or(u32::MAX);
        (f64::from(principals) * of / 200.0).ceil() as u64
    }

    /// Some person, of the role if one is given.
    fn anyone(&mut self, role: Option<Role>) -> Option<&mut Person> {
        let is_one =
            |person: &&mut Person| !person.is_service() && role.is_none_or(|role| person.role == role);
        let mut of: Vec<&mut Person> = self.staff.iter_mut().filter(is_one).collect();
        let at = self.dice.below(u64::try_from(of.len()).unwrap_or(1));
        let at = usize::try_from(at).unwrap_or(0);
        if at < of.len() { Some(of.swap_remove(at)) } else { None }
    }

    fn some_day(&mut self) -> i64 {
        i64::try_from(self.dice.below(self.days.unsigned_abs())).unwrap_or(0)
    }

    /// A day near the end.
    fn late(&mut self, before: i64, within: u64) -> i64 {
        self.days - before - i64::try_from(self.dice.below(within)).unwrap_or(0)
    }

    /// Holidays of two or three weeks, and some who come back from a long leave.
    fn leave(&mut self) {
        for at in 0..self.staff.len() {
            let (takes, from, long) = (self.dice.chance(0.4), self.some_day(), self.dice.chance(0.5));
            let person = self.staff.get_mut(at).filter(|person| takes && !person.is_service());
            if let Some(person) = person {
                person.away.push((from, from + 7 * (1 + i64::from(long)) + 5));
            }
        }
        for _ in 0..self.share(2.0) {
            let back = self.late(2, 20);
            self.anyone(None).into_iter().for_each(|person| person.away.push((back - 38, back)));
        }
    }

    fn travel(&mut self) {
        for (many, told, abroad) in [(6.0, true, true), (8.0, false, false), (4.0, false, true)] {
            for _ in 0..self.share(many) {
                let from = self.some_day();
                let to = from + 2 + i64::try_from(self.dice.below(5)).unwrap_or(0);
                let places = if abroad { &ABROAD[..] } else { &OFFICES[..3] };
                let place = self.dice.pick(places).copied().unwrap_or("IE");
                if let Some(person) = self.anyone(None).filter(|person| person.trips.is_empty()) {
                    person.trips.push((from, to, place, told));
                }
            }
        }
    }

    /// Joiners and changes of role.
    fn change(&mut self) {
        for _ in 0..self.share(4.0) {
            let (joined, changed) = (self.late(3, 25), self.late(3, 25));
            self.anyone(None).into_iter().for_each(|person| person.joined = joined);
            let to = self.dice.pick(&[Role::Support, Role::Analyst, Role::Engineer]).copied();
            let change = to.map(|role| (changed, role));
            self.anyone(None).into_iter().for_each(|person| person.change = change);
        }
    }

    /// Customers who are looked after, tools that keep sessions open, weeks on call.
    fn habits(&mut self) {
        for n in 0..self.share(5.0) {
            let agent = self.anyone(Some(Role::Support));
            agent.into_iter().for_each(|person| person.customer = Some(900_000 + n));
            self.anyone(Some(Role::Engineer)).into_iter().for_each(|person| person.pool = true);
        }
        for week in 0..=self.days / 7 {
            for _ in 0..2 {
                self.anyone(Some(Role::Engineer)).into_iter().for_each(|person| person.on_call.push(week));
            }
        }
    }
}

fn person(dice: &mut Dice, n: u32, of: u32) -> Person {
    let at = f64::from(n) / f64::from(of);
    let roles = [
        (0.45, Role::Support, "support"),
        (0.525, Role::Trainee, "trainee"),
        (0.65, Role::Analyst, "analyst"),
        (0.85, Role::Engineer, "engineer"),
        (0.95, Role::Security, "security"),
        (0.975, Role::Billing, "billing"),
        (1.01, Role::Feed, "feed"),
    ];
    let (_, role, name) = roles.into_iter().find(|(to, ..)| at < *to).unwrap_or((1.0, Role::Feed, "feed"));
    let places: &[&str] = match role {
        Role::Engineer => &OFFICES,
        Role::Billing | Role::Feed => &["IE"],
        _ => &OFFICES[..3],
    };
    let office = dice.pick(places).copied().unwrap_or("IE");
    let hour = match office {
        "US" => 15.0,
        "CN" => 1.0,
        _ => 8.0,
    };
    // Support works early, late and at night; everybody else by day.
    let shift = [-1.5, 6.5, 13.5];
    let shift = dice.pick(&shift).copied().unwrap_or(0.0);
    let begins = if role == Role::Support { hour + shift } else { hour + dice.between(-1.5, 1.5) };
    Person {
        name: format!("{name}-{n}"),
        role,
        office,
        begins,
        hours: 8.0,
        weekends: role == Role::Support && dice.chance(0.6),
        busy: dice.about(1.0, 0.3),
        joined: 0,
        away: Vec::new(),
        trips: Vec::new(),
        change: None,
        customer: None,
        pool: false,
        on_call: Vec::new(),
    }
}
