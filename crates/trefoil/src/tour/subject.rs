//! The person whom the tour looks at: one subject of the example, found with the administrator's eyes, so that what
//! principals see can be compared with what is true.

use crate::enclave::ready::Ready;
use crate::ended::Ended;
use crate::tour::client::{self, Row};

/// The truth about one subject who agreed to analytics and has paid for something.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    truth: Row,
}

/// Tokens are joined by the subject's link, as the views do.
const FIND: &str = "\
SELECT u.id, u.home_site, u.handle, u.full_name, u.email, u.phone, u.birth_date, u.country, u.language, u.followers,
       extract(year FROM u.birth_date)::int AS birth_year,
       extract(year FROM u.created_at AT TIME ZONE 'UTC')::int AS created_year,
       a.token AS analytics_token, e.token AS engineering_token, p.iban
FROM data.users u
JOIN data.payments p ON p.user_id = u.id AND p.home_site = u.home_site
JOIN pseudonym.analytics a ON a.subject = u.trefoil_subject AND a.home = u.home_site
JOIN pseudonym.engineering e ON e.subject = u.trefoil_subject AND e.home = u.home_site
WHERE u.analytics_consent
ORDER BY u.id LIMIT 1";

pub(crate) async fn find(ready: &Ready) -> Result<Person, Ended> {
    let failed = |why: String| Ended::cannot_tell(format!("finding a subject of the example: {why}"));
    let site = ready.sites.first().ok_or_else(|| failed("the enclave has no site".to_owned()))?;
    let admin = client::administer(&site.admin_url).await.map_err(|why| failed(why.to_string()))?;
    let find = FIND.replace("{link}", &wall::names::quoted(wall::names::LINK));
    let rows = admin.rows(&find).await.map_err(|why| failed(why.to_string()))?;
    let truth =
        rows.into_iter().next().ok_or_else(|| failed("nobody agreed to analytics and paid".to_owned()))?;
    Ok(Person { truth })
}

impl Person {
    /// The true value of a column; empty when it is NULL.
    pub(crate) fn get(&self, column: &str) -> &str {
        value(&self.truth, column).unwrap_or_default()
    }

    /// Every true value that must not be shown under a pseudonym.
    pub(crate) fn clear_identifiers(&self) -> Vec<&str> {
        ["handle", "full_name", "email", "phone", "birth_date", "iban"]
            .map(|column| self.get(column))
            .to_vec()
    }
}

/// The text of a column of a row; none when it is absent or NULL.
pub(crate) fn value<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.iter().find(|(name, _)| name == column).and_then(|(_, value)| value.as_deref())
}

/// A row on one line.
pub(crate) fn line(row: &Row) -> String {
    let values = row.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")));
    values.collect::<Vec<_>>().join("  ")
}
