//! The `options` start-up parameter: `-c name=value` and `--name=value`, split and unescaped exactly as PostgreSQL
//! does it, so that no setting passes under a spelling that we read differently. Not here: which settings pass.

use thiserror::Error;

/// The most settings in one `options` parameter.
pub const OPTIONS_SETTINGS_MAX: usize = 64;

/// One setting asked for at start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// In lower case with `-` as `_`: PostgreSQL takes setting names without regard to either.
    pub name: String,
    pub value: String,
}

/// The `options` parameter asks for something that is not a setting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OptionsError {
    #[error("options: {word:?} is not a setting; write -c name=value")]
    NotASetting { word: String },
    #[error("options: -c is followed by nothing; write -c name=value")]
    NothingFollows,
    #[error("options: it ends in a lone backslash; write \\\\ for a backslash and '\\ ' for a space")]
    LoneBackslash,
    #[error("options: more than {OPTIONS_SETTINGS_MAX} settings; send fewer")]
    TooMany,
}

/// Reads an `options` value into its settings, in order; a later one of the same name wins in PostgreSQL.
pub fn parse(options: &str) -> Result<Vec<Setting>, OptionsError> {
    let mut settings = Vec::new();
    let mut words = words(options)?.into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next().ok_or(OptionsError::NothingFollows)?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            return Err(OptionsError::NotASetting { word });
        };
        if settings.len() >= OPTIONS_SETTINGS_MAX {
            return Err(OptionsError::TooMany);
        }
        settings.push(setting(assignment)?);
    }
    Ok(settings)
}

fn setting(assignment: String) -> Result<Setting, OptionsError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$');
    match assignment.split_once('=') {
        Some((name, value)) if !name.is_empty() && name.bytes().all(plain) => {
            let name = name.to_ascii_lowercase().replace('-', "_");
            Ok(Setting { name, value: value.to_owned() })
        }
        _ => Err(OptionsError::NotASetting { word: assignment }),
    }
}

/// Splits at white space; a backslash makes the next character stand for itself.
fn words(options: &str) -> Result<Vec<String>, OptionsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = options.chars();
    while let Some(c) = chars.next() {
        match c {
            // What C's isspace takes for white space; Unicode knows more.
            ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r' => words.extend(word.take()),
            '\\' => {
                let escaped = chars.next().ok_or(OptionsError::LoneBackslash)?;
                word.get_or_insert_default().push(escaped);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}
