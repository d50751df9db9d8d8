//! Numbers that states give to persons. A scheme is a form, a checksum and the words people put beside it. A number
//! whose form is its own (it has a letter, or signs where only this number has them) is found wherever it stands; a bare
//! run of digits only beside such a word, unless it is so long that its checksum alone tells. Not here: the checksums
//! (`check`), the schemes (`schemes`).

mod check;
mod date;
mod schemes;

use crate::text::{Words, at, closes, has_word_near, opens};
use crate::{Hit, Kind, Validation};
use schemes::{SCHEMES, Scheme};

/// Longest number, in characters without signs.
const VALUE_BYTES_MAX: usize = 16;
/// What is less certain by itself has to be written in capitals.
const ONE_IN_OF_SMALL_LETTERS: u32 = 200;
/// What people call such numbers in general.
static WORDS: Words = Words::of(&[
    "ssn",
    "nin",
    "national id",
    "nationalid",
    "national_id",
    "personal id",
    "personal number",
    "identity number",
    "identity card",
    "id number",
    "social security",
    "tax id",
    "taxid",
    "tax number",
    "tin",
    "nid",
]);

/// The number that begins with a letter there.
pub(crate) fn from_letter(text: &[u8], start: usize, letters: usize) -> Option<Hit> {
    let class = if letters == 1 { Begins::Letter } else { Begins::Letters };
    from(text, start, class)
}

/// The number that begins with so many digits there.
pub(crate) fn from_digit(text: &[u8], start: usize, run: usize) -> Option<Hit> {
    from(text, start, Begins::Digits(run))
}

/// How a form begins, by which those that cannot fit are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    Letter,
    Letters,
    Digits(usize),
}

fn from(text: &[u8], start: usize, begins: Begins) -> Option<Hit> {
    let mut found: Option<((bool, Validation), Hit)> = None;
    for (scheme, form) in BEGINNINGS.forms(begins) {
        let Some(hit) = judge(text, start, scheme, form) else { continue };
        // The best is what its own word stands beside, then what a checksum speaks for, then the first of the table.
        let rank = (has_word_near(text, hit.start, hit.end, &scheme.words), hit.validation);
        if found.is_none_or(|(best, _)| rank > best) {
            found = Some((rank, hit));
        }
    }
    found.map(|(_, hit)| hit)
}

fn judge(text: &[u8], start: usize, scheme: &Scheme, form: &str) -> Option<Hit> {
    let end = start.saturating_add(form.len());
    if !closes(text, end) || !opens(text, start) {
        return None;
    }
    let value = Value::read(text, start, form)?;
    let validation = (scheme.check)(value.as_slice())?;
    // Nine characters that end with a small letter are mostly hexadecimal digits.
    let small =
        text.get(start..end)?.iter().any(u8::is_ascii_lowercase) && scheme.one_in < ONE_IN_OF_SMALL_LETTERS;
    let alone = tells_alone(scheme, form) && !small && validation == Validation::Checksum;
    let near = || has_word_near(text, start, end, &scheme.words) || has_word_near(text, start, end, &WORDS);
    (alone || near()).then(|| Hit::new((start, end), Kind::NationalId, scheme.name, validation))
}

/// Whether nothing else is written so.
fn tells_alone(scheme: &Scheme, form: &str) -> bool {
    let signs = form.bytes().any(|byte| byte != b'#');
    (signs && !scheme.needs_word) || form.len() >= 15
}

/// The schemes of a text that is a number and nothing else, and what speaks for each.
pub(crate) fn whole(text: &[u8]) -> impl Iterator<Item = (&'static Scheme, Validation)> {
    SCHEMES.iter().filter_map(move |scheme| {
        let values = scheme.forms.iter().filter(|form| form.len() == text.len());
        let mut judged = values.filter_map(|form| (scheme.check)(Value::read(text, 0, form)?.as_slice()));
        Some((scheme, judged.next()?))
    })
}

/// One of how many numbers of the scheme's form passes by chance.
pub(crate) fn one_in(name: &str) -> Option<u32> {
    SCHEMES.iter().find(|scheme| scheme.name == name).map(|scheme| scheme.one_in)
}

/// The schemes of which one of the words is exactly this.
pub(crate) fn named(word: &str) -> impl Iterator<Item = &'static str> {
    SCHEMES.iter().filter(move |scheme| scheme.words.contains(word)).map(|scheme| scheme.name)
}

/// The characters of a number without its signs, letters in capitals.
struct Value {
    bytes: [u8; VALUE_BYTES_MAX],
    count: usize,
}

impl Value {
    /// Reads what is written so: `#` a digit, `A` a letter, `*` either, anything else itself.
    fn read(text: &[u8], start: usize, form: &str) -> Option<Self> {
        let mut value = Self { bytes: [0; VALUE_BYTES_MAX], count: 0 };
        for (distance, sign) in form.bytes().enumerate() {
            let byte = at(text, start.checked_add(distance)?);
            let taken = match sign {
                b'#' => byte.is_ascii_digit(),
                b'A' => byte.is_ascii_alphabetic(),
                b'*' => byte.is_ascii_alphanumeric(),
                sign if sign == byte => continue,
                _ => false,
            };
            if !taken {
                return None;
            }
            *value.bytes.get_mut(value.count)? = byte.to_ascii_uppercase();
            value.count = value.count.checked_add(1)?;
        }
        Some(value)
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }
}

const fn beginning(form: &str) -> Begins {
    let bytes = form.as_bytes();
    let mut digits = 0;
    while digits < bytes.len() && bytes[digits] == b'#' {
        digits += 1;
    }
    match digits {
        0 if bytes.len() > 1 && bytes[1] == b'A' => Begins::Letters,
        0 => Begins::Letter,
        digits => Begins::Digits(digits),
    }
}

/// The forms by how they begin, so that only those are tried that can fit.
struct Beginnings {
    /// Places of scheme and form in the table: digits by their number, then a letter, then letters.
    slots: [([(u8, u8); SLOT_FORMS_MAX], usize); SLOTS],
}

const SLOTS: usize = 18;
const SLOT_FORMS_MAX: usize = 24;

static BEGINNINGS: Beginnings = Beginnings::of(SCHEMES);

impl Beginnings {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a table of some forty schemes; `try_from` is not const"
    )]
    const fn of(schemes: &[Scheme]) -> Self {
        let mut slots = [([(0, 0); SLOT_FORMS_MAX], 0); SLOTS];
        let mut scheme = 0;
        while scheme < schemes.len() {
            let mut form = 0;
            while form < schemes[scheme].forms.len() {
                let (forms, count) = &mut slots[Self::slot(beginning(schemes[scheme].forms[form]))];
                forms[*count] = (scheme as u8, form as u8);
                *count += 1;
                form += 1;
            }
            scheme += 1;
        }
        Self { slots }
    }

    const fn slot(begins: Begins) -> usize {
        match begins {
            Begins::Digits(run) => run,
            Begins::Letter => SLOTS - 2,
            Begins::Letters => SLOTS - 1,
        }
    }

    fn forms(&self, begins: Begins) -> impl Iterator<Item = (&'static Scheme, &'static str)> {
        let short = !matches!(begins, Begins::Digits(run) if run >= SLOTS - 2);
        let slot = self.slots.get(Self::slot(begins)).filter(|_| short);
        let forms = slot.and_then(|(forms, count)| forms.get(..*count)).unwrap_or_default();
        forms.iter().filter_map(|(scheme, form)| {
            let scheme = SCHEMES.get(usize::from(*scheme))?;
            Some((scheme, *scheme.forms.get(usize::from(*form))?))
        })
    }
}
