//! Bytes around a place: what may stand beside a number, runs of digits, words nearby. Beyond the ends of a text there
//! is a zero byte, which is a boundary. Not here: any kind of identifier.

/// How far before a place anything is looked at, in bytes.
pub(crate) const BEHIND_BYTES_MAX: usize = 160;
/// How far after the place at which it begins anything is looked at, in bytes.
pub(crate) const AHEAD_BYTES_MAX: usize = 512;
/// How far before and after a number a word may stand that says what it is, in bytes.
const CONTEXT_BEFORE_BYTES: usize = 48;
const CONTEXT_AFTER_BYTES: usize = 20;

/// The byte there.
pub(crate) fn at(text: &[u8], place: usize) -> u8 {
    text.get(place).copied().unwrap_or(0)
}

/// The byte so many before.
pub(crate) fn before(text: &[u8], place: usize, back: usize) -> u8 {
    place.checked_sub(back).map_or(0, |place| at(text, place))
}

pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// A letter of ASCII, or a byte of a letter that UTF-8 writes in two: Latin, Greek, Cyrillic.
pub(crate) const fn is_letter_byte(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, 0xC3..=0xD4 | 0x80..=0xBF)
}

/// How many digits begin there.
pub(crate) fn digits(text: &[u8], place: usize) -> usize {
    count(text, place, |byte| byte.is_ascii_digit())
}

/// How many bytes from there on are such, up to what may be looked at.
pub(crate) fn count(text: &[u8], place: usize, such: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(place..).unwrap_or_default();
    rest.iter().take(AHEAD_BYTES_MAX).take_while(|byte| such(**byte)).count()
}

/// Whether a number may begin there: it is no part of a longer word, number, path of an object or amount.
pub(crate) fn opens(text: &[u8], place: usize) -> bool {
    let (last, second) = (before(text, place, 1), before(text, place, 2));
    match last {
        b'_' | b'@' | b'#' | b'$' | b'+' => false,
        b'-' => !is_word(second),
        b'.' => !second.is_ascii_digit(),
        _ => !is_word(last),
    }
}

/// Whether a number may end there.
pub(crate) fn closes(text: &[u8], place: usize) -> bool {
    let (next, second) = (at(text, place), at(text, place.saturating_add(1)));
    match next {
        b'_' | b'@' => false,
        b'-' | b'+' => !is_word(second),
        b'.' => !second.is_ascii_digit(),
        _ => !is_word(next),
    }
}

/// Up to `N` digits of a text, as numbers from 0 to 9.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits<const N: usize> {
    values: [u8; N],
    count: usize,
}

impl<const N: usize> Digits<N> {
    pub(crate) const fn new() -> Self {
        Self { values: [0; N], count: 0 }
    }

    /// Takes one more; false when it is full.
    pub(crate) fn push(&mut self, digit: u8) -> bool {
        let Some(place) = self.values.get_mut(self.count) else { return false };
        *place = digit.wrapping_sub(b'0');
        self.count = self.count.saturating_add(1);
        true
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.values.get(..self.count).unwrap_or_default()
    }
}

/// Whether one of the words stands near, in any case.
pub(crate) fn has_word_near(text: &[u8], start: usize, end: usize, words: &Words) -> bool {
    let last = end.saturating_add(CONTEXT_AFTER_BYTES).min(text.len());
    has_word_before(text, start, CONTEXT_BEFORE_BYTES, words) || has_word(text, end, last, words)
}

/// Whether one of the words stands in the so many bytes before.
pub(crate) fn has_word_before(text: &[u8], start: usize, bytes: usize, words: &Words) -> bool {
    has_word(text, start.saturating_sub(bytes), start, words)
}

/// Whether one of the words stands between two places. A short word must stand alone, a longer one may begin another.
pub(crate) fn has_word(text: &[u8], start: usize, end: usize, words: &Words) -> bool {
    let window = text.get(start..end).unwrap_or_default();
    // The window may begin in the middle of a word.
    let mut last = before(text, start, 1);
    for (place, byte) in window.iter().enumerate() {
        let letter = byte.is_ascii_alphabetic() || matches!(byte, 0xC3..=0xD4);
        // `userPhone` and `user_phone` hold the word `phone`.
        let begins =
            letter && (!is_letter_byte(last) || (last.is_ascii_lowercase() && byte.is_ascii_uppercase()));
        last = *byte;
        if begins && window.get(place..).is_some_and(|rest| words.begin(rest)) {
            return true;
        }
    }
    false
}

/// Words in small letters, and for each first letter those that begin with it, a bit each.
#[derive(Debug)]
pub(crate) struct Words {
    list: &'static [&'static str],
    first: [u64; FIRST_LETTERS],
}

/// Of ASCII, and one more for all others.
const FIRST_LETTERS: usize = 27;
const WORDS_MAX: usize = 64;

impl Words {
    /// At most 64 words, which the compiler checks.
    pub(crate) const fn of(list: &'static [&'static str]) -> Self {
        assert!(list.len() <= WORDS_MAX, "too many words for a bit each");
        let mut first = [0; FIRST_LETTERS];
        let mut word = 0;
        while word < list.len() {
            first[Self::slot(list[word].as_bytes()[0])] |= 1 << word;
            word += 1;
        }
        Self { list, first }
    }

    pub(crate) fn contains(&self, word: &str) -> bool {
        self.list.contains(&word)
    }

    const fn slot(byte: u8) -> usize {
        match byte.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => (letter - b'a') as usize,
            _ => FIRST_LETTERS - 1,
        }
    }

    fn begin(&self, text: &[u8]) -> bool {
        let Some(first) = text.first() else { return false };
        let mut left = self.first.get(Self::slot(*first)).copied().unwrap_or(0);
        while left != 0 {
            let word = self.list.get(usize::try_from(left.trailing_zeros()).unwrap_or(WORDS_MAX));
            if word.is_some_and(|word| starts_with(text, word)) {
                return true;
            }
            left &= left - 1;
        }
        false
    }
}

fn starts_with(text: &[u8], word: &str) -> bool {
    let Some((found, rest)) = text.split_at_checked(word.len()) else { return false };
    let ends = word.len() > 4 || !rest.first().is_some_and(u8::is_ascii_lowercase);
    ends && found.eq_ignore_ascii_case(word.as_bytes())
}
