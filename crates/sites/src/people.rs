//! Generated subjects of the region: persons, what they pay and what they do, the same for the same seed. They are
//! invented: names are put together by chance, e-mail domains are reserved ones, banks do not exist. Not here: where they
//! live (`region`), loading them.

use std::collections::HashMap;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use life::Life;
use numbers::{below, one};

pub use life::{Device, Message, Post, SignIn};
pub use region::{Banking, HomeSite, Region};

mod country;
mod life;
mod names;
mod numbers;
mod region;
#[cfg(test)]
mod tests;

const DAY_SECONDS: i64 = 86_400;
/// 2018-08-01, when the first subjects joined.
const FIRST_DAY: i64 = 17_744;
/// 2025-11-01, before which everything happened.
const LAST_DAY: i64 = 20_393;
const AGE_YEARS_MIN: u64 = 14;
const AGE_YEARS_MAX: u64 = 86;
/// Payments of one subject.
const PAYMENTS_MAX: u64 = 4;
/// Domains under which nobody has mail: example.org and its like, and the top level domain `example` (RFC 2606).
const MAIL_DOMAINS: &[&str] = &[
    "example.com",
    "example.net",
    "example.org",
    "home.example",
    "inbox.example",
    "mail.example",
    "mail.example.org",
    "post.example",
];

/// A subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Unique in the enclave.
    pub id: i64,
    /// Name of the site.
    pub home_site: String,
    /// Unique: ASCII letters, digits, `.` and `_`.
    pub handle: String,
    /// Given name, space, family name.
    pub full_name: String,
    /// Unique.
    pub email: String,
    /// `+`, calling code, space, national number.
    pub phone: String,
    /// Days since 1970-01-01.
    pub birth_date_days: i32,
    /// ISO 3166, two letters.
    pub country: String,
    /// ISO 639, two letters.
    pub language: String,
    /// Whether the subject agreed to analytics.
    pub analytics_consent: bool,
    /// How many follow the subject.
    pub followers: i32,
    /// Unix time in microseconds.
    pub created_at_micros: i64,
}

/// A payment of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Unique in the enclave.
    pub id: i64,
    /// The subject's.
    pub home_site: String,
    /// The subject.
    pub user_id: i64,
    /// Hundredths of the currency.
    pub amount_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// The account it is paid from.
    pub bank: Bank,
    /// `paid`, `pending`, `failed` or `refunded`.
    pub status: String,
    /// Unix time in microseconds.
    pub paid_at_micros: i64,
}

/// A bank account, as its country writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bank {
    /// Without spaces.
    Iban(String),
    /// Two numbers.
    Routed {
        /// Nine digits (ABA): the bank.
        routing: String,
        /// 10 to 12 digits.
        account: String,
    },
}

/// A person and everything that is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Who it is.
    pub person: Person,
    /// In no order.
    pub payments: Vec<Payment>,
    /// What the subject signs in with.
    pub device: Device,
    /// The last time.
    pub sign_in: SignIn,
    /// In no order.
    pub posts: Vec<Post>,
    /// To another subject.
    pub message: Option<Message>,
}

/// Subjects, one after the other. Fewer subjects of the same seed and region are the first of more.
#[derive(Debug, Clone)]
pub struct Population {
    subjects: u64,
    countries: Vec<Lived>,
    maker: Maker,
    life: Life,
}

/// A country with its names taken apart and the sites nearest to it.
#[derive(Debug, Clone)]
struct Lived {
    country: &'static country::Country,
    given: Vec<&'static str>,
    family: Vec<&'static str>,
    sites: Vec<String>,
}

/// What is used up while subjects are made.
#[derive(Debug, Clone)]
struct Maker {
    random: ChaCha8Rng,
    made: u64,
    payments: i64,
    /// How often a handle or an address was wanted.
    taken: HashMap<String, u32>,
}

impl Population {
    /// The same seed and region make the same subjects. Without sites there are none.
    pub fn new(seed: u64, subjects: u64, region: &Region) -> Self {
        let lived = |country: &'static country::Country| Lived {
            country,
            given: country.names.given.split('|').collect(),
            family: country.names.family.split('|').collect(),
            sites: region.nearest(country.code),
        };
        let random = ChaCha8Rng::seed_from_u64(seed);
        let mut other = random.clone();
        other.set_stream(1);
        Self {
            subjects: if region.sites.is_empty() { 0 } else { subjects },
            countries: region.lived_in().map(lived).collect(),
            maker: Maker { random, made: 0, payments: 0, taken: HashMap::new() },
            life: Life::new(other),
        }
    }
}

impl Iterator for Population {
    type Item = Subject;

    fn next(&mut self) -> Option<Self::Item> {
        if self.maker.made >= self.subjects {
            return None;
        }
        let total = self.countries.iter().map(|lived| lived.country.weight).sum();
        let mut at = below(&mut self.maker.random, total);
        let lived = self.countries.iter().find(|lived| {
            let here = at < lived.country.weight;
            at = at.saturating_sub(lived.country.weight);
            here
        })?;
        self.maker.made = self.maker.made.saturating_add(1);
        let person = self.maker.person(lived)?;
        let payments = self.maker.payments(lived, &person)?;
        let (device, sign_in) = self.life.device(&person)?;
        let posts = self.life.posts(&person)?;
        let message = self.life.message(&person, self.maker.made.saturating_sub(1))?;
        Some(Subject { person, payments, device, sign_in, posts, message })
    }
}

impl Maker {
    /// The name itself, or with a number behind it when it is taken. Names end in a letter, so that two with numbers
    /// never meet.
    fn free(&mut self, name: &str, behind: &str) -> String {
        let times = self.taken.entry(format!("{name}{behind}")).or_default();
        *times = times.saturating_add(1);
        match times {
            1 => format!("{name}{behind}"),
            times => format!("{name}{times}{behind}"),
        }
    }

    fn handle(&mut self, given: &str, family: &str) -> String {
        let initial = given.get(..1).unwrap_or_default();
        let base = match below(&mut self.random, 6) {
            0 => format!("{given}.{family}"),
            1 => format!("{given}{family}"),
            2 => format!("{family}.{given}"),
            3 => format!("{given}_{family}"),
            4 => format!("{initial}.{family}"),
            _ => format!("its_{given}"),
        };
        self.free(&base, "")
    }

    fn person(&mut self, lived: &Lived) -> Option<Person> {
        let given = *one(&mut self.random, &lived.given)?;
        let family = *one(&mut self.random, &lived.family)?;
        let (plain_given, plain_family) = (plain(given), plain(family));
        let handle = self.handle(&plain_given, &plain_family);
        let domain = one(&mut self.random, MAIL_DOMAINS)?;
        let email = self.free(&format!("{plain_given}.{plain_family}"), &format!("@{domain}"));
        let random = &mut self.random;
        let [first, second] = lived.country.languages;
        let joined = moment(random, FIRST_DAY, LAST_DAY)?;
        Some(Person {
            id: i64::try_from(self.made).ok()?,
            home_site: one(random, &lived.sites)?.clone(),
            handle,
            full_name: format!("{given} {family}"),
            email,
            phone: numbers::phone(random, lived.country),
            birth_date_days: birth_date(random)?,
            country: lived.country.code.to_owned(),
            language: if below(random, 4) == 0 { second } else { first }.to_owned(),
            analytics_consent: below(random, 100) < 62,
            followers: followers(random)?,
            created_at_micros: joined,
        })
    }

    fn payments(&mut self, lived: &Lived, person: &Person) -> Option<Vec<Payment>> {
        let random = &mut self.random;
        let bank = numbers::bank(random, lived.country);
        let joined_day = person.created_at_micros / 1_000_000 / DAY_SECONDS;
        let count = below(random, PAYMENTS_MAX.saturating_add(1));
        let mut payments = Vec::new();
        for _ in 0..count {
            let status = match below(random, 100) {
                0..90 => "paid",
                90..94 => "refunded",
                94..98 => "failed",
                _ => "pending",
            };
            let whole = i64::try_from(below(random, 120)).ok()?;
            self.payments = self.payments.saturating_add(1);
            payments.push(Payment {
                id: self.payments,
                home_site: person.home_site.clone(),
                user_id: person.id,
                amount_cents: whole.saturating_mul(100).saturating_add(99),
                currency: lived.country.currency.to_owned(),
                bank: bank.clone(),
                status: status.to_owned(),
                paid_at_micros: moment(random, joined_day.saturating_add(1), LAST_DAY.saturating_add(1))?,
            });
        }
        Some(payments)
    }
}

/// A moment on a day from `first` until before `last`, in microseconds.
fn moment(random: &mut impl RngCore, first: i64, last: i64) -> Option<i64> {
    let seconds = last.saturating_sub(first).max(1).saturating_mul(DAY_SECONDS);
    let micros = below(random, u64::try_from(seconds).ok()?.saturating_mul(1_000_000));
    Some(first.saturating_mul(DAY_SECONDS * 1_000_000).saturating_add(i64::try_from(micros).ok()?))
}

/// Of the smaller of two ages: most are young.
fn birth_date(random: &mut impl RngCore) -> Option<i32> {
    let span = (AGE_YEARS_MAX - AGE_YEARS_MIN) * 365;
    let age = below(random, span).min(below(random, span)).saturating_add(AGE_YEARS_MIN * 366);
    i32::try_from(LAST_DAY.saturating_sub(i64::try_from(age).ok()?)).ok()
}

/// Few have many.
fn followers(random: &mut impl RngCore) -> Option<i32> {
    let bits = below(random, 12).saturating_add(below(random, 12));
    i32::try_from(below(random, 1 << bits)).ok()
}

/// The name in lower-case ASCII letters.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' => plain.push(letter),
            'á' | 'à' | 'â' | 'ã' | 'ă' | 'ą' => plain.push('a'),
            'ä' | 'æ' => plain.push_str("ae"),
            'å' => plain.push_str("aa"),
            'ç' | 'ć' | 'č' => plain.push('c'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' => plain.push('e'),
            'í' | 'ì' | 'î' | 'ï' | 'ı' => plain.push('i'),
            'ł' => plain.push('l'),
            'ñ' | 'ń' => plain.push('n'),
            'ó' | 'ò' | 'ô' | 'õ' | 'ő' => plain.push('o'),
            'ö' | 'ø' => plain.push_str("oe"),
            'ś' | 'ș' | 'š' => plain.push('s'),
            'ß' => plain.push_str("ss"),
            'ț' => plain.push('t'),
            'ú' | 'ù' | 'û' | 'ű' => plain.push('u'),
            'ü' => plain.push_str("ue"),
            'ź' | 'ż' | 'ž' => plain.push('z'),
            // Apostrophes and spaces.
            _ => {}
        }
    }
    plain
}
