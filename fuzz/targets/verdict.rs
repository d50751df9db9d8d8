//! Any text as a statement: judged without a panic, and the same again. What is cleared as a whole is cleared piece by
//! piece, because the monitor judges the pieces.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use policy::{Ask, Bundle, Permit};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for permit in permits() {
        let first = sql::judge(permit, text);
        assert_eq!(first, sql::judge(permit, text), "judged twice, two verdicts");
        let Ok(cleared) = first else { continue };
        assert_eq!(cleared.text(), text);
        for statement in cleared.statements() {
            let alone = sql::judge_one(permit, statement.text());
            assert!(alone.is_ok(), "{:?} is cleared among others and not alone: {alone:?}", statement.text());
        }
        let stands_in = cleared
            .sent()
            .replace("tf_catalog", "pg_catalog")
            .replace("tf_information_sch", "information_schema");
        assert!(stands_in.len() >= text.len(), "what is sent is shorter than what came");
    }
});

/// A person who sees much and one who sees little.
fn permits() -> &'static [Permit] {
    static PERMITS: OnceLock<Vec<Permit>> = OnceLock::new();
    PERMITS.get_or_init(|| {
        let bundle = Bundle::read(&files()).unwrap();
        let ask = |principal, listener, purpose, ticket| {
            let place = bundle.place_of(listener);
            bundle.decide(&Ask { principal, place, purpose: Some(purpose), ticket }).unwrap()
        };
        vec![ask("aoife", "ireland", "support", Some("SUP-1")), ask("wei", "china", "engineering", None)]
    })
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/europe");
    let mut files = BTreeMap::new();
    for name in ["enclave.toml", "catalog.toml", "directory.toml"] {
        files.insert(name.to_owned(), std::fs::read(folder.join(name)).unwrap());
    }
    for entry in std::fs::read_dir(folder.join("policy")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.insert(format!("policy/{name}"), std::fs::read(&path).unwrap());
    }
    files
}
