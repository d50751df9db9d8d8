//! Why a login failed, from the codes and words that sources give: NTSTATUS, Kerberos, Microsoft Entra, OCSF's own
//! examples, and prose. A new source's codes are added here, so that they mean the same in every format.

use risk::Why;

/// The code of a reason that is none of the known ones, where nothing else would say so.
pub const OTHER_REASON: &str = "REASON_NOT_KNOWN";

/// What codes and words, the most telling first, say about a failure; [`Why::Other`] where none of them says anything.
pub fn why<'a>(said: impl IntoIterator<Item = Option<&'a str>>) -> Why {
    said.into_iter().flatten().find_map(|said| code(said).or_else(|| prose(said))).unwrap_or(Why::Other)
}

/// The same of an attempt that had come to a second factor, by what its source says of it beside words: then the factor is
/// what failed, unless the words name something else.
pub fn why_at_factor<'a>(said: impl IntoIterator<Item = Option<&'a str>> + Clone) -> Why {
    match why(said.clone()) {
        Why::Other
            if !said.into_iter().flatten().any(|said| contains(said, "password") || said == OTHER_REASON) =>
        {
            Why::Factor
        }
        why => why,
    }
}

/// Whether a text says that something was refused, or not done in time.
pub fn is_refusal(said: &str) -> bool {
    const WORDS: [&str; 16] = [
        "denied",
        "deny",
        "declin",
        "reject",
        "fail",
        "invalid",
        "incorrect",
        "wrong",
        "timeout",
        "timed out",
        "expired",
        "no response",
        "refus",
        "cancel",
        "not approved",
        "error",
    ];
    WORDS.iter().any(|word| contains(said, word))
}

/// Whether a text says that something was asked for and not answered yet.
pub fn is_question(said: &str) -> bool {
    const WORDS: [&str; 8] =
        ["pending", "sent", "challenge", "required", "waiting", "prompt", "requested", "initiated"];
    WORDS.iter().any(|word| contains(said, word))
}

/// Whether a text names a second factor.
pub fn names_factor(said: &str) -> bool {
    FACTOR.iter().any(|word| contains(said, word)) || FACTOR_WORDS.iter().any(|word| has_word(said, word))
}

/// What a code says: a word or a number of a closed list.
pub fn code(code: &str) -> Option<Why> {
    let code = code.trim();
    if let Some(digits) = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok().and_then(status);
    }
    if let Some(digits) = code.strip_prefix("AADSTS") {
        return digits.parse().ok().and_then(entra);
    }
    if code.len() >= 5 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return code.parse().ok().and_then(entra);
    }
    Some(match code {
        "USER_DOES_NOT_EXIST" | "UNKNOWN_USER" => Why::UnknownUser,
        "INVALID_CREDENTIALS" | "INVALID_PASSWORD" | "BAD_PASSWORD" | "WRONG_PASSWORD" => Why::Password,
        "MFA_FAILED" | "MFA_DENIED" | "MFA_REQUIRED" | "MFA_TIMEOUT" => Why::Factor,
        "ACCOUNT_DISABLED" | "ACCOUNT_LOCKED_OUT" | "ACCOUNT_LOCKED" | "ACCOUNT_EXPIRED" | "LOCKED_OUT" => {
            Why::Locked
        }
        "PASSWORD_EXPIRED" | OTHER_REASON => Why::Other,
        _ => return None,
    })
}

/// NTSTATUS values (MS-ERREF 2.3.1), and below 0x100 Kerberos errors (RFC 4120 7.5.9) as Windows logs them. What is
/// refused although the password held (it expired, the hour is wrong) is another reason.
fn status(status: u32) -> Option<Why> {
    Some(match status {
        0xC000_0064 | 0x6 => Why::UnknownUser,
        // STATUS_LOGON_FAILURE does not say which of the two it was; those who ask are given a SubStatus first.
        0xC000_006A | 0xC000_006D | 0x18 => Why::Password,
        0xC000_0072 | 0xC000_0193 | 0xC000_0234 | 0x1 | 0x12 => Why::Locked,
        0 => return None,
        _ => Why::Other,
    })
}

/// AADSTS codes of Microsoft Entra.
fn entra(code: u32) -> Option<Why> {
    Some(match code {
        16000 | 50020 | 50034 | 50059 | 51004 | 90072 => Why::UnknownUser,
        50056 | 50064 | 50126 => Why::Password,
        50072 | 50074 | 50076 | 50079 | 50158 | 500_121 => Why::Factor,
        50053 | 50057 => Why::Locked,
        0 => return None,
        _ => Why::Other,
    })
}

/// What only a second factor is called, as part of a longer word, too.
const FACTOR: [&str; 22] = [
    "mfa",
    "multi-factor",
    "multifactor",
    "multi factor",
    "second factor",
    "two-factor",
    "two factor",
    "2fa",
    "two-step",
    "2-step",
    "strong auth",
    "one-time",
    "one time",
    "push",
    "passcode",
    "authenticator",
    "webauthn",
    "fido",
    "u2f",
    "yubikey",
    "security key",
    "verification code",
];
/// The same, as words that are part of others.
const FACTOR_WORDS: [&str; 4] = ["otp", "totp", "hotp", "duo"];

/// What a sentence says, by the words in it.
fn prose(said: &str) -> Option<Why> {
    const UNKNOWN: &[&str] =
        &["not exist", "unknown user", "no such user", "invalid user", "user not found", "unknown account"];
    const LOCKED: &[&str] =
        &["locked", "disabled", "account expired", "account has expired", "suspended", "revoked"];
    const PASSWORD: &[&str] = &["password", "credential"];
    // What a password is not said to be, and other things may be: looked for where nothing clearer is said.
    const ANSWER: &[&str] = &[
        "declined",
        "approval",
        "verification",
        "denied by user",
        "denied by the user",
        "user denied",
        "rejected by user",
        "rejected by the user",
        "user rejected",
    ];
    // "Unknown user name or bad password" is Windows' way of not saying which.
    if contains(said, "expired") && contains(said, "password") && !names_factor(said) {
        return Some(Why::Other);
    }
    if contains(said, "user name or") || contains(said, "username or") {
        return Some(Why::Password);
    }
    let has = |words: &[&str]| words.iter().any(|word| contains(said, word));
    if has(UNKNOWN) {
        Some(Why::UnknownUser)
    } else if has(LOCKED) {
        Some(Why::Locked)
    } else if names_factor(said) {
        Some(Why::Factor)
    } else if has(PASSWORD) {
        Some(Why::Password)
    } else {
        has(ANSWER).then_some(Why::Factor)
    }
}

/// Whether a text has lower-case ASCII as a word, between what is no letter and no digit.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Whether lower-case ASCII is in a text, whatever the text's case.
pub fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}
