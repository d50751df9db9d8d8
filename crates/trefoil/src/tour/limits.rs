//! What a limit cuts off, and what a service writes. Not here: what people see and what is refused to them (`people`).

use crate::tour::client::{self, Ask, Refused};
use crate::tour::people::{AOIFE, attempt, policy_refusal};
use crate::tour::subject::{Person, line, value};
use crate::tour::{Seen, Story};

const MAEVE: Ask<'static> = Ask { who: "maeve", ..AOIFE };
const BILLING: Ask<'static> =
    Ask { who: "billing", place: "ireland", purpose: Some("billing"), ticket: None, site: None };
/// The limit of the example that is reached, and PostgreSQL's code for that.
const LIMIT: &str = "trainee-day";
const LIMIT_REACHED: &str = "53400";

pub(crate) async fn tell(story: &mut Story<'_>, person: &Person) {
    story.chapter("What is limited, and who writes");
    let seen = cut(story).await;
    story.observe("maeve, a trainee: everybody's handle", seen);
    let seen = written(story, person).await;
    story.observe("billing, a service: a payment is opened and paid", seen);
    let cases = [
        ("billing, a column that it does not write", BILLING, "UPDATE payments SET amount_cents = 0"),
        ("aoife, a write of any kind", AOIFE, "DELETE FROM posts"),
    ];
    for (subject, ask, sql) in cases {
        let seen = attempt(story, ask, sql).await.and_then(|outcome| match outcome {
            Ok(rows) => Ok((false, format!("done: {} rows", rows.len()))),
            Err(refused) => policy_refusal(&refused),
        });
        story.observe(subject, seen);
    }
}

/// A day's limit holds from tour to tour, so that at a second one it is reached at once.
async fn cut(story: &Story<'_>) -> Seen {
    Ok(match attempt(story, MAEVE, "SELECT handle FROM users").await? {
        Ok(rows) => (false, format!("{} rows", rows.len())),
        Err(refused) => {
            (refused.sqlstate == LIMIT_REACHED && refused.message.contains(LIMIT), refused.to_string())
        }
    })
}

/// At the person's home, where rows of theirs are written, and undone: the tour leaves the data as it was.
async fn written(story: &Story<'_>, person: &Person) -> Seen {
    let home = person.get("home_site");
    let said = |refused: Refused| refused.to_string();
    let session = client::ask(story.ready, Ask { site: Some(home), ..BILLING }).await.map_err(said)?;
    let insert = format!(
        "INSERT INTO payments (id, user_id, amount_cents, currency, status) VALUES (-1, {}, 100, 'EUR', 'open')",
        person.get("id")
    );
    let update = "UPDATE payments SET status = 'paid' WHERE id = -1 RETURNING id, home_site, user_id, status";
    session.rows("BEGIN").await.map_err(said)?;
    session.rows(&insert).await.map_err(said)?;
    let rows = session.rows(update).await.map_err(said)?;
    session.rows("ROLLBACK").await.map_err(said)?;
    let row = rows.first().ok_or("the payment that was opened is not there")?;
    let holds = value(row, "home_site") == Some(home)
        && value(row, "user_id") == Some(person.get("id"))
        && value(row, "status") == Some("paid");
    Ok((holds, line(row)))
}
