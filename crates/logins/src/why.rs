//! Why a login failed, from the codes and words that sources give: NTSTATUS, Kerberos, Microsoft Entra, OCSF's own
//! examples, and prose. A new source's codes are added here, so that they mean the same in every format.

use risk::Why;

/// What codes and words, the most telling first, say about a failure; [`Why::Other`] where none of them says anything.
pub fn why<'a>(said: impl IntoIterator<Item = Option<&'a str>>) -> Why {
    said.into_iter().flatten().find_map(|said| code(said).or_else(|| prose(said))).unwrap_or(Why::Other)
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
        "PASSWORD_EXPIRED" => Why::Other,
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

/// What a sentence says, by the words in it.
fn prose(said: &str) -> Option<Why> {
    const WORDS: [(Why, &[&str]); 4] = [
        (
            Why::UnknownUser,
            &[
                "not exist",
                "unknown user",
                "no such user",
                "invalid user",
                "user not found",
                "unknown account",
            ],
        ),
        (
            Why::Locked,
            &["locked", "disabled", "account expired", "account has expired", "suspended", "revoked"],
        ),
        (
            Why::Factor,
            &["mfa", "multi-factor", "multifactor", "second factor", "two-factor", "strong auth", "one-time"],
        ),
        (Why::Password, &["password", "credential", "unknown user name or bad"]),
    ];
    // "Unknown user name or bad password" is Windows' way of not saying which.
    if contains(said, "expired") && contains(said, "password") {
        return Some(Why::Other);
    }
    if contains(said, "user name or") || contains(said, "username or") {
        return Some(Why::Password);
    }
    WORDS.iter().find(|(_, words)| words.iter().any(|word| contains(said, word))).map(|(why, _)| *why)
}

/// Whether lower-case ASCII is in a text, whatever the text's case.
fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}
