//! Whether what an entry says of subjects can be: its digests and its sketch are of the right form, and no more subjects
//! are named than there were fields to show them. Whom the rows were about only the sites know.

use base64::{Engine, engine::general_purpose::STANDARD};
use tlog::detail::{Counted, SUBJECTS_EXACT_MAX, Subjects};

use crate::incident::{Breach, Fault};

/// Bytes of a digest, in hexadecimal.
const DIGEST_DIGITS: usize = 32;
/// Registers of a sketch, a byte each.
const REGISTERS: usize = 4_096;
/// Highest rank of 52 bits.
const RANK_MAX: u8 = 53;
/// Columns of a result: PostgreSQL's own bound.
const COLUMNS_MAX: u64 = 1_664;

/// Checks subjects of a result of so many rows; without `rows`, of an unknown number.
pub(super) fn check(subjects: &Subjects, rows: Option<u64>) -> Result<(), Fault> {
    let listed = u64::try_from(subjects.digests.len()).unwrap_or(u64::MAX);
    let most = u64::try_from(SUBJECTS_EXACT_MAX).unwrap_or(u64::MAX);
    let is_digest = |digest: &String| {
        digest.len() == DIGEST_DIGITS
            && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let is_sorted =
        subjects.digests.iter().zip(subjects.digests.iter().skip(1)).all(|(one, next)| one < next);
    if !is_sorted || !subjects.digests.iter().all(is_digest) {
        return Err(wrong("digests of subjects are 32 hexadecimal digits, sorted, each once"));
    }
    match (&subjects.sketch, subjects.state) {
        (None, _) if subjects.n != listed || listed > most => {
            return Err(wrong("the number of subjects is not that of their digests"));
        }
        (None, Counted::Unknown) if subjects.n != 0 => {
            return Err(wrong("subjects are unknown and counted"));
        }
        (None, _) => {}
        (Some(sketch), Counted::AtLeast) if listed == 0 && subjects.n > most => check_sketch(sketch)?,
        (Some(_), _) => {
            return Err(wrong("a sketch stands for more subjects than are listed, counted at least"));
        }
    }
    if rows.is_some_and(|rows| subjects.n > rows.saturating_mul(COLUMNS_MAX)) {
        return Err(wrong("more subjects than the rows have fields"));
    }
    Ok(())
}

fn check_sketch(sketch: &str) -> Result<(), Fault> {
    let registers = STANDARD.decode(sketch).map_err(|_| wrong("a sketch is 4096 bytes in base64"))?;
    if registers.len() != REGISTERS || registers.iter().any(|rank| *rank > RANK_MAX) {
        return Err(wrong("a sketch is 4096 ranks of at most 53"));
    }
    Ok(())
}

fn wrong(reason: &str) -> Fault {
    Fault::new(Breach::Count, reason)
}
