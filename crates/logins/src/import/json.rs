//! What the importers of JSON share: objects of a stream, the pages that some come in, and fields by names that products
//! spell in several ways.

use std::borrow::Cow;
use std::io::Read;
use std::net::IpAddr;

use serde_json::Value;

use super::records::Records;
use super::{Out, ReadError};
use crate::login::Login;
use crate::problem::Wrong;

/// Keys under which a page holds its records.
const PAGES: [&str; 4] = ["value", "records", "Records", "hits"];

/// Reads every object of a stream.
pub(super) fn read(
    from: impl Read,
    out: &mut Out<'_, '_>,
    login: fn(&Value) -> Result<Option<Login<'_>>, Wrong>,
) -> Result<(), ReadError> {
    let mut records = Records::new(from);
    while !out.is_over
        && let Some((line, record)) = records.next_record()?
    {
        let parsed = record.and_then(|record| {
            serde_json::from_slice::<Value>(record)
                .map_err(|error| Wrong::new("", format!("no JSON: {error}")))
        });
        match parsed {
            Err(wrong) => out.problem(wrong.in_line(line)),
            Ok(value) => each(&value, &mut |value| out.put(line, login(value))),
        }
    }
    Ok(())
}

/// Every record of an object, which may be a page of many.
fn each(value: &Value, take: &mut impl FnMut(&Value)) {
    let page = PAGES.iter().find_map(|key| value.get(key));
    // Elasticsearch has the hits within hits.
    let page = page.map(|page| page.get("hits").unwrap_or(page));
    match page.and_then(Value::as_array) {
        Some(page) => page.iter().for_each(take),
        None => take(value),
    }
}

/// A field by a name in any case: APIs write `userPrincipalName`, tables `UserPrincipalName`.
pub(super) fn field<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = of.as_object()?;
    let found = fields
        .get(name)
        .or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// The text of a field, when it is text or a number and not empty.
pub(super) fn text<'v>(of: &'v Value, name: &str) -> Option<Cow<'v, str>> {
    field(of, name).and_then(as_text)
}

pub(super) fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(is) => Some(Cow::Borrowed(if *is { "true" } else { "false" })),
        _ => None,
    }
}

/// An object that may be in a string, as tables keep it.
pub(super) fn object<'v>(of: &'v Value, name: &str) -> Option<Cow<'v, Value>> {
    match field(of, name)? {
        Value::String(text) => serde_json::from_str(text).ok().map(Cow::Owned),
        value @ Value::Object(_) => Some(Cow::Borrowed(value)),
        _ => None,
    }
}

/// The value of a name in `[{"Name": …, "Value": …}]`.
pub(super) fn named<'v>(list: &'v Value, name: &str) -> Option<&'v Value> {
    let found =
        list.as_array()?.iter().find(|pair| pair.get("Name").and_then(Value::as_str) == Some(name))?;
    found.get("Value").or_else(|| found.get("NewValue"))
}

/// An address as products write it: alone, with a port, in brackets, mapped.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inner, _)| inner);
    let inner = inner.or_else(|| text.rsplit_once(':').map(|(inner, _)| inner));
    // A zone after a link-local address says which interface of that machine.
    let inner = inner.unwrap_or(text);
    let inner = inner.split_once('%').map_or(inner, |(inner, _)| inner);
    inner.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}
/// An owned form, for what was made from a value that does not last.
pub(super) fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
