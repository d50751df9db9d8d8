//! The example enclave as a map of files, for tests that use or break it.

use std::collections::BTreeMap;

/// The files of `examples/europe`.
pub(crate) fn example() -> BTreeMap<String, Vec<u8>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/europe");
    let mut files = BTreeMap::new();
    for folder in ["", "policy"] {
        for entry in std::fs::read_dir(std::path::Path::new(root).join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if policy::is_bundle_path(&path) {
                let bytes = std::fs::read(std::path::Path::new(root).join(&path)).unwrap();
                files.insert(path, bytes);
            }
        }
    }
    files
}
