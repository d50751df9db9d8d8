//! The rules that keep this workspace readable, checked over its own manifests and sources: who may import whom, what
//! a pure crate may not touch, how long a file and a function may be. Style that rustfmt and clippy can judge is theirs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends when it cannot go on")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 60;

/// Every crate of ours and which of ours it may import. A crate that is missing here fails the test.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Pure: bytes and values in, bytes and values out.
    ("tlog", &[]),
    ("policy", &[]),
    ("wire", &[]),
    ("inspect", &[]),
    ("risk", &[]),
    ("wall", &["policy"]),
    ("sql", &["policy"]),
    // What parts share: it reads and writes files.
    ("record", &["tlog"]),
    ("places", &["risk"]),
    // Parts: pure crates and those two, never each other.
    ("sites", &["inspect", "policy", "wall", "wire", "tlog"]),
    ("access", &["places", "policy", "record", "risk", "sql", "tlog", "wall", "wire"]),
    ("residency", &["policy", "wall"]),
    ("logins", &["places", "risk"]),
    ("monitor", &["policy", "record", "sql", "tlog", "wall"]),
    // The binary is the only one that knows all the others.
    (
        "trefoil",
        &[
            "access",
            "inspect",
            "logins",
            "places",
            "policy",
            "record",
            "residency",
            "risk",
            "sites",
            "sql",
            "tlog",
            "wall",
            "wire",
        ],
    ),
];
const PURE: &[&str] = &["tlog", "policy", "wire", "inspect", "risk", "wall", "sql"];
const NOT_IN_A_PURE_MANIFEST: &[&str] =
    &["axum", "getrandom", "hyper", "rand", "rcgen", "rustix", "rustls", "tokio", "tokio-postgres"];
const NOT_IN_A_PURE_SOURCE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::",
    "OsRng",
    "println!",
];

#[test]
fn crates_import_only_what_they_may() {
    let rules: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let ours = crate_names();
    let mut wrong = Vec::new();
    for name in &ours {
        let Some(allowed) = rules.get(name.as_str()) else {
            wrong.push(format!("{name}: has no line in MAY_IMPORT; decide what it may import"));
            continue;
        };
        for import in dependencies(name).intersection(&ours) {
            if !allowed.contains(&import.as_str()) {
                wrong.push(format!("{name}: imports {import}; it may import {allowed:?}"));
            }
        }
    }
    check(&wrong);
}

#[test]
fn pure_crates_do_no_input_output_time_or_chance() {
    let mut wrong = Vec::new();
    for name in PURE {
        for import in dependencies(name) {
            if NOT_IN_A_PURE_MANIFEST.contains(&import.as_str()) {
                wrong.push(format!("{name}: depends on {import}"));
            }
        }
        for (file, text) in sources(name) {
            for (number, line) in product_lines(&file, &text) {
                if let Some(word) = NOT_IN_A_PURE_SOURCE.iter().find(|word| line.contains(*word)) {
                    wrong.push(format!("{}:{number}: {word} in a pure crate", file.display()));
                }
            }
        }
    }
    check(&wrong);
}

#[test]
fn files_open_with_a_heading_and_stay_short() {
    let mut wrong = Vec::new();
    for name in crate_names() {
        for (file, text) in sources(&name) {
            let lines = text.lines().count();
            if lines > FILE_LINES_MAX {
                wrong.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", file.display()));
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{}: does not open with //! on what it is for", file.display()));
            }
        }
    }
    check(&wrong);
}

#[test]
fn functions_stay_short() {
    let mut wrong = Vec::new();
    for name in crate_names() {
        for (file, text) in sources(&name) {
            for (number, lines) in functions(&file, &text) {
                if lines > FUNCTION_LINES_MAX {
                    wrong.push(format!(
                        "{}:{number}: a function of {lines} lines, at most {FUNCTION_LINES_MAX}",
                        file.display()
                    ));
                }
            }
        }
    }
    check(&wrong);
}

fn check(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn crate_names() -> BTreeSet<String> {
    let folders = fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap().path());
    folders
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

/// Names in `[dependencies]` and `[build-dependencies]`, of every target. What tests import is their affair.
fn dependencies(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let mut found = BTreeSet::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(|table| table.values().filter_map(toml::Value::as_table));
    for table in targets.chain([&manifest]) {
        for section in ["dependencies", "build-dependencies"] {
            let Some(section) = table.get(section).and_then(toml::Value::as_table) else { continue };
            found.extend(section.keys().cloned());
        }
    }
    found
}

/// Every Rust file under a crate's `src`, and the test programs directly under `tests`.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    let folder = crates().join(name);
    let mut files = rust_files(&folder.join("src"), true);
    files.extend(rust_files(&folder.join("tests"), false));
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(&file).unwrap())).collect()
}

fn rust_files(folder: &Path, descend: bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && descend {
            found.extend(rust_files(&path, true));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Numbered lines of the product itself: no comments, no test modules (which close a file), no test files.
fn product_lines<'a>(file: &Path, text: &'a str) -> Vec<(usize, &'a str)> {
    let is_test = file.components().any(|part| part.as_os_str() == "tests")
        || file.file_name().is_some_and(|name| name == "tests.rs");
    if is_test {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut product = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if line.trim() == "#[cfg(test)]" {
            // One item on one line, such as `mod tests;`; anything longer closes the file.
            if !lines.get(at + 1).is_some_and(|next| next.ends_with(';')) {
                break;
            }
            at += 1;
        } else if !line.trim_start().starts_with("//") {
            product.push((at + 1, *line));
        }
        at += 1;
    }
    product
}

/// First line and length of every function of the product. Reads what rustfmt wrote: a function ends at the first
/// closing brace that stands as deep as it began.
fn functions(file: &Path, text: &str) -> Vec<(usize, usize)> {
    let lines = product_lines(file, text);
    let mut found = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        let code = line.trim_start();
        let depth = line.len() - code.len();
        if !opens_function(code) || code.ends_with('}') || code.ends_with(';') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(depth));
        if let Some((last, _)) = lines.iter().skip(at).find(|(_, line)| *line == close) {
            found.push((*number, last - number + 1));
        }
    }
    found
}

fn opens_function(code: &str) -> bool {
    let before = |word: &&str| word.starts_with("pub") || ["async", "const", "unsafe"].contains(word);
    code.split(' ').find(|word| !before(word)) == Some("fn")
}

#[test]
fn functions_are_found_and_measured() {
    let text = "//! A.\n\npub(crate) async fn a(\n    b: u8,\n) {\n    b;\n}\n\nimpl C {\n    fn d() {\n        e();\n    }\n}\n";
    assert_eq!(functions(Path::new("src/a.rs"), text), [(3, 5), (10, 3)]);
}
