//! Reads a leaf in the one spelling that canonical form allows, without a JSON reader and without writing it again: an
//! entry is read as often as somebody checks it. What is not understood here is not refused here; `Entry::parse` reads it
//! the long way and says what is wrong.

use super::{CLASSES_MAX, Checks, Count, CountState, Decision, Entry, Kind, Micros};

/// The entry, if the bytes are the canonical form of one that has no escapes.
pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
    let mut rest = Rest(std::str::from_utf8(bytes).ok()?);
    rest.take("{")?;
    let checks = checks(&mut rest)?;
    let classes = classes(&mut rest)?;
    let count = count(&mut rest)?;
    let decision = match rest.field("\"decision\":\"")? {
        Some(word) => Some(Decision::parse(word)?),
        None => None,
    };
    let detail = rest.field("\"detail\":\"")?;
    let gate = rest.field("\"gate\":\"")??;
    let key = rest.field("\"key\":\"")?;
    let kind = rest.field("\"kind\":\"")??;
    let place = rest.field("\"place\":\"")?;
    let policy = rest.field("\"policy\":\"")?;
    let principal = rest.field("\"principal\":\"")?;
    let profile = rest.field("\"profile\":\"")?;
    let request = rest.field("\"request\":\"")?;
    let session = rest.field("\"session\":\"")?;
    let time = rest.field("\"time\":\"")??;
    if rest.0 != "\"v\":1}" {
        return None;
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let entry = Entry {
        time: Micros::parse_rfc3339(time)?,
        kind: Kind::parse(kind)?,
        gate: gate.to_owned(),
        session: owned(session),
        principal: owned(principal),
        request: owned(request),
        place: owned(place),
        decision,
        policy: owned(policy),
        profile: owned(profile),
        classes,
        count,
        checks,
        key: owned(key),
        detail: owned(detail),
    };
    entry.check().ok()?;
    Some(entry)
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// The text up to a quotation mark, if nothing in it would be written with an escape.
    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20)?;
        let (text, after) = self.0.split_at_checked(end)?;
        self.0 = after.strip_prefix('"')?;
        Some(text)
    }

    /// A field of this beginning, if it is next. The outer `None`: it is not one in canonical form.
    fn field(&mut self, beginning: &str) -> Option<Option<&'a str>> {
        let Some(after) = self.0.strip_prefix(beginning) else { return Some(None) };
        self.0 = after;
        let text = self.text()?;
        self.take(",")?;
        Some(Some(text))
    }

    /// A whole number without a sign, in its only spelling.
    fn number(&mut self) -> Option<u64> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, after) = self.0.split_at_checked(end)?;
        self.0 = after;
        let padded = digits.len() > 1 && digits.starts_with('0');
        digits.parse().ok().filter(|_| !padded)
    }
}

fn classes(rest: &mut Rest<'_>) -> Option<Vec<String>> {
    let mut classes = Vec::new();
    if rest.take("\"classes\":[\"").is_none() {
        return Some(classes);
    }
    loop {
        classes.push(rest.text()?.to_owned());
        if rest.take("],").is_some() {
            return Some(classes);
        }
        if classes.len() == CLASSES_MAX {
            return None;
        }
        rest.take(",\"")?;
    }
}

fn checks(rest: &mut Rest<'_>) -> Option<Option<Checks>> {
    if rest.take("\"checks\":{\"fail\":").is_none() {
        return Some(None);
    }
    let fail = rest.number()?;
    rest.take(",\"pass\":")?;
    let pass = rest.number()?;
    rest.take(",\"unknown\":")?;
    let unknown = rest.number()?;
    rest.take("},")?;
    Some(Some(Checks { pass, fail, unknown }))
}

fn count(rest: &mut Rest<'_>) -> Option<Option<Count>> {
    if rest.take("\"count\":{\"bytes\":").is_none() {
        return Some(None);
    }
    let bytes = rest.number()?;
    rest.take(",\"rows\":")?;
    let rows = rest.number()?;
    rest.take(",\"state\":\"")?;
    let state = CountState::parse(rest.text()?)?;
    rest.take("},")?;
    Some(Some(Count { state, rows, bytes }))
}
