//! The one pass over a text: at which bytes something may begin, and which detector is asked there. Not here: the
//! detectors.

use crate::text::{at, before, digits, is_word};
use crate::{Finding, Hit, card, email, iban, ip, national, phone, place};

/// What a byte may begin or be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nothing begins here.
    Other,
    Letter,
    Digit,
    At,
    Plus,
    Colon,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256, and `try_from` is not const")]
        let letter = byte as u8;
        classes[byte] = match letter {
            b'0'..=b'9' => Class::Digit,
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'@' => Class::At,
            b'+' => Class::Plus,
            b':' => Class::Colon,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
}

/// Every identifier in the text, in order; none overlaps another.
pub fn scan(text: &[u8]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut place = Place { next: 0, floor: 0 };
    place.scan(text, text.len(), &mut |hit| found.push(hit.at(0)));
    found
}

/// How far a text has been read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The next byte to look at.
    pub(crate) next: usize,
    /// Where the last finding ended: no other may begin before it.
    pub(crate) floor: usize,
}

impl Place {
    /// Looks at every byte before `until`. A finding may end after it.
    pub(crate) fn scan(&mut self, text: &[u8], until: usize, found: &mut impl FnMut(Hit)) {
        while self.next < until {
            let class = CLASSES[usize::from(at(text, self.next))];
            match self.look(text, class) {
                Some(hit) => {
                    self.next = hit.end.max(self.next.saturating_add(1));
                    self.floor = hit.end;
                    found(hit);
                }
                None => self.skip(text, until, class),
            }
        }
    }

    fn look(&self, text: &[u8], class: Class) -> Option<Hit> {
        let here = self.next;
        match class {
            Class::Other => None,
            Class::At => email::around(text, here, self.floor),
            Class::Plus => phone::international(text, here),
            Class::Colon => ip::v6_from_colon(text, here),
            Class::Letter if is_word(before(text, here, 1)) => None,
            Class::Letter => from_letter(text, here),
            Class::Digit if is_word(before(text, here, 1)) => None,
            Class::Digit => from_digit(text, here, self.floor),
        }
    }

    /// Past the word that stands here, or one byte on.
    fn skip(&mut self, text: &[u8], until: usize, class: Class) {
        self.next = self.next.saturating_add(1);
        if matches!(class, Class::Letter | Class::Digit) {
            let rest = text.get(self.next..until).unwrap_or_default();
            self.next = self.next.saturating_add(rest.iter().take_while(|byte| is_word(**byte)).count());
        }
    }
}

fn from_letter(text: &[u8], here: usize) -> Option<Hit> {
    let letters = text.get(here..).unwrap_or_default().iter().take(7);
    let letters = letters.take_while(|byte| byte.is_ascii_alphabetic()).count();
    let after = at(text, here.saturating_add(letters));
    let hit = match letters {
        1 if after.is_ascii_digit() || after == b'-' => national::from_letter(text, here, letters),
        2 if after.is_ascii_digit() => iban::from(text, here),
        6 if after.is_ascii_alphanumeric() => national::from_letter(text, here, letters),
        _ => None,
    };
    if hit.is_none() && letters <= 4 && matches!(at(text, here), b'f' | b'F') {
        return ip::v6(text, here);
    }
    hit
}

fn from_digit(text: &[u8], here: usize, floor: usize) -> Option<Hit> {
    let run = digits(text, here);
    let after = at(text, here.saturating_add(run));
    if run <= 3 && matches!(after, b'.' | 0xC2 | b' ') {
        let found = ip::v4(text, here).or_else(|| place::pair(text, here, floor));
        if found.is_some() {
            return found;
        }
    }
    if run <= 4 && (after == b':' || after.is_ascii_hexdigit()) {
        let found = ip::v6(text, here);
        if found.is_some() {
            return found;
        }
    }
    card::from(text, here, run)
        .or_else(|| national::from_digit(text, here, run))
        .or_else(|| phone::national(text, here))
}
