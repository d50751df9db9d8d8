//! The files of a bundle: which there are, that each is text, and each from text to its raw form. Not here: what they
//! say (`enclave`, `catalog`, `directory`, `rules`).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::error::{ConfigError, Problems};
use crate::profile::PolicyHash;

/// Largest file of a bundle, in bytes.
pub const FILE_BYTES_MAX: usize = 1_048_576;
/// Most files of a bundle.
pub const FILES_MAX: usize = 256;

pub(crate) const ENCLAVE: &str = "enclave.toml";
pub(crate) const CATALOG: &str = "catalog.toml";
pub(crate) const DIRECTORY: &str = "directory.toml";

/// Whether a file at this path (relative, with `/`) belongs to a bundle. Others must not be handed to
/// [`crate::Bundle::read`], which refuses them.
pub fn is_bundle_path(path: &str) -> bool {
    let policy = path.strip_prefix("policy/").and_then(|name| name.strip_suffix(".cedar"));
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    [ENCLAVE, CATALOG, DIRECTORY].contains(&path)
        || policy.is_some_and(|name| !name.is_empty() && plain(name))
}

pub(crate) fn hash(files: &BTreeMap<String, Vec<u8>>) -> PolicyHash {
    let mut digest = Sha256::new();
    for (path, bytes) in files {
        digest.update(path.as_bytes());
        digest.update([0]);
        digest.update(bytes.len().to_string().as_bytes());
        digest.update([0]);
        digest.update(bytes);
    }
    PolicyHash(digest.finalize().into())
}

/// Which files there are, and that each is text.
pub(crate) fn check_files<'a>(
    files: &'a BTreeMap<String, Vec<u8>>,
    errors: &mut Vec<ConfigError>,
) -> BTreeMap<&'a str, &'a str> {
    let mut whole = |file: &str, problem: String, remedy: String| {
        errors.push(ConfigError { file: file.to_owned(), line: None, key: None, problem, remedy });
    };
    let mut texts = BTreeMap::new();
    if files.len() > FILES_MAX {
        whole("policy", format!("there are {} files", files.len()), format!("use at most {FILES_MAX}"));
    }
    for (path, bytes) in files {
        if !is_bundle_path(path) {
            let remedy =
                format!("remove it: a bundle is {ENCLAVE}, {CATALOG}, {DIRECTORY} and policy/*.cedar");
            whole(path, "this file does not belong to a bundle".into(), remedy);
        } else if bytes.len() > FILE_BYTES_MAX {
            whole(
                path,
                format!("the file has {} bytes", bytes.len()),
                format!("use at most {FILE_BYTES_MAX}"),
            );
        } else {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    texts.insert(path.as_str(), text);
                }
                Err(error) => whole(path, error.to_string(), "save the file as UTF-8".into()),
            }
        }
    }
    for path in [ENCLAVE, CATALOG, DIRECTORY] {
        if !files.contains_key(path) {
            whole(path, "the file is missing".into(), "add it to the bundle".into());
        }
    }
    if !files.keys().any(|path| path.starts_with("policy/")) {
        whole("policy", "there is no policy".into(), "add at least one policy/*.cedar file".into());
    }
    texts
}

/// One TOML file, from text to its checked form; none when the text is missing or has another shape.
pub(crate) fn check_file<R: DeserializeOwned, C>(
    texts: &BTreeMap<&str, &str>,
    path: &str,
    errors: &mut Vec<ConfigError>,
    check: impl FnOnce(R, &mut Problems<'_>) -> C,
) -> Option<C> {
    let text = texts.get(path)?;
    let mut found = Problems::new(path, text);
    let checked = match toml::from_str::<Spanned<R>>(text) {
        Ok(raw) => Some(check(raw.into_inner(), &mut found)),
        Err(error) => {
            let remedy = "correct it; the example enclave shows every key";
            match error.span() {
                Some(span) => {
                    let key = key_at(text, span.start, error.message());
                    found.at(span, key, error.message().to_owned(), remedy);
                }
                None => found.whole(error.message().to_owned(), remedy),
            }
            None
        }
    };
    errors.append(&mut found.into_found());
    checked
}

/// The key that a shape error is about: named by the message, or written before the value.
fn key_at<'a>(text: &'a str, start: usize, message: &'a str) -> &'a str {
    let named = ["unknown field `", "missing field `", "duplicate field `"];
    if let Some(rest) = named.iter().find_map(|prefix| message.strip_prefix(prefix)) {
        return rest.split('`').next().unwrap_or_default();
    }
    let before = text.get(..start).unwrap_or_default().trim_end();
    let Some(before) = before.strip_suffix('=').map(str::trim_end) else { return "" };
    before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}
