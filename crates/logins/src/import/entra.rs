//! Sign-ins of Microsoft Entra: a record of Graph's `auditLogs/signIns`, of an Azure Monitor export (the same within
//! `properties`), or a row of Log Analytics' tables. A sign-in in which nobody took part is a token used again.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use risk::{Act, Outcome, Place};
use serde_json::Value;

use super::json::{address, field, object, owned, text};
use super::time;
use crate::login::Login;
use crate::problem::Wrong;
use crate::text::shown;
use crate::why;
use crate::words;

/// Codes of sign-ins that are interrupted to ask something else, or never were one: they say nothing of how it ends.
const INTERRUPTED: [&str; 5] = ["50058", "50125", "50127", "50129", "50140"];

/// The login of a record, or nothing.
pub(super) fn login(record: &Value) -> Result<Option<Login<'_>>, Wrong> {
    let category = text(record, "category").or_else(|| text(record, "Type")).unwrap_or_default();
    let of = record.get("properties").filter(|properties| properties.is_object()).unwrap_or(record);
    let code = object(of, "status").and_then(|status| text(&status, "errorCode").map(owned));
    let code = code.or_else(|| text(record, "resultType"));
    let is_sign_in =
        code.is_some() && (category.is_empty() || category.contains("SignIn") || category.contains("Signin"));
    if !is_sign_in {
        return if field(record, "category").is_some() || field(record, "operationName").is_some() {
            Ok(None)
        } else {
            Err(Wrong::new("status.errorCode", "missing: no sign-in of Microsoft Entra"))
        };
    }
    let time_ms = when(record, of)?;
    let names = ["userPrincipalName", "userId", "servicePrincipalName", "servicePrincipalId"];
    let Some(user) = names.iter().find_map(|name| text(of, name)) else {
        return Err(Wrong::new("userPrincipalName", "missing, and so is userId"));
    };
    let code = code.unwrap_or_default();
    let is_interactive =
        field(of, "isInteractive").and_then(Value::as_bool).unwrap_or(!category.contains("NonInteractive"));
    let act = if is_interactive { Act::Logon } else { Act::Reuse };
    let mut login = Login::new(time_ms, user, act, outcome(record, of, &code));
    login.ip = ip(record, of)?;
    login.place = place(record, of);
    login.agent = text(of, "userAgent").or_else(|| client(of));
    login.host = device(of);
    login.target = ["resourceDisplayName", "appDisplayName", "appId"].iter().find_map(|name| text(of, name));
    login.session = text(of, "sessionId");
    login.is_mfa = is_mfa(of, login.outcome);
    login.id = text(of, "id").or_else(|| text(of, "uniqueTokenIdentifier"));
    login.aside.event_code = text(record, "operationName");
    login.aside.status_code = Some(code);
    Ok(Some(login))
}

fn when(record: &Value, of: &Value) -> Result<i64, Wrong> {
    let given = field(of, "createdDateTime").or_else(|| field(record, "time"));
    let given =
        given.or_else(|| field(record, "TimeGenerated").or_else(|| field(record, "TimeGenerated [UTC]")));
    let Some(given) = given else { return Err(Wrong::new("createdDateTime", "missing, and so is time")) };
    time::value(given, &TimeZone::UTC)
        .ok_or_else(|| Wrong::new("createdDateTime", format!("`{}` is no time", shown(&given.to_string()))))
}

fn outcome(record: &Value, of: &Value, code: &str) -> Outcome {
    if code == "0" {
        return Outcome::Success;
    }
    if INTERRUPTED.contains(&code) {
        return Outcome::Unknown;
    }
    let status = object(of, "status");
    let detail = status.as_deref().and_then(|status| text(status, "failureReason"));
    let described = text(record, "resultDescription");
    Outcome::Failure(why::why([Some(code), detail.as_deref(), described.as_deref()]))
}

fn ip(record: &Value, of: &Value) -> Result<Option<std::net::IpAddr>, Wrong> {
    let Some(given) = text(of, "ipAddress").or_else(|| text(record, "callerIpAddress")) else {
        return Ok(None);
    };
    let found = address(&given);
    if found.is_none() {
        return Err(Wrong::new("ipAddress", format!("`{}` is no IP address", shown(&given))));
    }
    Ok(found)
}

/// What Entra says of the place. Its names of countries are not all of two letters; others are looked up by address.
fn place(record: &Value, of: &Value) -> Place {
    let location = object(of, "location").or_else(|| object(of, "locationDetails"));
    let country = location.as_deref().and_then(|location| text(location, "countryOrRegion").map(owned));
    let country = country.or_else(|| text(record, "location"));
    let point = location.as_deref().and_then(|location| {
        let geo = object(location, "geoCoordinates")?;
        let degrees = |name| field(&geo, name).and_then(Value::as_f64);
        let (lat, long) = (degrees("latitude")?, degrees("longitude")?);
        (lat.abs() <= 90.0 && long.abs() <= 180.0).then_some((lat as f32, long as f32))
    });
    let asn = field(of, "autonomousSystemNumber").and_then(Value::as_u64);
    Place {
        country: country.and_then(|country| words::country(&country)),
        asn: asn.and_then(|asn| u32::try_from(asn).ok()).filter(|asn| *asn != 0),
        point,
        ..Place::default()
    }
}

/// Browser and system, where the whole user agent is not there.
fn client(of: &Value) -> Option<Cow<'_, str>> {
    let detail = object(of, "deviceDetail")?;
    let browser = text(&detail, "browser").map(owned);
    let system = text(&detail, "operatingSystem").map(owned);
    match (browser, system) {
        (Some(browser), Some(system)) => Some(Cow::Owned(format!("{browser} ({system})"))),
        (browser, system) => browser.or(system).or_else(|| text(of, "clientAppUsed")),
    }
}

fn device(of: &Value) -> Option<Cow<'_, str>> {
    let detail = object(of, "deviceDetail")?;
    text(&detail, "deviceId").or_else(|| text(&detail, "displayName")).map(owned)
}

fn is_mfa(of: &Value, outcome: Outcome) -> bool {
    outcome == Outcome::Success
        && text(of, "authenticationRequirement").is_some_and(|asked| asked == "multiFactorAuthentication")
}
