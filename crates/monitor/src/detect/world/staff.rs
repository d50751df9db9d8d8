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
    let mut staff: Vec<Person> = (0..principals).map(|n| person(dice, n, principals)).collect();
    let people = |staff: &[Person], role: Option<Role>| -> Vec<usize> {
        let is_one = |person: &Person| !person.is_service() && role.is_none_or(|role| person.role == role);
        (0..staff.len()).filter(|at| staff.get(*at).is_some_and(is_one)).collect()
    };
    let share = |of: f64| (f64::from(principals) * of / 200.0).ceil() as u64;
    let all = people(&staff, None);
    let anyone = |dice: &mut Dice, of: &[usize]| dice.pick(of).copied().unwrap_or(0);
    // Holidays of two or three weeks, and two people who come back from a long leave.
    for at in &all {
        if let Some(person) = staff.get_mut(*at).filter(|_| dice.chance(0.4)) {
            let from = i64::try_from(dice.below(u64::try_from(days).unwrap_or(1))).unwrap_or(0);
            person.away.push((from, from + 7 * (1 + i64::from(dice.chance(0.5))) + 5));
        }
    }
    for _ in 0..share(2.0) {
        let back = days - 2 - i64::try_from(dice.below(20)).unwrap_or(0);
        if let Some(person) = staff.get_mut(anyone(dice, &all)) {
            person.away.push((back - 38, back));
        }
    }
    for (many, told, abroad) in [(6.0, true, true), (8.0, false, false), (4.0, false, true)] {
        for _ in 0..share(many) {
            let from = i64::try_from(dice.below(u64::try_from(days).unwrap_or(1))).unwrap_or(0);
            let to = from + 2 + i64::try_from(dice.below(5)).unwrap_or(0);
            let place = dice.pick(if abroad { &ABROAD[..] } else { &OFFICES[..3] }).copied().unwrap_or("IE");
            if let Some(person) = staff.get_mut(anyone(dice, &all)).filter(|p| p.trips.is_empty()) {
                person.trips.push((from, to, place, told));
            }
        }
    }
    let late = |dice: &mut Dice| days - 3 - i64::try_from(dice.below(25)).unwrap_or(0);
    for _ in 0..share(4.0) {
        if let Some(person) = staff.get_mut(anyone(dice, &all)) {
            person.joined = late(dice);
        }
        let to = dice.pick(&[Role::Support, Role::Analyst, Role::Engineer]).copied();
        if let Some(person) = staff.get_mut(anyone(dice, &all)) {
            person.change = to.map(|role| (late(dice), role));
        }
    }
    for (role, many, which) in [(Role::Support, 5.0, 0), (Role::Engineer, 5.0, 1)] {
        let of = people(&staff, Some(role));
        for n in 0..share(many) {
            if let Some(person) = staff.get_mut(anyone(dice, &of)) {
                match which {
                    0 => person.customer = Some(900_000 + n),
                    _ => person.pool = true,
                }
            }
        }
    }
    let engineers = people(&staff, Some(Role::Engineer));
    for week in 0..=days / 7 {
        for _ in 0..2 {
            if let Some(person) = staff.get_mut(anyone(dice, &engineers)) {
                person.on_call.push(week);
            }
        }
    }
    staff
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
