//! Canonical JSON (RFC 8785): one value, one text. Numbers are whole and exactly representable everywhere; floating
//! point is refused, because its shortest text is where implementations disagree.

mod direct;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use thiserror::Error;

pub use direct::canonical_of;

/// Deepest nesting that is written or read.
pub const DEPTH_MAX: usize = 64;
/// Largest magnitude of a number: 2^53 - 1, the whole numbers that every JSON reader keeps exact.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why a value has no canonical text here, or a text is not canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    #[error("numbers must be whole; write fractions as text")]
    Fraction,
    #[error("numbers must be within ±(2^53 - 1); write larger ones as text")]
    Range,
    #[error("nested deeper than {DEPTH_MAX} levels")]
    Depth,
    #[error("not of the type that is asked for")]
    Type,
    #[error("not JSON: line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    #[error("not in canonical form (RFC 8785): write it again through `canonical`")]
    NotCanonical,
}

/// The canonical text of a value.
pub fn canonical(value: &Value) -> Result<String, JsonError> {
    let mut out = String::new();
    write_value(&mut out, value, DEPTH_MAX)?;
    Ok(out)
}

/// Reads a text that must be, byte for byte, the canonical text of its value. Repeated keys, spaces, other escapes
/// and other spellings of numbers are therefore refused.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, JsonError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| JsonError::Syntax { line: error.line(), column: error.column() })?;
    if canonical(&value)?.as_bytes() == bytes { Ok(value) } else { Err(JsonError::NotCanonical) }
}

/// As [`parse_canonical`], into a type that names every field it may have.
pub fn read_canonical<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, JsonError> {
    let value: T = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => JsonError::Type,
        _ => JsonError::Syntax { line: error.line(), column: error.column() },
    })?;
    if canonical_of(&value)?.as_bytes() == bytes { Ok(value) } else { Err(JsonError::NotCanonical) }
}

fn write_value(out: &mut String, value: &Value, depth: usize) -> Result<(), JsonError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or(JsonError::Depth)?;
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_value(out, item, depth)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let depth = depth.checked_sub(1).ok_or(JsonError::Depth)?;
            let mut sorted: Vec<_> = fields.iter().collect();
            // RFC 8785 sorts by UTF-16 code units, which is not the order of UTF-8 bytes.
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (position, (key, field)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_value(out, field, depth)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_number(out: &mut String, number: &serde_json::Number) -> Result<(), JsonError> {
    let magnitude = match (number.as_u64(), number.as_i64()) {
        (Some(unsigned), _) => unsigned,
        (None, Some(signed)) => signed.unsigned_abs(),
        (None, None) => return Err(JsonError::Fraction),
    };
    if magnitude > INTEGER_MAX {
        return Err(JsonError::Range);
    }
    write_whole(out, number.as_u64().is_none(), magnitude);
    Ok(())
}

/// A whole number, in decimal.
pub(crate) fn write_whole(out: &mut String, is_negative: bool, mut magnitude: u64) {
    if is_negative {
        out.push('-');
    }
    let mut digits = [0; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(magnitude % 10).unwrap_or_default();
        magnitude /= 10;
        used += 1;
        if magnitude == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - used).map(|digit| char::from(*digit)));
}

/// Writes a JSON string as RFC 8785 does: short escapes where they exist, `\u00xx` for other controls, the rest as is.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    // Nearly every text is; looking at all of it at once is many times faster than byte by byte.
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if is_plain(byte) {
            continue;
        }
        // Escaped bytes are ASCII, so both ends of this range are character boundaries.
        out.push_str(text.get(plain_from..at).unwrap_or_default());
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            other => {
                out.push_str("\\u00");
                out.push_str(&crate::hash::hex(&[other]));
            }
        }
    }
    out.push_str(text.get(plain_from..).unwrap_or_default());
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_rfc_8785() {
        for (text, canonical_text) in [
            // Section 3.2.2 without its fractions, and section 3.2.3.
            (
                r#"{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
                "{\"literals\":[null,true,false],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
            ),
            (
                r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
                    "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
                    "\u00f6":"Latin Small Letter O With Diaeresis"}"#,
                "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
                 \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\
                 \"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
            ),
            (r#""\b\t\n\f\r\u007f\u001f""#, "\"\\b\\t\\n\\f\\r\u{7f}\\u001f\""),
            ("[ 0, -1, 9007199254740991, -9007199254740991 ]", "[0,-1,9007199254740991,-9007199254740991]"),
            ("{ }", "{}"),
            ("[]", "[]"),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(canonical(&value).unwrap(), canonical_text);
            assert_eq!(parse_canonical(canonical_text.as_bytes()), Ok(value));
        }
    }

    #[test]
    fn what_has_no_canonical_text() {
        let mut deep = json!(1);
        for _ in 0..DEPTH_MAX {
            deep = json!([deep]);
        }
        assert!(canonical(&deep).is_ok());
        for (value, error) in [
            (json!(1.5), JsonError::Fraction),
            (json!({"a": [1.0]}), JsonError::Fraction),
            (json!(INTEGER_MAX + 1), JsonError::Range),
            (json!(i64::MIN), JsonError::Range),
            (json!([deep]), JsonError::Depth),
        ] {
            assert_eq!(canonical(&value), Err(error), "{value}");
            assert_eq!(canonical_of(&value), Err(error), "{value}");
        }
    }

    #[test]
    fn a_typed_value_has_the_text_of_its_value() {
        #[derive(Serialize)]
        struct Typed {
            z: Vec<Option<String>>,
            a: std::collections::BTreeMap<String, i32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            absent: Option<u8>,
            é: Unit,
            b: (u64, bool),
        }
        #[derive(Serialize)]
        #[serde(rename_all = "lowercase")]
        enum Unit {
            One,
        }
        let map = [("\u{fb33}".to_owned(), -1), ("😀".to_owned(), 0), ("1".to_owned(), 70)].into();
        let typed = Typed {
            z: vec![None, Some("\"".into())],
            a: map,
            absent: None,
            é: Unit::One,
            b: (INTEGER_MAX, true),
        };
        let value = serde_json::to_value(&typed).unwrap();
        assert_eq!(canonical_of(&typed), canonical(&value));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            " 1",
            "1 ",
            "{\"b\":1,\"a\":1}",
            "{\"a\":1,\"a\":1}",
            "{\"a\": 1}",
            "\"\\u0041\"",
            "\"\\/\"",
            "\"\\u000A\"",
            "\"\\u001F\"",
            "[1,]",
            "01",
            "-0",
            "1e0",
            "1.0",
            "9007199254740992",
            "\"\\ud800\"",
            "",
            "nul",
            "\"\n\"",
        ] {
            assert!(parse_canonical(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse_canonical(b"\"\xff\"").is_err());
        assert!(parse_canonical("[".repeat(100_000).as_bytes()).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 53) + 1..1i64 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn written_is_read_back(value in values()) {
            let text = canonical(&value).unwrap();
            prop_assert_eq!(canonical_of(&value).unwrap(), text.as_str());
            prop_assert_eq!(read_canonical::<Value>(text.as_bytes()), Ok(value.clone()));
            prop_assert_eq!(parse_canonical(text.as_bytes()), Ok(value));
        }

        #[test]
        fn one_value_has_one_text(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = parse_canonical(&bytes) {
                prop_assert_eq!(canonical(&value).unwrap().into_bytes(), bytes);
            }
        }
    }
}
