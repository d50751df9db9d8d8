//! Which integers of a text may be left out of the key of its verdict.
//!
//! Only in a text of letters, digits, white space and a few signs, in which nothing can be quoted or commented out;
//! and only a run of digits that is a number by itself, right after `=`, `<` or `>` or after one of a few words. In a
//! SELECT an operand stands there, and an operand may be any number: unlike in `float(53)`, whose grammar knows only
//! some, or in `order by 1`.

/// What stands in the key for an integer. No text has it, because none may hold a zero byte.
const LEFT_OUT: u8 = 0;

/// Words after which an operand follows.
const WORDS: [&str; 4] = ["and", "between", "limit", "offset"];

/// Appends the text without such integers to the key; false when there are none, or the text is not plain: then the
/// key is to be forgotten.
pub(super) fn without_integers(text: &[u8], key: &mut Vec<u8>) -> bool {
    let mut is_any = false;
    let mut rest = text;
    // What comes before `rest`, as far as it matters.
    let mut before = Before { last: b' ', sign: b' ', word: b"" };
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9' => {
                let end = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                if word.iter().all(u8::is_ascii_digit)
                    && before.is_operand_next()
                    && after.first() != Some(&b'.')
                {
                    key.push(LEFT_OUT);
                    is_any = true;
                } else {
                    key.extend_from_slice(word);
                }
                before = Before { last: b'a', sign: b'a', word };
                rest = after;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                key.push(byte);
                before.last = byte;
                rest = tail;
            }
            b'(' | b')' | b'*' | b'+' | b',' | b'-' | b'.' | b'/' | b';' | b'<' | b'=' | b'>' => {
                if matches!((before.last, byte), (b'-', b'-') | (b'/', b'*')) {
                    return false;
                }
                key.push(byte);
                before = Before { last: byte, sign: byte, word: b"" };
                rest = tail;
            }
            _ => return false,
        }
    }
    is_any
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

struct Before<'t> {
    /// The byte right before; `a` for a word's.
    last: u8,
    /// The last byte that is no white space; `a` for a word's.
    sign: u8,
    /// The word that it belongs to.
    word: &'t [u8],
}

impl Before<'_> {
    fn is_operand_next(&self) -> bool {
        matches!(self.sign, b'=' | b'<' | b'>')
            || WORDS.iter().any(|word| self.word.eq_ignore_ascii_case(word.as_bytes()))
    }
}
