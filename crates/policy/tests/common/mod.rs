//! The example enclave as a map of files, for tests that ask it or break it.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use policy::{Bundle, ConfigError};

/// A bundle's files.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The files of `examples/europe`.
pub(crate) fn example() -> Files {
    example_of("europe")
}

/// The files of one of the examples.
pub(crate) fn example_of(enclave: &str) -> Files {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples")).join(enclave);
    let mut files = Files::new();
    for folder in ["", "policy/"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = format!("{folder}{}", entry.unwrap().file_name().into_string().unwrap());
            if policy::is_bundle_path(&path) {
                let bytes = std::fs::read(root.join(&path)).unwrap();
                files.insert(path, bytes);
            }
        }
    }
    files
}

/// Replaces the only occurrence of `from` in a file; an empty `from` appends.
pub(crate) fn edit(files: &mut Files, path: &str, from: &str, to: &str) {
    let text = String::from_utf8(files.get(path).unwrap().clone()).unwrap();
    let edited = if from.is_empty() {
        format!("{text}{to}")
    } else {
        assert_eq!(text.matches(from).count(), 1, "{path} has no single `{from}`");
        text.replace(from, to)
    };
    files.insert(path.to_owned(), edited.into_bytes());
}

pub(crate) fn read(files: &Files) -> Bundle {
    Bundle::read(files).unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

/// The errors as they are shown, one a line.
pub(crate) fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
