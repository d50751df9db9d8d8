//! One-time codes: RFC 6238 with SHA-1, steps of 30 seconds and six digits, as authenticator apps make them. Pure. Not
//! here: which codes were used, and how many may be tried (`codes`).

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Bytes of a secret, as RFC 4226 recommends.
pub const SECRET_BYTES: usize = 20;
/// A step, in seconds.
pub const STEP_SECONDS: u64 = 30;
/// A code's digits,
pub const DIGITS: usize = 6;
/// and how many codes there are.
const CODES: u32 = 1_000_000;
/// Steps before and after the current one whose codes are taken: clocks differ, and people type.
const SKEW_STEPS: u64 = 1;
/// Secrets that apps made may be shorter or longer than ours.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: usize = 64;

/// What gate and app share.
pub struct Secret(Vec<u8>);

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the secret of one-time codes: {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes in base 32")]
pub struct NoSecret;

impl Secret {
    /// A new secret of bytes that the caller drew.
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes.to_vec())
    }

    /// From base 32, as it is kept.
    pub fn parse(text: &str) -> Result<Self, NoSecret> {
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| NoSecret)?;
        let fits = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len());
        fits.then_some(Self(bytes)).ok_or(NoSecret)
    }

    /// In base 32.
    pub fn to_text(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// What an app is shown, by hand or as a picture: the enclave, the principal, the secret.
    pub fn uri(&self, issuer: &str, principal: &str) -> String {
        let (issuer, principal) = (escape(issuer), escape(principal));
        let secret = self.to_text();
        format!(
            "otpauth://totp/{issuer}:{principal}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
        )
    }

    /// The code of a step.
    pub fn code(&self, step: u64) -> String {
        format!("{:0DIGITS$}", truncated(&self.mac(step)) % CODES)
    }

    /// The step whose code this is, of those around a time; whichever it is takes as long as none.
    pub fn step_of(&self, code: &str, unix_seconds: u64) -> Option<u64> {
        let now = unix_seconds / STEP_SECONDS;
        let mut found = None;
        for step in now.saturating_sub(SKEW_STEPS)..=now.saturating_add(SKEW_STEPS) {
            if bool::from(self.code(step).as_bytes().ct_eq(code.as_bytes())) {
                found = Some(step);
            }
        }
        found
    }

    fn mac(&self, step: u64) -> [u8; 20] {
        // HMAC takes keys of any length, so the fallback is never reached.
        let Ok(mut mac) = <Hmac<Sha1> as Mac>::new_from_slice(&self.0) else { return [0; 20] };
        mac.update(&step.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// RFC 4226, 5.3: 31 bits from where the last half byte points to.
fn truncated(mac: &[u8; 20]) -> u32 {
    let [.., last] = mac;
    let from = usize::from(last & 0x0f);
    let four = mac.get(from..).and_then(|rest| rest.first_chunk::<4>());
    four.map_or(0, |four| u32::from_be_bytes(*four) & 0x7fff_ffff)
}

/// Percent-encodes what may not stand in a URI as it is.
fn escape(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RFC: &[u8; SECRET_BYTES] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfcs() {
        // RFC 6238, appendix B, for SHA-1: the last six of its eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let secret = Secret::new(*RFC);
            assert_eq!(secret.code(seconds / STEP_SECONDS), code);
            assert_eq!(secret.step_of(code, seconds), Some(seconds / STEP_SECONDS), "{seconds}");
        }
        // RFC 4226, appendix D.
        let counted = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (step, code) in (0..).zip(counted) {
            assert_eq!(Secret::new(*RFC).code(step), code);
        }
    }

    #[test]
    fn a_step_to_each_side_is_taken_and_no_more() {
        let secret = Secret::new(*RFC);
        let code = secret.code(1_000);
        let at = |seconds: u64| secret.step_of(&code, seconds);
        for (seconds, expected) in [
            (29_969, None),
            (29_970, Some(1_000)),
            (30_000, Some(1_000)),
            (30_059, Some(1_000)),
            (30_060, None),
        ] {
            assert_eq!(at(seconds), expected, "{seconds}");
        }
        for wrong in ["", "1", "0000000", "abcdef"] {
            assert_eq!(secret.step_of(wrong, 30_000), None, "{wrong}");
        }
        assert_eq!(secret.step_of(&secret.code(0), 0), Some(0), "at the beginning of time");
    }

    #[test]
    fn a_secret_is_shown_as_apps_read_it() {
        let secret = Secret::new(*RFC);
        assert_eq!(
            secret.uri("Trefoil europe", "aoife"),
            "otpauth://totp/Trefoil%20europe:aoife?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Trefoil%20europe\
             &algorithm=SHA1&digits=6&period=30"
        );
        for text in ["", "GEZDGNBVGY3TQOJQ", "not base 32", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"] {
            assert_eq!(Secret::parse(text).err(), Some(NoSecret), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read(bytes in proptest::array::uniform20(any::<u8>()), step in any::<u32>()) {
            let secret = Secret::new(bytes);
            let read = Secret::parse(&secret.to_text()).unwrap();
            prop_assert_eq!(read.code(step.into()), secret.code(step.into()));
        }
    }
}
