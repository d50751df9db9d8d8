//! The exchange: RFC 7677's example, another implementation's client, and everything a client can get wrong.

use std::sync::LazyLock;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;

use super::*;

const NONCE: [u8; NONCE_BYTES] = *b"eighteen bytes, ok";

/// Made once: it is slow on purpose.
fn pencil() -> Verifier {
    static PENCIL: LazyLock<Verifier> = LazyLock::new(|| {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        Verifier::from_password("pencil", &salt, 4_096).unwrap()
    });
    PENCIL.clone()
}

/// RFC 7677, section 3.
#[test]
fn the_example_of_rfc_7677() {
    let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let (challenged, server_first) =
        Exchange::new(pencil()).challenge(first.as_bytes(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap();
    assert_eq!(
        server_first,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let proven = challenged.on_final(client_final.as_bytes()).unwrap();
    assert_eq!(proven.server_final(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

/// Runs postgres-protocol's client against a verifier; the client checks our own proof as well.
fn login(password: &str, verifier: Verifier, binding: ChannelBinding) -> Result<(), ScramError> {
    let mut client = ScramSha256::new(password.as_bytes(), binding);
    let (challenged, server_first) = Exchange::new(verifier).on_first(client.message(), &NONCE)?;
    client.update(server_first.as_bytes()).unwrap();
    let proven = challenged.on_final(client.message())?;
    client.finish(proven.server_final().as_bytes()).unwrap();
    Ok(())
}

#[test]
fn another_clients_login() {
    let secret = [7; 32];
    let made = |password| Verifier::from_password(password, b"sixteen  bytes  ", 4_096).unwrap();
    let mock = || Verifier::mock(&secret, "nobody", 4_096).unwrap();
    let none = ChannelBinding::unsupported;
    let binding = || ChannelBinding::tls_server_end_point(vec![1; 32]);
    let rows: Vec<(&str, Verifier, ChannelBinding, Result<(), ScramError>)> = vec![
        ("pencil", pencil(), none(), Ok(())),
        ("pencil", pencil(), ChannelBinding::unrequested(), Ok(())),
        ("pencils", pencil(), none(), Err(ScramError::Password)),
        ("", pencil(), none(), Err(ScramError::Password)),
        ("pencil", mock(), none(), Err(ScramError::Password)),
        // SASLprep: a non-breaking space is a space, a soft hyphen nothing, a ligature its letters.
        ("a\u{a0}b\u{ad}\u{fb01}", made("a bfi"), none(), Ok(())),
        ("a bfi", made("a\u{a0}b\u{ad}\u{fb01}"), none(), Ok(())),
        // Prohibited by SASLprep, so taken as it is.
        ("a\u{7}b", made("a\u{7}b"), none(), Ok(())),
        ("pencil", pencil(), binding(), Err(ScramError::ChannelBinding)),
    ];
    for (at, (password, verifier, binding, expected)) in rows.into_iter().enumerate() {
        assert_eq!(login(password, verifier, binding), expected, "row {at}: {password:?}");
    }
}

#[test]
fn a_mock_looks_like_a_user_and_never_passes() {
    let mock = |user| Verifier::mock(&[7; 32], user, ITERATIONS_DEFAULT).unwrap();
    assert_eq!(mock("a").to_string(), mock("a").to_string(), "asking twice must not tell");
    assert_ne!(mock("a").salt(), mock("b").salt());
    assert_eq!(mock("a").salt().len(), SALT_BYTES);
    // Even with the keys of a password that the client knows.
    assert_eq!(login("pencil", pencil().doomed(), ChannelBinding::unsupported()), Err(ScramError::Password));
}

#[test]
fn what_a_first_message_can_get_wrong() {
    let check = |message: &str, expected: Result<&str, ScramError>| {
        let answer = Exchange::new(pencil()).challenge(message.as_bytes(), "SERVER").map(|(_, first)| first);
        let expected = expected.map(|nonce| format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        assert_eq!(answer, expected, "{message:?}");
    };
    check("n,,n=,r=abc", Ok("abcSERVER"));
    check("y,,n=*,r=abc", Ok("abcSERVER"));
    check("n,,n=ignored,r=abc,x=later", Ok("abcSERVER"));
    check("p=tls-server-end-point,,n=,r=abc", Err(ScramError::ChannelBinding));
    check("n,a=admin,n=,r=abc", Err(ScramError::AuthorizationIdentity));
    check("n,,m=future,n=,r=abc", Err(ScramError::Extension));
    let malformed = |why| Err(ScramError::Malformed(why));
    check("", malformed("client-first has no header"));
    check("z,,n=,r=abc", malformed("client-first has no header"));
    check("n,,r=abc", malformed("client-first has no user"));
    check("n,,n=", malformed("client-first has no nonce"));
    check("n,,n=,r=", malformed("the nonce is not printable ASCII"));
    check("n,,n=,r=a b", malformed("the nonce is not printable ASCII"));
    check("n,,n=,r=é", malformed("the nonce is not printable ASCII"));
    check("n,,n=,r=abc,", malformed("an extension is not an attribute"));
    check("n,,n=,r=a\0b", malformed("it is not UTF-8 without NUL"));
    check(&format!("n,,n=,r={}", "a".repeat(SCRAM_BYTES_MAX)), Err(ScramError::TooLong));
    check(
        &format!("n,,n=,r={}", "a".repeat(SCRAM_BYTES_MAX - 8)),
        Ok(&("a".repeat(SCRAM_BYTES_MAX - 8) + "SERVER")),
    );
}

#[test]
fn what_a_final_message_can_get_wrong() {
    let check = |message: &str, expected: ScramError| {
        let (challenged, _) = Exchange::new(pencil()).challenge(b"n,,n=,r=abc", "SERVER").unwrap();
        assert_eq!(challenged.on_final(message.as_bytes()).err(), Some(expected), "{message:?}");
    };
    let zeros = STANDARD.encode([0; KEY_BYTES]);
    let malformed = ScramError::Malformed;
    check(&format!("c=biws,r=abcSERVER,p={zeros}"), ScramError::Password);
    check(&format!("c=biws,r=abcSERVER,x=later,p={zeros}"), ScramError::Password);
    check(&format!("c=eSws,r=abcSERVER,p={zeros}"), malformed("client-final does not repeat the header"));
    check(&format!("c=biws,r=abcSERVEr,p={zeros}"), malformed("client-final does not repeat the nonce"));
    check(&format!("c=biws,r=abc,p={zeros}"), malformed("client-final does not repeat the nonce"));
    check(&format!("r=abcSERVER,p={zeros}"), malformed("client-final has no channel binding"));
    check(&format!("c=biws,p={zeros}"), malformed("client-final has no nonce"));
    check("c=biws,r=abcSERVER", malformed("client-final has no proof"));
    check("c=biws,r=abcSERVER,p=", malformed("the proof is not 32 bytes in base64"));
    check(&format!("c=biws,r=abcSERVER,p={zeros},x=1"), malformed("the proof is not 32 bytes in base64"));
    check(&"c".repeat(SCRAM_BYTES_MAX + 1), ScramError::TooLong);
}

#[test]
fn verifiers_in_text() {
    let check = |text: &str, expected: Result<(), VerifierError>| {
        assert_eq!(text.parse::<Verifier>().map(|_| ()), expected, "{text:?}");
    };
    let text = pencil().to_string();
    check(&text, Ok(()));
    assert_eq!(text.parse::<Verifier>().unwrap().to_string(), text);
    check("", Err(VerifierError::Shape));
    check("md5b2b0a6b1a2a8b0c0f6a7a3a0a0a0a0a0", Err(VerifierError::Shape));
    check(&text.replace("4096", "1"), Err(VerifierError::Iterations));
    check(&text.replace("4096", "4294967295"), Err(VerifierError::Iterations));
    check(&text.replace("4096", "-4096"), Err(VerifierError::Shape));
    check(&text.replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""), Err(VerifierError::Salt));
    check(&text.replace("W22ZaJ0SNY7soEsUEjb6gQ==", "?"), Err(VerifierError::Shape));
    check(text.trim_end_matches('='), Err(VerifierError::Shape));
    check(&format!("{text}:"), Err(VerifierError::Shape));
    let shown = format!("{:?}", pencil());
    assert_eq!(shown, "Verifier { iterations: 4096, .. }", "keys stay out of debug output");
}

proptest! {
    #[test]
    fn nothing_but_the_password_passes(first in ".{0,40}", last in ".{0,80}", tail in "[ -~]{0,60}") {
        prop_assert!(Exchange::new(pencil()).on_first(first.as_bytes(), &NONCE).is_err() || first.contains("r="));
        for message in [last, format!("c=biws,r=abcSERVER,{tail}"), format!("c=biws,r=abcSERVER,p={tail}")] {
            let (challenged, _) = Exchange::new(pencil()).challenge(b"n,,n=,r=abc", "SERVER").unwrap();
            prop_assert!(challenged.on_final(message.as_bytes()).is_err());
        }
    }

    #[test]
    fn verifiers_do_not_panic(text in "(SCRAM-SHA-256)?.{0,80}") {
        let _ = text.parse::<Verifier>();
    }
}
