//! What a world is like: its size, its people, how much is attacked. Not here: the published statistics it is drawn from,
//! which are where they are used.

/// The shape of a world.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The same seed and shape give the same world, byte for byte.
    pub seed: u64,
    /// Accounts that somebody uses.
    pub users: u32,
    /// How long it lasts.
    pub days: u32,
    /// Its first midnight, milliseconds since 1970.
    pub start_ms: i64,
    /// Who the users are.
    pub people: People,
    /// The home country, of 42% of the users.
    pub home: [u8; 2],
    /// Individual attackers of each kind (naive, VPN, targeted), as a share of the logins that succeed; but at least 200
    /// of each kind where there are users enough.
    pub attackers: f64,
    /// Of the individual attackers, how many come from rented machines and not from networks as the victims have them.
    pub rented: f64,
    /// Campaigns of each kind a day.
    pub campaigns: f64,
    /// How much of a network's customers' addresses changes: 1 is what is usual.
    pub churn: f64,
    /// Whether there are the days on which something harmless looks like an attack.
    pub traps: bool,
}

/// Who the users of a service are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// Anybody: most log in a few times, few do daily.
    Customers,
    /// People who work there: on working days, in departments, to many services, with a second factor.
    Employees,
}

impl Shape {
    /// A world of this size with everything as published.
    pub fn new(seed: u64, users: u32, days: u32) -> Self {
        Self {
            seed,
            users,
            days,
            start_ms: START_MS,
            people: People::Customers,
            home: *b"NO",
            attackers: 0.01,
            rented: 0.0,
            campaigns: 0.5,
            churn: 1.0,
            traps: true,
        }
    }
}

/// Monday, 6 January 2025.
const START_MS: i64 = 1_736_121_600_000;
pub(super) const DAY_MS: i64 = 86_400_000;
pub(super) const HOUR_MS: f64 = 3_600_000.0;
