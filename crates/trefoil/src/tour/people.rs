//! What each principal sees of the same row, and what is refused to whom.

use crate::tour::client::{self, Ask, Refused, Row, Session};
use crate::tour::subject::{Person, line, value};
use crate::tour::{Seen, Story};

pub(crate) const AOIFE: Ask<'static> =
    Ask { who: "aoife", place: "ireland", purpose: Some("support"), ticket: Some("T-1234"), site: None };
const LUKAS: Ask<'static> =
    Ask { who: "lukas", place: "germany", purpose: Some("analytics"), ticket: None, site: None };
const INGRID: Ask<'static> =
    Ask { who: "ingrid", place: "norway", purpose: Some("security"), ticket: Some("SEC-77"), site: None };
pub(crate) const WEI: Ask<'static> =
    Ask { who: "wei", place: "china", purpose: Some("engineering"), ticket: None, site: None };
const DANA: Ask<'static> =
    Ask { who: "dana", place: "united-states", purpose: Some("engineering"), ticket: None, site: None };

pub(crate) async fn tell(story: &mut Story<'_>, person: &Person) {
    story.chapter("What people see of the same row");
    see_support(story, person).await;
    see_pseudonyms(story, person).await;
    let seen = security(story, person).await;
    story.observe("ingrid in Norway, purpose security", seen);
    story.chapter("What is refused");
    refused_at_connect(story).await;
    refused_statements(story, person).await;
}

async fn see_support(story: &mut Story<'_>, person: &Person) {
    let seen = support(story, person).await;
    story.observe("aoife in Ireland, purpose support, ticket", seen);
    let seen = support_payment(story, person).await;
    story.observe("aoife, a payment of the same person", seen);
    let seen = prepared(story, person).await;
    story.observe("aoife, by a prepared statement", seen);
}

/// What aoife reads in one query; the record must have this statement.
pub(crate) fn support_query(person: &Person) -> String {
    format!(
        "SELECT id, full_name, email, phone, birth_date FROM users WHERE id = {} AND home_site = '{}'",
        person.get("id"),
        person.get("home_site")
    )
}

async fn support(story: &Story<'_>, person: &Person) -> Seen {
    let row = one(story, AOIFE, &support_query(person)).await?;
    let clear = ["id", "full_name", "birth_date"];
    let holds = clear.iter().all(|column| value(&row, column) == Some(person.get(column)))
        && is_masked(&row, person, "email")
        && is_masked(&row, person, "phone");
    Ok((holds, format!("personal data clear, restricted masked: {}", line(&row))))
}

async fn support_payment(story: &Story<'_>, person: &Person) -> Seen {
    let sql = format!(
        "SELECT amount_cents, currency, iban FROM payments WHERE user_id = {} AND home_site = '{}' ORDER BY id LIMIT 1",
        person.get("id"),
        person.get("home_site")
    );
    let row = one(story, AOIFE, &sql).await?;
    Ok((is_masked(&row, person, "iban"), line(&row)))
}

async fn prepared(story: &Story<'_>, person: &Person) -> Seen {
    let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string())?;
    let id: i64 = person.get("id").parse().map_err(|_| "the subject's id is no number".to_owned())?;
    let sql = "SELECT full_name FROM users WHERE id = $1 AND home_site = $2";
    let ask = async {
        let statement = session.client.prepare(sql).await?;
        let mut names = Vec::new();
        for _ in 0..2 {
            let row = session.client.query_one(&statement, &[&id, &person.get("home_site")]).await?;
            names.push(row.try_get::<_, String>(0)?);
        }
        Ok::<_, tokio_postgres::Error>(names)
    };
    let names = ask.await.map_err(|error| Refused::from(error).to_string())?;
    let holds = names.len() == 2 && names.iter().all(|name| name == person.get("full_name"));
    Ok((holds, format!("prepared once, executed {} times: {}", names.len(), names.join(", "))))
}

async fn see_pseudonyms(story: &mut Story<'_>, person: &Person) {
    let cases = [
        ("lukas in Germany, purpose analytics", LUKAS, "analytics_token", true),
        ("wei in China, purpose engineering", WEI, "engineering_token", false),
        ("dana in the United States, purpose engineering", DANA, "engineering_token", false),
    ];
    for (subject, ask, token, birth_year) in cases {
        let seen = pseudonyms(story, person, ask, token, birth_year).await;
        story.observe(subject, seen);
    }
}

/// A view under pseudonyms: the token instead of the key, years instead of dates, no other identifier, nothing
/// restricted.
async fn pseudonyms(story: &Story<'_>, person: &Person, ask: Ask<'_>, token: &str, birth_year: bool) -> Seen {
    let token = person.get(token);
    let row = one(story, ask, &format!("SELECT * FROM users WHERE id = '{token}'")).await?;
    let withheld = ["email", "phone", "full_name", "handle"];
    let birth = value(&row, "birth_date");
    let holds = value(&row, "id") == Some(token)
        && withheld.iter().all(|column| row.iter().all(|(name, _)| name != column))
        && person
            .clear_identifiers()
            .iter()
            .all(|clear| row.iter().all(|(_, v)| v.as_deref() != Some(*clear)))
        && value(&row, "created_at") == Some(person.get("created_year"))
        && if birth_year { birth == Some(person.get("birth_year")) } else { birth.is_none() };
    Ok((holds, format!("pseudonym, years, {} absent: {}", withheld.join(", "), line(&row))))
}

async fn security(story: &Story<'_>, person: &Person) -> Seen {
    let row = one(story, INGRID, &format!("SELECT * FROM users WHERE id = {}", person.get("id"))).await?;
    let masked = ["full_name", "email", "phone"];
    let holds = value(&row, "handle") == Some(person.get("handle"))
        && masked.iter().all(|column| is_masked(&row, person, column))
        && value(&row, "birth_date").is_none();
    Ok((holds, format!("handle clear, name masked, no birth date: {}", line(&row))))
}

/// Shown, and not what it is.
fn is_masked(row: &Row, person: &Person, column: &str) -> bool {
    let shown = value(row, column).unwrap_or_default();
    let truth = person.get(column);
    !shown.is_empty() && shown != truth && (shown.contains('*') || shown.len() < truth.len())
}

async fn one(story: &Story<'_>, ask: Ask<'_>, sql: &str) -> Result<Row, String> {
    let session = client::ask(story.ready, ask).await.map_err(|refused| refused.to_string())?;
    let rows = session.rows(sql).await.map_err(|refused| refused.to_string())?;
    let count = rows.len();
    rows.into_iter().next().filter(|_| count == 1).ok_or_else(|| format!("{count} rows instead of one"))
}

async fn refused_at_connect(story: &mut Story<'_>) {
    let cases = [
        ("aoife in Ireland without a purpose", Ask { purpose: None, ticket: None, ..AOIFE }),
        ("aoife in Ireland without a ticket", Ask { ticket: None, ..AOIFE }),
        ("aoife from a network that is mapped to no country", Ask { place: "unmapped", ..AOIFE }),
        ("wei in China for purpose support", Ask { purpose: Some("support"), ticket: Some("T-1"), ..WEI }),
    ];
    for (subject, ask) in cases {
        let seen = match client::ask(story.ready, ask).await {
            Ok(_) => Ok((false, "connected".to_owned())),
            Err(refused) => policy_refusal(&refused),
        };
        story.observe(subject, seen);
    }
}

async fn refused_statements(story: &mut Story<'_>, person: &Person) {
    let abroad = Ask { place: "china", ..AOIFE };
    let cases = [
        ("aoife, a copy into a file of the server", AOIFE, "COPY users TO '/tmp/users'".to_owned()),
        ("aoife, a second statement in one query", AOIFE, "SELECT 1; DELETE FROM users".to_owned()),
        ("aoife, a file of the server", AOIFE, "SELECT pg_read_file('/etc/passwd')".to_owned()),
        ("lukas, the plan of a query", LUKAS, "EXPLAIN ANALYZE SELECT * FROM users".to_owned()),
        ("aoife, another role", AOIFE, "SET ROLE trefoil_admin".to_owned()),
    ];
    for (subject, ask, sql) in cases {
        let seen = attempt(story, ask, &sql).await.and_then(|outcome| match outcome {
            Ok(rows) => Ok((false, format!("{} rows", rows.len()))),
            Err(refused) => policy_refusal(&refused),
        });
        story.observe(subject, seen);
    }
    let seen = attempt(story, abroad, &support_query(person)).await.map(|outcome| no_data(outcome, person));
    story.observe("aoife in China, what she sees at home", seen);
    let base = format!("SELECT email FROM data.users WHERE id = {}", person.get("id"));
    let seen = attempt(story, AOIFE, &base).await.map(|outcome| no_data(outcome, person));
    story.observe("aoife, the table under her view", seen);
    let seen = attempt(story, LUKAS, "SELECT email FROM users").await.map(|outcome| no_data(outcome, person));
    story.observe("lukas, a restricted column", seen);
}

/// A refusal by policy says 42501, a sentence, what is needed, and the entry's number.
pub(crate) fn policy_refusal(refused: &Refused) -> Seen {
    let entry =
        refused.message.contains("entry") || refused.hint.as_ref().is_some_and(|hint| hint.contains("entry"));
    let holds = refused.sqlstate == "42501" && entry;
    let hint = refused.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Ok((holds, format!("{refused}{hint}")))
}

fn no_data(outcome: Result<Vec<Row>, Refused>, person: &Person) -> (bool, String) {
    match outcome {
        Ok(rows) => (false, format!("{} rows", rows.len())),
        Err(refused) => {
            let silent = person.clear_identifiers().iter().all(|clear| !refused.message.contains(clear));
            (silent && !refused.sqlstate.is_empty(), refused.to_string())
        }
    }
}

/// Runs a statement on a session of its own. The outer error is a session that could not be had.
pub(crate) async fn attempt(
    story: &Story<'_>,
    ask: Ask<'_>,
    sql: &str,
) -> Result<Result<Vec<Row>, Refused>, String> {
    let session: Session = client::ask(story.ready, ask).await.map_err(|refused| refused.to_string())?;
    Ok(session.rows(sql).await)
}
