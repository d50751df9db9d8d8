//! What a client sees of a site's error. PostgreSQL quotes values in messages ("invalid input syntax for type
//! integer: …"), and what an error quotes no meter counts. So an error is reduced to its SQLSTATE and a fixed text,
//! but where the profile hides nothing of what it shows and the error is about a place in the client's own text.
//! Not here: our own refusals.

use wall::triggers::ELSEWHERE;
use wire::backend::{Fields, Report, Severity, error_response};

/// A site's error, as the relay has to treat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The statement names something that the profile does not show: a refusal, with an entry of its own.
    NotShown,
    /// An ordinary error of the statement.
    Failed,
}

/// What an error of this SQLSTATE means.
pub fn meaning(sqlstate: &str) -> Meaning {
    match sqlstate {
        // insufficient_privilege, undefined_column, undefined_table, invalid_schema_name
        "42501" | "42703" | "42P01" | "3F000" => Meaning::NotShown,
        _ => Meaning::Failed,
    }
}

/// The fixed text for a SQLSTATE (PostgreSQL appendix A, condition names).
fn fixed_text(sqlstate: &str) -> &'static str {
    match sqlstate {
        "22012" => "division by zero",
        "22003" => "a numeric value is out of range",
        "22007" | "22008" => "a date or time cannot be read or is out of range",
        "22P02" => "a value cannot be read as the type asked for",
        "22P03" => "a binary value cannot be read as the type asked for",
        "22001" => "a value is too long",
        "2201B" => "a regular expression is invalid",
        "21000" => "a sub-select gave more than one row",
        "23502" => "a column that has to have a value has none",
        "23503" => "a row that is referred to is not there, or a row that goes is still referred to",
        "23505" => "a row with this key is there already",
        "25001" | "25P01" | "25P02" => "the transaction is not in a state for this statement",
        "25006" => "the transaction is read-only",
        "26000" => "no prepared statement has this name",
        "34000" => "no portal has this name",
        "42601" => "the statement has a syntax error",
        "42702" => "a column name is ambiguous",
        "42712" => "a table name is given twice",
        "42803" => "a column must be in GROUP BY or in an aggregate",
        "42804" => "types do not match",
        "42883" => "no function or operator takes these argument types",
        "42846" => "a value cannot be cast so",
        "42P02" => "a parameter is not known",
        "42P05" => "a prepared statement of this name exists already",
        "42P18" => "the type of a parameter cannot be told",
        "53100" | "53200" | "53400" => "the site is short of a resource",
        "54000" | "54001" | "54011" | "54023" => "the statement is too complex",
        "55P03" => "a lock is not available",
        "57014" => "the statement was cancelled, or ran past its time limit",
        "0A000" => "the site does not support this",
        "08P01" => "the message does not fit the statement",
        _ => "the statement failed",
    }
}

/// Fields that say what went wrong and where in the client's own text. The others name what lies below the views.
const TOLD: &[u8] = b"SVCMDHP";

/// Writes the error that the client sees under a profile that hides nothing of what it shows: the site's own words,
/// unless they are about a constraint, whose name and table are not the profile's.
pub fn in_own_words(out: &mut Vec<u8>, fields: Fields<'_>) {
    let sqlstate = fields.sqlstate().unwrap_or("XX000");
    if sqlstate.starts_with("23") {
        let message = fixed_text(sqlstate);
        let report = Report { severity: Severity::Error, sqlstate, message, detail: None, hint: None };
        return error_response(out, &report);
    }
    let mut body = Vec::new();
    for (code, value) in fields.filter(|(code, _)| TOLD.contains(code)) {
        body.push(code);
        body.extend_from_slice(value);
        body.push(0);
    }
    body.push(0);
    out.push(b'E');
    out.extend_from_slice(&u32::try_from(body.len().saturating_add(4)).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&body);
}

/// Writes the error that the client sees where values could be quoted.
///
/// The position in the client's own text is kept, as it says nothing about data.
pub fn reduced(out: &mut Vec<u8>, fields: Fields<'_>) {
    let sqlstate = fields.sqlstate().unwrap_or("XX000");
    let position = fields.get(b'P').and_then(|p| std::str::from_utf8(p).ok());
    let at = position.map(|p| format!(" at character {p}")).unwrap_or_default();
    // Whose home a row is at is no secret of the row.
    let elsewhere = fields.get(b'M').is_some_and(|said| said == ELSEWHERE.as_bytes());
    let text = if elsewhere { ELSEWHERE } else { fixed_text(sqlstate) };
    let message = format!("{text}{at}");
    let detail =
        "The site's own words are withheld: they may quote values, and values are shown in rows alone.";
    let hint =
        elsewhere.then_some("Connect with options='-c trefoil.home=HOME', HOME being that of the row.");
    error_response(
        out,
        &Report { severity: Severity::Error, sqlstate, message: &message, detail: Some(detail), hint },
    );
}
