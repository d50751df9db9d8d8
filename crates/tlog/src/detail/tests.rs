//! Sealed details: layout, commitment, what does not open; day keys through age.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::Write;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const SALT: [u8; SALT_BYTES] = [7; SALT_BYTES];
const NONCE: [u8; NONCE_BYTES] = [9; NONCE_BYTES];

fn day_key() -> DayKey {
    DayKey { id: "2026-01-31.access".to_owned(), seal: [1; 32], names: [2; 32] }
}

#[test]
fn layout_and_commitment() {
    let detail = json!({"b": 1, "a": "é"});
    let canonical = "{\"a\":\"é\",\"b\":1}";
    let blob = seal(&day_key(), &SALT, &NONCE, &detail).unwrap();
    let head = [&[1u8, 17], b"2026-01-31.access".as_slice(), &NONCE].concat();
    assert_eq!(blob[..head.len()], head);
    // The rest is salt, text and the 16 bytes of the authenticator.
    assert_eq!(blob.len(), head.len() + SALT_BYTES + canonical.len() + 16);
    assert_eq!(key_id(&blob), Ok("2026-01-31.access"));
    let opened = open(&day_key(), &blob).unwrap();
    assert_eq!((opened.salt, &opened.value), (SALT, &detail));
    assert_eq!(opened.commitment, commitment(&SALT, canonical));
    assert_eq!(opened.commitment, crate::hash::Hash::of(&[&SALT, canonical.as_bytes()].concat()).0);
}

#[test]
fn names_are_keyed_and_apart() {
    // HMAC-SHA-256 values from another implementation.
    let key = day_key();
    assert_eq!(key.principal("aoife"), "03ef1821737cd9e247be6b4245e9f2ae465463af20b50089ff1bb1010615b157");
    assert_eq!(
        key.request(&json!({"b": 1, "a": 2})).unwrap(),
        "c6a6a2e84449a22836ffaa202c55bab27d69b7071d19f59a05abe2747bc3b79e"
    );
    assert!(key.request(&json!(0.5)).is_err());
    assert!(!format!("{key:?}").contains("[1, 1"));
}

#[test]
fn what_does_not_open() {
    let key = day_key();
    let blob = seal(&key, &SALT, &NONCE, &json!({})).unwrap();
    for at in 0..blob.len() {
        let mut altered = blob.clone();
        altered[at] ^= 1;
        assert!(open(&key, &altered).is_err(), "{at}");
        assert!(open(&key, &blob[..at]).is_err(), "{at}");
    }
    let renamed = DayKey { id: "2026-02-01.access".to_owned(), ..key.clone() };
    assert_eq!(open(&renamed, &blob), Err(DetailError::OtherKey));
    let other = DayKey { seal: [3; 32], ..key.clone() };
    assert_eq!(open(&other, &blob), Err(DetailError::Seal));
    let unnamed = DayKey { id: "today".to_owned(), ..key.clone() };
    assert_eq!(seal(&unnamed, &SALT, &NONCE, &json!({})), Err(DetailError::KeyId));
    assert!(matches!(seal(&key, &SALT, &NONCE, &json!(0.5)), Err(DetailError::Json(_))));
    let long = json!("x".repeat(DETAIL_BYTES_MAX));
    assert_eq!(seal(&key, &SALT, &NONCE, &long), Err(DetailError::TooLong));
}

/// Encrypts as the record does for its recipients.
fn wrap(plaintext: &[u8], to: &age::x25519::Identity) -> Vec<u8> {
    let recipient = to.to_public();
    let encryptor =
        age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
    let mut blob = Vec::new();
    let mut writer = encryptor.wrap_output(&mut blob).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap();
    blob
}

#[test]
fn day_keys_are_wrapped() {
    let identity = age::x25519::Identity::generate();
    let text = {
        use age::secrecy::ExposeSecret;
        identity.to_string().expose_secret().to_owned()
    };
    let key = day_key();
    let blob = wrap(&key.wrapped_plaintext(&SALT).unwrap(), &identity);
    let (unwrapped, salt, value) = unwrap_day_key(&text, &blob).unwrap();
    assert_eq!((unwrapped, salt, &value), (key.clone(), SALT, &key.to_value()));
    let canonical = crate::json::canonical(&value).unwrap();
    let plaintext = key.wrapped_plaintext(&SALT).unwrap();
    assert_eq!(plaintext, [&SALT, canonical.as_bytes()].concat());

    let unwrap = |identity: &str, blob: &[u8]| unwrap_day_key(identity, blob).unwrap_err();
    let stranger = {
        use age::secrecy::ExposeSecret;
        age::x25519::Identity::generate().to_string().expose_secret().to_owned()
    };
    assert_eq!(unwrap(&stranger, &blob), DetailError::Unwrap);
    assert_eq!(unwrap("age1abc", &blob), DetailError::Identity);
    assert_eq!(unwrap(&text, b""), DetailError::Unwrap);
    assert_eq!(unwrap(&text, &blob[..blob.len() - 1]), DetailError::Unwrap);
    assert_eq!(unwrap(&text, &vec![0; WRAPPED_KEY_BYTES_MAX + 1]), DetailError::Unwrap);
    for wrong in [
        json!({}),
        json!({"key": "today", "names": value["names"], "seal": value["seal"]}),
        json!({"key": key.id, "names": "AAAA", "seal": value["seal"]}),
        json!({"key": key.id, "names": value["names"], "seal": value["seal"], "more": 1}),
    ] {
        let text_of_wrong = crate::json::canonical(&wrong).unwrap();
        let blob = wrap(&[&SALT, text_of_wrong.as_bytes()].concat(), &identity);
        assert_eq!(unwrap(&text, &blob), DetailError::DayKey, "{wrong}");
    }
}

#[test]
fn typed_details() {
    let refused = Refused {
        principal: "aoife".to_owned(),
        listener: "china".to_owned(),
        purpose: Some("support".to_owned()),
        ticket: None,
        stage: Stage::Connect,
        statement: None,
        rule: "connect.in-region".to_owned(),
        sentence: "a support agent connects from inside the region".to_owned(),
    };
    let value = serde_json::to_value(&refused).unwrap();
    assert_eq!(
        crate::json::canonical(&value).unwrap(),
        "{\"listener\":\"china\",\"principal\":\"aoife\",\"purpose\":\"support\",\
         \"rule\":\"connect.in-region\",\"sentence\":\"a support agent connects from inside the region\",\
         \"stage\":\"connect\"}"
    );
    assert_eq!(serde_json::from_value::<Refused>(value).unwrap(), refused);
    let released = json!({"statements": [
        {"text": "select $1", "parameters": ["\\x00", null], "rows": 1, "bytes": 9, "tag": "SELECT 1"},
        {"text": "select 1/0", "rows": 0, "bytes": 0, "error": "22012"},
    ]});
    let read: Released = serde_json::from_value(released.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), released);
    assert!(serde_json::from_value::<GateStop>(json!({"reason": "stop", "more": 1})).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&day_key(), &bytes).is_err());
    }
}
