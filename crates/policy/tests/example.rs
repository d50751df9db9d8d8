//! What the example enclave permits to whom. Not here: bundles that are refused (`refused.rs`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use policy::{Ask, Bundle};

#[test]
fn shows() {
    let bundle = Bundle::read(&common::example()).unwrap_or_else(|errors| {
        for error in &errors {
            eprintln!("{error}");
        }
        std::process::exit(1)
    });
    for p in bundle.profiles() {
        eprintln!("== {} {} {:?}", p.name, p.hash, p.pseudonym_scope);
        for t in &p.tables {
            eprintln!(
                "  {} {} : {}",
                t.table,
                t.scope,
                t.columns
                    .iter()
                    .map(|c| format!("{}={}", c.name, c.disclosure))
                    .collect::<Vec<_>>()
                    .join(" ")
            );
        }
    }
    for (p, l, u, t) in [
        ("aoife", "ireland", None, None),
        ("aoife", "ireland", Some("support"), None),
        ("aoife", "unmapped", Some("support"), Some("S-1")),
        ("lukas", "united-states", Some("analytics"), None),
    ] {
        let at = std::time::Instant::now();
        let r = bundle.decide(&Ask { principal: p, place: bundle.place_of(l), purpose: u, ticket: t });
        let e = at.elapsed();
        match r {
            Ok(x) => eprintln!("{p} {l} {} {e:?}", x.profile().name),
            Err(d) => eprintln!("{p} {l} {d} {e:?}"),
        }
    }
}
