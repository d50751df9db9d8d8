//! Generated subjects of the region: persons and their payments, the same for the same seed. Not here: loading them.

/// A subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Unique in the enclave.
    pub id: i64,
    /// Name of the site.
    pub home_site: String,
    pub handle: String,
    pub full_name: String,
    pub email: String,
    pub phone: String,
    /// Days since 1970-01-01.
    pub birth_date_days: i32,
    pub country: String,
    pub language: String,
    pub analytics_consent: bool,
    pub followers: i32,
    /// Unix time in microseconds.
    pub created_at_micros: i64,
}

/// A payment of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: i64,
    pub home_site: String,
    pub user_id: i64,
    pub amount_cents: i64,
    pub currency: String,
    pub iban: String,
    pub status: String,
    /// Unix time in microseconds.
    pub paid_at_micros: i64,
}

/// Subjects with their payments, one after the other.
#[derive(Debug, Clone)]
pub struct Population {
    next: u64,
    subjects: u64,
    sites: Vec<String>,
}

impl Population {
    /// The same seed makes the same subjects.
    pub fn new(_seed: u64, subjects: u64, sites: &[String]) -> Self {
        Self { next: 0, subjects, sites: sites.to_vec() }
    }
}

impl Iterator for Population {
    type Item = (Person, Vec<Payment>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.subjects {
            return None;
        }
        self.next += 1;
        let id = i64::try_from(self.next).ok()?;
        let site =
            self.sites.iter().cycle().nth(usize::try_from(self.next).ok()? % self.sites.len().max(1))?;
        let person = Person {
            id,
            home_site: site.clone(),
            handle: format!("user{id}"),
            full_name: format!("Person {id}"),
            email: format!("person{id}@example.org"),
            phone: format!("+353 87 {:07}", id % 10_000_000),
            birth_date_days: 7_000,
            country: "IE".to_owned(),
            language: "en".to_owned(),
            analytics_consent: id % 3 != 0,
            followers: 7,
            created_at_micros: 1_600_000_000_000_000,
        };
        let payment = |n| Payment {
            id: id * 10 + n,
            home_site: site.clone(),
            user_id: id,
            amount_cents: 1_250,
            currency: "EUR".to_owned(),
            iban: format!("IE29AIBK931152{:08}", id % 100_000_000),
            status: "paid".to_owned(),
            paid_at_micros: 1_650_000_000_000_000,
        };
        Some((person, vec![payment(1), payment(2)]))
    }
}
