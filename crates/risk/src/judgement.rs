//! What is said of an event: a score, an action, reasons, and what was found by many events together. Values are
//! numbers until somebody wants to read them. Not here: how they come about (`engine`).

/// The judgement of one event.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Log-odds (natural logarithm) that this is not the user: the sum of the reasons' contributions.
    pub score: f64,
    /// What to do about it.
    pub action: Action,
    /// Why, the largest contribution first. They sum to the score.
    pub reasons: Vec<Reason>,
    /// What this event completed, or added to.
    pub findings: Vec<Finding>,
    /// It was judged before: its source's identifier came already. Nothing was learnt from it again.
    pub is_repeat: bool,
}

/// What is done about an event, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing.
    Allow,
    /// Ask for a second proof.
    StepUp,
    /// Slow the source down.
    Throttle,
    /// Refuse.
    Block,
    /// Refuse, and end what is open.
    Revoke,
}

/// One contribution to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// Which term.
    pub term: Term,
    /// Its contribution, in log-odds.
    pub log_odds: f64,
    /// What was seen.
    pub observed: Value,
    /// What was expected of this user, or of a source.
    pub expected: Value,
}

/// Terms of the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    /// Where every score begins, by how much is known of the user.
    Prior,
    /// Address, prefix and autonomous system.
    Network,
    /// Country and distance.
    Place,
    /// Speed from the last login.
    Velocity,
    /// User agent without versions, and device.
    Device,
    /// Hour of the week.
    Hour,
    /// Round-trip time.
    Rtt,
    /// How long the account slept.
    Dormancy,
    /// What the user's peers do.
    Peers,
    /// Kind of network.
    NetworkKind,
    /// Target never used.
    Target,
    /// An analyst's verdict.
    Mark,
    /// What the source is doing to others.
    Source,
    /// What the source's network is doing to others.
    Campaign,
    /// What is being done to this user.
    Siege,
    /// The session was elsewhere.
    Session,
    /// Prompts for a second factor.
    Prompts,
    /// A change of password or factor after a risky login.
    Takeover,
}

/// A value in a reason: a number and what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Nothing to compare with.
    None,
    /// The event does not say.
    Missing,
    /// ISO country.
    Country([u8; 2]),
    /// Autonomous system.
    Asn(u32),
    /// A share of the user's or everybody's logins, 0 to 1.
    Share(f64),
    /// Kilometres an hour.
    Kmh(f64),
    /// Kilometres.
    Km(f64),
    /// Milliseconds.
    Ms(f64),
    /// Days.
    Days(f64),
    /// Hour of the week, 0 is Monday midnight UTC.
    HourOfWeek(u8),
    /// So many of what the term counts.
    Count(u64),
    /// A kind of network.
    Network(crate::event::Network),
    /// One of a few fixed words.
    Word(&'static str),
}

/// Something that several events show together.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// Names the finding: more events of the same campaign bring the same number again.
    pub id: u64,
    /// Whether this is the first time it is told.
    pub is_new: bool,
    /// When its first event was, milliseconds since 1970.
    pub since_ms: i64,
    /// Attempts, whether or not they succeeded; of prompts, how many there were.
    pub attempts: u64,
    /// Distinct users, estimated above some dozens.
    pub users: u64,
    /// Distinct sources, estimated above some dozens.
    pub sources: u64,
    /// Logins that succeeded.
    pub successes: u64,
    /// What is to be done, about the source or the session; never the owner's account.
    pub action: Action,
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Many users, few tries each.
    Spray,
    /// Many pairs of user and password, most of them wrong.
    Stuffing,
    /// Many tries at one user.
    BruteForce,
    /// A session in two places.
    Replay,
    /// Prompts until somebody gives in.
    MfaFatigue,
    /// A risky login, then a change of password or factor.
    Takeover,
}
