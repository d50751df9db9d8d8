//! `trefoil subjects …`: subjects who arrive at an enclave that is in use. `make` makes some up, as a file of a line
//! each; `load` takes such a file in. Between the two the monitor may hide subjects of its own among them
//! (`trefoil-monitor plant`), which is why the file is there. Not here: the first load (`up`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use policy::Bundle;
use serde_json::{Map, Value, json};
use sites::people::{Bank, Payment, Population, Region, Subject};
use tlog::entry::Micros;

use crate::cli::{SubjectsLoad, SubjectsMake};
use crate::enclave::estate::Estate;
use crate::ended::{Ended, OrEnded};
use crate::folder;
use crate::terminal;

/// Subjects that are taken in at once.
const SUBJECTS_MAX: usize = 100_000;

type Row = Map<String, Value>;
/// Rows by table.
type Rows = BTreeMap<String, Vec<Row>>;

pub(crate) fn make(asked: &SubjectsMake) -> Result<(), Ended> {
    let enclave = asked.enclave.folder();
    enclave.require_complete()?;
    let estate = Estate::read(&enclave)?;
    let cluster = estate.clusters().first().ok_or_else(|| Ended::cannot_tell("the enclave has no site"))?;
    let last = runtime()?.block_on(sites::arrivals::last_numbers(estate.bundle(), cluster));
    let mut last = last.or_not("looking for the last subject")?;
    let before = last.get("users").copied().and_then(|last| u64::try_from(last).ok()).unwrap_or(0);
    let region = Region::of(estate.bundle().enclave());
    // The same population goes on, so that no name is given twice.
    let skipped = usize::try_from(before).or_cannot_tell("counting the subjects")?;
    let all = before.saturating_add(u64::from(asked.count));
    let mut text = String::new();
    for subject in Population::new(asked.seed, all, &region).skip(skipped) {
        let rows = numbered(rows(&subject), &mut last);
        text.push_str(&serde_json::to_string(&rows).or_cannot_tell("writing a subject")?);
        text.push('\n');
    }
    folder::write_secret(&asked.out, text.as_bytes())?;
    terminal::say(&format!("{} subjects made; {}", asked.count, asked.out.display()));
    Ok(())
}

pub(crate) fn load(asked: &SubjectsLoad) -> Result<(), Ended> {
    let enclave = asked.enclave.folder();
    enclave.require_complete()?;
    let estate = Estate::read(&enclave)?;
    let subjects = read(&asked.file)?;
    let homes = by_home(estate.bundle(), &subjects)?;
    let runtime = runtime()?;
    for (home, rows) in &homes {
        let cluster = estate.clusters().iter().find(|cluster| cluster.site() == home);
        let cluster = cluster.ok_or_else(|| Ended::not(format!("the enclave has no site {home:?}")))?;
        let rows = rows.iter().map(|(table, rows)| Ok((table.clone(), columns(table, rows)?)));
        let rows = rows.collect::<Result<_, Ended>>()?;
        let written = runtime.block_on(sites::arrivals::write(estate.bundle(), cluster, &rows));
        written.or_not(format!("taking subjects in at {home}"))?;
    }
    terminal::say(&format!("{} subjects taken in at {} sites", subjects.len(), homes.len()));
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, Ended> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")
}

/// Rows numbered after those that are there; what refers to a row of the same subject goes with it.
fn numbered(mut rows: Rows, last: &mut BTreeMap<String, i64>) -> Rows {
    let mut device = None;
    for (table, rows) in &mut rows {
        for row in rows {
            let next = last.entry(table.clone()).or_default();
            *next = next.saturating_add(1);
            row.insert("id".to_owned(), (*next).into());
            match table.as_str() {
                "devices" => device = Some(*next),
                "sign_ins" => drop(row.insert("device_id".to_owned(), device.into())),
                _ => {}
            }
        }
    }
    rows
}

/// A subject as rows, named as the catalog of the example names them.
fn rows(subject: &Subject) -> Rows {
    let Subject { person, payments, device, sign_in, posts, message } = subject;
    let (home, id) = (&person.home_site, person.id);
    let mut rows = Rows::new();
    let mut add = |table: &str, row: Value| {
        if let Value::Object(row) = row {
            rows.entry(table.to_owned()).or_default().push(row);
        }
    };
    let day = |days: i32| at(i64::from(days).saturating_mul(86_400_000_000)).get(..10).map(str::to_owned);
    add(
        "users",
        json!({
            "id": id, "home_site": home, "handle": person.handle, "full_name": person.full_name,
            "email": person.email, "phone": person.phone, "birth_date": day(person.birth_date_days),
            "country": person.country, "language": person.language, "analytics_consent": person.analytics_consent,
            "followers": person.followers, "created_at": at(person.created_at_micros),
        }),
    );
    for one in payments {
        add("payments", payment(one));
    }
    for one in posts {
        let post = json!({
            "id": one.id, "home_site": home, "author_id": id, "body": one.body, "language": one.language,
            "likes": one.likes, "created_at": at(one.created_at_micros),
        });
        add("posts", post);
    }
    if let Some(one) = message {
        let sent = json!({
            "id": one.id, "home_site": home, "sender_id": id, "recipient_id": one.recipient_id,
            "body": one.body, "sent_at": at(one.sent_at_micros),
        });
        add("messages", sent);
    }
    add(
        "devices",
        json!({
            "id": device.id, "home_site": home, "user_id": id, "model": device.model, "os": device.os,
            "identifier": device.identifier, "ip": device.ip, "last_seen_at": at(device.last_seen_at_micros),
        }),
    );
    add(
        "sign_ins",
        json!({
            "id": sign_in.id, "home_site": home, "user_id": id, "device_id": sign_in.device_id, "ip": sign_in.ip,
            "country": sign_in.country, "succeeded": sign_in.succeeded, "at": at(sign_in.at_micros),
        }),
    );
    rows
}

fn payment(one: &Payment) -> Value {
    let mut paid = json!({
        "id": one.id, "home_site": one.home_site, "user_id": one.user_id, "amount_cents": one.amount_cents,
        "currency": one.currency, "status": one.status, "paid_at": at(one.paid_at_micros),
    });
    match &one.bank {
        Bank::Iban(iban) => paid["iban"] = json!(iban),
        Bank::Routed { routing, account } => {
            (paid["routing_number"], paid["account_number"]) = (json!(routing), json!(account));
        }
    }
    paid
}

fn at(micros: i64) -> String {
    Micros(micros).to_string()
}

fn read(path: &Path) -> Result<Vec<Rows>, Ended> {
    let text = fs::read_to_string(path).or_cannot_tell(format!("reading {}", path.display()))?;
    let subject = |(number, line): (usize, &str)| {
        serde_json::from_str(line).or_cannot_tell(format!("{}: line {number}", path.display()))
    };
    let subjects: Vec<Rows> = (1..).zip(text.lines()).map(subject).collect::<Result<_, Ended>>()?;
    if subjects.len() > SUBJECTS_MAX {
        return Err(Ended::cannot_tell(format!("more than {SUBJECTS_MAX} subjects; load them in parts")));
    }
    Ok(subjects)
}

/// Rows by home, as the subject's own row says it.
fn by_home(bundle: &Bundle, subjects: &[Rows]) -> Result<BTreeMap<String, Rows>, Ended> {
    let catalog = bundle.catalog();
    let mut homes: BTreeMap<String, Rows> = BTreeMap::new();
    for (number, subject) in (1..).zip(subjects) {
        let table = catalog.table(&catalog.subject_table);
        let own = subject.get(&catalog.subject_table).and_then(|rows| rows.first());
        let home = table.zip(own).and_then(|(table, row)| row.get(&table.home)).and_then(Value::as_str);
        let home = home.ok_or_else(|| Ended::not(format!("subject {number} has no home")))?;
        for (table, rows) in subject {
            let of_home = homes.entry(home.to_owned()).or_default();
            of_home.entry(table.clone()).or_default().extend(rows.iter().cloned());
        }
    }
    Ok(homes)
}

/// The columns that all rows of a table have, and the rows as a JSON array.
fn columns(table: &str, rows: &[Row]) -> Result<(Vec<String>, String), Ended> {
    let columns: Vec<String> = rows.first().into_iter().flat_map(|row| row.keys().cloned()).collect();
    if rows.iter().any(|row| !row.keys().eq(columns.iter())) {
        return Err(Ended::not(format!("the rows of {table} do not all have the same columns")));
    }
    Ok((columns, serde_json::to_string(rows).or_cannot_tell("writing rows")?))
}
