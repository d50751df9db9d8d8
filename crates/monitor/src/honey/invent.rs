//! Invents subjects who look like those among whom they are planted: each is put together from two others, column by
//! column, as the catalog says what a column identifies. Then all are shuffled and numbered anew, so that neither place
//! nor key tells who was added. Chance is an argument. Not here: files.

use std::collections::{BTreeMap, BTreeSet};

use policy::{Catalog, Identifier, Table};
use rand::{Rng, seq::SliceRandom};
use serde_json::Value;
use thiserror::Error;

/// Everything of one subject: rows by table, a row by column.
pub type Subject = BTreeMap<String, Vec<BTreeMap<String, Value>>>;

/// Why nobody can be hidden among these.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum InventError {
    #[error("at least {least} subjects are needed to hide {wanted} among them; there are {found}")]
    Few { wanted: usize, least: usize, found: usize },
    #[error(
        "subject {line}: {problem}; each line is {{\"table\": [{{\"column\": value}}]}} with one row of {table:?}"
    )]
    Subject { line: usize, problem: String, table: String },
    #[error("subjects and rows have to be numbered by whole numbers; {0:?} is not one")]
    Key(Value),
}

/// Subjects that are needed for each that is hidden among them.
pub const AMONG_MIN: usize = 10;

/// How often somebody is drawn again whose names are taken.
const TRIES_MAX: u32 = 64;

/// Hides `wanted` new subjects among these. Answers all of them, and the keys of the new ones.
pub fn plant(
    catalog: &Catalog,
    mut subjects: Vec<Subject>,
    wanted: usize,
    random: &mut impl Rng,
) -> Result<(Vec<Subject>, BTreeSet<String>), InventError> {
    let (found, least) = (subjects.len(), wanted.saturating_mul(AMONG_MIN).max(2));
    if found < least {
        return Err(InventError::Few { wanted, least, found });
    }
    for (line, subject) in (1..).zip(&subjects) {
        check(catalog, line, subject)?;
    }
    let mut numbers = Numbers::of(catalog, &subjects)?;
    let mut new: BTreeSet<i64> = BTreeSet::new();
    let mut taken: BTreeSet<String> = subjects.iter().flat_map(|subject| names(catalog, subject)).collect();
    for _ in 0..wanted {
        let mut invented = invent(catalog, &subjects, found, &mut numbers, random)?;
        // Nobody else has the handle or the address; with few to take names from, the first draw may be somebody's.
        for _ in 0..TRIES_MAX {
            if names(catalog, &invented).iter().all(|name| !taken.contains(name)) {
                break;
            }
            invented = invent(catalog, &subjects, found, &mut numbers, random)?;
        }
        taken.extend(names(catalog, &invented));
        new.insert(key_of(catalog, &invented)?);
        subjects.push(invented);
    }
    subjects.shuffle(random);
    let names = numbers.in_order(catalog, &subjects)?;
    for subject in &mut subjects {
        rename(catalog, subject, &names);
    }
    let subjects_of = |key: &i64| names.get(&catalog.subject_table).and_then(|names| names.get(key)).copied();
    let new = new.iter().filter_map(subjects_of).map(|key| key.to_string()).collect();
    Ok((subjects, new))
}

/// The handles and addresses of a subject, which are one person's each.
fn names(catalog: &Catalog, subject: &Subject) -> Vec<String> {
    let one = |table: &Table, column: &str| {
        let identifier = table.column(column).map(|column| column.identifier);
        matches!(identifier, Some(Identifier::Handle | Identifier::Email))
    };
    let mut found = Vec::new();
    for (name, rows) in subject {
        let Some(table) = catalog.table(name) else { continue };
        let named = rows.iter().flatten().filter(|(column, _)| one(table, column));
        found.extend(named.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
    }
    found
}

fn check(catalog: &Catalog, line: usize, subject: &Subject) -> Result<(), InventError> {
    let wrong =
        |problem: String| Err(InventError::Subject { line, problem, table: catalog.subject_table.clone() });
    if subject.get(&catalog.subject_table).is_none_or(|rows| rows.len() != 1) {
        return wrong("not one row of the subjects' table".to_owned());
    }
    for (name, rows) in subject {
        let Some(table) = catalog.table(name) else {
            return wrong(format!("the catalog has no table {name:?}"));
        };
        let unknown = rows.iter().flat_map(BTreeMap::keys).find(|column| table.column(column).is_none());
        if let Some(column) = unknown {
            return wrong(format!("the catalog has no column {name}.{column}"));
        }
    }
    Ok(())
}

fn key_of(catalog: &Catalog, subject: &Subject) -> Result<i64, InventError> {
    let table = catalog.table(&catalog.subject_table);
    let rows = subject.get(&catalog.subject_table).and_then(|rows| rows.first());
    let value = table.zip(rows).and_then(|(table, row)| row.get(&table.key));
    number(value.unwrap_or(&Value::Null))
}

fn number(value: &Value) -> Result<i64, InventError> {
    value.as_i64().ok_or_else(|| InventError::Key(value.clone()))
}

/// Numbers of rows, by table: those there are, and the next.
struct Numbers(BTreeMap<String, BTreeSet<i64>>);

/// Old number to new, by table.
type Names = BTreeMap<String, BTreeMap<i64, i64>>;

impl Numbers {
    fn of(catalog: &Catalog, subjects: &[Subject]) -> Result<Numbers, InventError> {
        let mut numbers: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for (name, row) in rows(subjects) {
            if let Some(value) = catalog.table(name).and_then(|table| row.get(&table.key)) {
                numbers.entry(name.to_owned()).or_default().insert(number(value)?);
            }
        }
        Ok(Numbers(numbers))
    }

    fn next(&mut self, table: &str) -> i64 {
        let numbers = self.0.entry(table.to_owned()).or_default();
        let next = numbers.last().copied().unwrap_or(0).saturating_add(1);
        numbers.insert(next);
        next
    }

    /// The numbers there are, given out in the order in which the subjects are now.
    fn in_order(&self, catalog: &Catalog, subjects: &[Subject]) -> Result<Names, InventError> {
        let mut free: BTreeMap<&str, _> =
            self.0.iter().map(|(table, numbers)| (table.as_str(), numbers.iter().copied())).collect();
        let mut names = Names::new();
        for (name, row) in rows(subjects) {
            let Some(value) = catalog.table(name).and_then(|table| row.get(&table.key)) else { continue };
            if let Some(new) = free.get_mut(name).and_then(Iterator::next) {
                names.entry(name.to_owned()).or_default().insert(number(value)?, new);
            }
        }
        Ok(names)
    }
}

fn rows(subjects: &[Subject]) -> impl Iterator<Item = (&str, &BTreeMap<String, Value>)> {
    subjects.iter().flatten().flat_map(|(name, rows)| rows.iter().map(move |row| (name.as_str(), row)))
}

/// The table whose rows a column numbers, if it does.
fn numbered<'c>(catalog: &'c Catalog, table: &'c Table, column: &str) -> Option<&'c str> {
    if column == table.key {
        return Some(&table.name);
    }
    if column == table.subject_key {
        return Some(&catalog.subject_table);
    }
    table.references.iter().find(|reference| reference.column == column).map(|reference| &*reference.table)
}

fn rename(catalog: &Catalog, subject: &mut Subject, names: &Names) {
    for (name, rows) in subject {
        let Some(table) = catalog.table(name) else { continue };
        for (column, value) in rows.iter_mut().flatten() {
            let names = numbered(catalog, table, column).and_then(|of| names.get(of));
            if let Some(new) = names.zip(value.as_i64()).and_then(|(names, old)| names.get(&old)) {
                *value = (*new).into();
            }
        }
    }
}

/// One who is like the first and has the names of the second.
fn invent(
    catalog: &Catalog,
    subjects: &[Subject],
    real: usize,
    numbers: &mut Numbers,
    random: &mut impl Rng,
) -> Result<Subject, InventError> {
    let few = || InventError::Few { wanted: 1, least: 2, found: real };
    let (like, named) = (random.random_range(0..real), random.random_range(0..real));
    let mut subject = subjects.get(like).ok_or_else(few)?.clone();
    let donor = subjects.get(named).ok_or_else(few)?;
    let mut own: Names = Names::new();
    for (name, rows) in &subject {
        let Some(table) = catalog.table(name) else { continue };
        for value in rows.iter().filter_map(|row| row.get(&table.key)) {
            own.entry(name.clone()).or_default().insert(number(value)?, numbers.next(name));
        }
    }
    rename(catalog, &mut subject, &own);
    for (name, rows) in &mut subject {
        let Some(table) = catalog.table(name) else { continue };
        let theirs = donor.get(name).and_then(|rows| rows.first());
        for row in rows {
            for (column, value) in row {
                let identifier = table.column(column).map(|column| column.identifier);
                let other = theirs.and_then(|theirs| theirs.get(column)).and_then(Value::as_str);
                if let (Some(identifier), Value::String(text)) = (identifier, value) {
                    *text = mixed(identifier, text, other.unwrap_or(text), random);
                }
            }
        }
    }
    Ok(subject)
}

/// A value like one's own, with what tells people apart from another's, or drawn.
fn mixed(identifier: Identifier, own: &str, other: &str, random: &mut impl Rng) -> String {
    match identifier {
        Identifier::Name => match (own.split_once(' '), other.split_once(' ')) {
            (Some((given, _)), Some((_, family))) => format!("{given} {family}"),
            _ => other.to_owned(),
        },
        Identifier::Handle => format!("{}{}", other.trim_end_matches(is_digit), random.random_range(2..90)),
        Identifier::Email => {
            let (given, rest) = own.split_once('.').unwrap_or((own, ""));
            let (name, domain) = other.split_once('@').unwrap_or((rest, "example.org"));
            let family = name.rsplit('.').next().unwrap_or(name).trim_end_matches(is_digit);
            format!("{given}.{family}{}@{domain}", random.random_range(2..90))
        }
        Identifier::Phone => last_digits(own, 4, random),
        Identifier::Account => last_digits(own, 6, random),
        Identifier::Iban => iban(own, random),
        Identifier::Device => {
            let draw = |c: char| match c {
                c if c.is_ascii_hexdigit() => char::from_digit(random.random_range(0..16), 16).unwrap_or(c),
                c => c,
            };
            own.chars().map(draw).collect()
        }
        Identifier::Date => other.to_owned(),
        Identifier::None | Identifier::Subject | Identifier::Ip | Identifier::Content | Identifier::Row => {
            own.to_owned()
        }
    }
}

fn digit(random: &mut impl Rng) -> char {
    char::from(b'0'.saturating_add(random.random_range(0..10)))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// The number with so many of its last places drawn.
fn last_digits(own: &str, places: usize, random: &mut impl Rng) -> String {
    let kept = own.len().saturating_sub(places);
    let draw = |(at, c): (usize, char)| if at >= kept && is_digit(c) { digit(random) } else { c };
    own.char_indices().map(draw).collect()
}

/// Another account at the same bank: the last digits drawn, the check digits worked out (ISO 13616). What is no IBAN
/// stays as it is.
fn iban(own: &str, random: &mut impl Rng) -> String {
    let Some((country, rest)) = own.split_at_checked(2) else { return own.to_owned() };
    let Some((_, account)) = rest.split_at_checked(2) else { return own.to_owned() };
    let kept = account.len().saturating_sub(6);
    let account: String = account
        .char_indices()
        .map(|(at, c)| match c {
            c if at >= kept && is_digit(c) => digit(random),
            c => c,
        })
        .collect();
    let turned = format!("{account}{country}00");
    let remainder = turned.chars().try_fold(0_u32, |sum, c| {
        let value = c.to_digit(36)?;
        Some((if value < 10 { sum * 10 + value } else { sum * 100 + value }) % 97)
    });
    match remainder {
        Some(remainder) => format!("{country}{:02}{account}", 98_u32.saturating_sub(remainder)),
        None => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};
    use serde_json::json;

    use super::*;

    fn bundle() -> policy::Bundle {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
        let files = crate::bundle::read_files(&root).unwrap();
        policy::Bundle::read(&files).unwrap()
    }

    /// `n` subjects as a loader has them, numbered from 1 000.
    fn population(n: i64) -> Vec<Subject> {
        (1_000..1_000 + n)
            .map(|id| {
                let subject = json!({
                    "users": [{
                        "id": id, "home_site": "hamar", "handle": format!("ola.{id}"), "full_name": format!("Ola Nr{id}"),
                        "email": format!("ola.nr{id}@post.example"), "phone": "+47 21 00 12 34",
                        "birth_date": "1990-01-31",
                    }],
                    "payments": [{ "id": id * 2, "home_site": "hamar", "user_id": id, "iban": "GB82WEST12345698765432" }],
                    "devices": [{ "id": id, "user_id": id, "identifier": "00ff00ff00ff00ff" }],
                    "sign_ins": [{ "id": id, "user_id": id, "device_id": id }],
                    "messages": [{ "id": id, "sender_id": id, "recipient_id": 7 }],
                });
                serde_json::from_value(subject).unwrap()
            })
            .collect()
    }

    #[test]
    fn the_planted_are_like_the_others_and_told_apart_by_nothing() {
        let bundle = bundle();
        let catalog = bundle.catalog();
        let before = population(100);
        let (all, keys) = plant(catalog, before, 10, &mut StdRng::seed_from_u64(1)).unwrap();
        assert_eq!((all.len(), keys.len()), (110, 10));
        let ids: Vec<i64> = all.iter().map(|subject| key_of(catalog, subject).unwrap()).collect();
        assert_eq!(ids, (1_000..1_110).collect::<Vec<_>>(), "numbered in the order in which they are");
        let high = keys.iter().filter(|key| key.parse::<i64>().unwrap() >= 1_100).count();
        assert!(high < 8, "{keys:?}: keys tell who was added");
        let texts = |column: &str| {
            let of = |subject: &Subject| subject["users"][0][column].as_str().unwrap().to_owned();
            all.iter().map(of).collect::<BTreeSet<_>>()
        };
        assert_eq!((texts("handle").len(), texts("email").len()), (110, 110), "unique");
        for subject in &all {
            let id = subject["users"][0]["id"].as_i64().unwrap();
            for (table, column) in
                [("payments", "user_id"), ("devices", "user_id"), ("messages", "sender_id")]
            {
                assert_eq!(subject[table][0][column], id, "{table}");
            }
            assert_eq!(subject["sign_ins"][0]["device_id"], subject["devices"][0]["id"]);
            assert_eq!(subject["messages"][0]["recipient_id"], 7, "who is not among them stays");
            let iban = subject["payments"][0]["iban"].as_str().unwrap();
            assert!(iban.starts_with("GB") && iban.len() == 22 && checks(iban), "{iban}");
        }
        let again = plant(catalog, population(100), 10, &mut StdRng::seed_from_u64(1)).unwrap();
        assert_eq!(again, (all, keys), "the same seed plants the same");
    }

    /// ISO 7064, MOD 97-10.
    fn checks(iban: &str) -> bool {
        let turned = format!("{}{}", &iban[4..], &iban[..4]);
        let digits: String = turned.chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
        digits.bytes().fold(0, |sum, digit| (sum * 10 + u32::from(digit - b'0')) % 97) == 1
    }

    #[test]
    fn what_cannot_hide_anybody_is_refused() {
        let bundle = bundle();
        let catalog = bundle.catalog();
        let check = |subjects: Vec<Subject>, expected: &str| {
            let said = plant(catalog, subjects, 2, &mut StdRng::seed_from_u64(1)).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        };
        check(population(19), "at least 20 subjects are needed to hide 2");
        let with = |change: serde_json::Value| {
            let mut subjects = population(20);
            subjects[3] = serde_json::from_value(change).unwrap();
            subjects
        };
        check(with(json!({ "users": [] })), "subject 4: not one row");
        check(with(json!({ "users": [{ "id": 1 }], "pets": [] })), "no table \"pets\"");
        check(with(json!({ "users": [{ "id": 1, "shoe": 43 }] })), "no column users.shoe");
        check(with(json!({ "users": [{ "id": "x" }] })), "whole numbers");
    }
}
