//! The unified audit log of Office 365: who logged in and failed to, and changes of passwords and factors. Its other
//! operations are passed over.

use jiff::tz::TimeZone;
use risk::{Act, Outcome};
use serde_json::Value;

use super::json::{address, as_text, field, named, owned, text};
use super::time;
use crate::login::Login;
use crate::problem::Wrong;
use crate::text::shown;
use crate::why;

const PASSWORD_CHANGES: [&str; 6] = [
    "change user password",
    "reset user password",
    "change password (self-service)",
    "reset password (self-service)",
    "reset password (by admin)",
    "set force change user password",
];
const FACTOR_CHANGES: [&str; 7] = [
    "user registered security info",
    "user deleted security info",
    "user changed default security info",
    "admin registered security info",
    "admin deleted security info",
    "disable strong authentication",
    "enable strong authentication",
];

/// The login of a record, or nothing.
pub(super) fn login(record: &Value) -> Result<Option<Login<'_>>, Wrong> {
    // Exports of the search keep the record itself as a string in a column.
    let Some(operation) = text(record, "Operation") else {
        return Err(Wrong::new("Operation", "missing: no record of the unified audit log"));
    };
    let Some(act) = act(&operation, record) else { return Ok(None) };
    let is_login = act == Act::Logon;
    // Of a change, the one whose account was changed.
    let user = if is_login {
        text(record, "UserId")
    } else {
        text(record, "ObjectId").or_else(|| text(record, "UserId"))
    };
    let user = user.ok_or_else(|| Wrong::new("UserId", "missing"))?;
    let time_ms = field(record, "CreationTime")
        .ok_or_else(|| Wrong::new("CreationTime", "missing"))
        .and_then(|given| {
            time::value(given, &TimeZone::UTC).ok_or_else(|| {
                Wrong::new("CreationTime", format!("`{}` is no time", shown(&given.to_string())))
            })
        })?;
    let (outcome, code) = outcome(&operation, record);
    let mut login = Login::new(time_ms, user, act, outcome);
    // Of a change, what acted may be another's machine; it is where the change came from all the same.
    let given = text(record, "ClientIP").or_else(|| text(record, "ActorIpAddress"));
    if let Some(given) = given.filter(|given| given != "<null>") {
        let found = address(&given);
        let wrong = || Wrong::new("ClientIP", format!("`{}` is no IP address", shown(&given)));
        login.ip = Some(found.ok_or_else(wrong)?);
    }
    let extended =
        |name| field(record, "ExtendedProperties").and_then(|list| named(list, name)).and_then(as_text);
    let device =
        |name| field(record, "DeviceProperties").and_then(|list| named(list, name)).and_then(as_text);
    login.agent = extended("UserAgent").or_else(|| text(record, "UserAgent"));
    if is_login {
        login.host = device("Id").or_else(|| device("DisplayName"));
        login.session = device("SessionId");
        login.target = text(record, "ApplicationId").or_else(|| text(record, "Workload"));
    }
    login.id = text(record, "Id");
    login.aside.event_code = Some(operation);
    login.aside.status_code = code.map(owned);
    Ok(Some(login))
}

fn act(operation: &str, record: &Value) -> Option<Act> {
    if matches!(operation, "UserLoggedIn" | "UserLoginFailed") {
        return Some(Act::Logon);
    }
    let operation = operation.trim_end_matches('.').to_ascii_lowercase();
    if PASSWORD_CHANGES.contains(&operation.as_str()) {
        return Some(Act::PasswordChange);
    }
    if FACTOR_CHANGES.contains(&operation.as_str()) {
        return Some(Act::FactorChange);
    }
    let changed = || field(record, "ModifiedProperties").and_then(Value::as_array);
    let is_factor = |property: &Value| {
        property.get("Name").and_then(Value::as_str).is_some_and(|name| name.contains("StrongAuthentication"))
    };
    (operation == "update user" && changed().is_some_and(|changed| changed.iter().any(is_factor)))
        .then_some(Act::FactorChange)
}

/// How it ended, and the code that says so.
fn outcome<'v>(operation: &str, record: &'v Value) -> (Outcome, Option<std::borrow::Cow<'v, str>>) {
    let error = text(record, "LogonError").filter(|error| error != "None");
    let number = text(record, "ErrorNumber").filter(|number| number != "0");
    let detail = error.clone().map(|error| spaced(&error));
    let failed = || Outcome::Failure(why::why([number.as_deref(), detail.as_deref()]));
    let status = text(record, "ResultStatus").unwrap_or_default();
    let is_failure = status.eq_ignore_ascii_case("failure") || status.eq_ignore_ascii_case("failed");
    let outcome = match operation {
        // `ResultStatus` of a login says that the request was answered, not that it was let in.
        "UserLoggedIn" => Outcome::Success,
        "UserLoginFailed" => failed(),
        _ if is_failure => failed(),
        _ => Outcome::Success,
    };
    (outcome, number.clone().or(error))
}

/// `InvalidUserNameOrPassword` as words, as they are looked for in sentences.
fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
