//! What counting a row costs; run by hand, in a release build.

use std::hint::black_box;

use super::*;

const ROWS: u32 = 1_000_000;

fn nanoseconds(what: &str, distinct: u32, limits: &str, columns: Columns<'_>, text: &str, format: Format) {
    let lab = Lab::new(limits);
    let permit = support(&lab.bundle);
    let mut meter = lab.metering.session(SITE, &permit);
    let shape = Arc::new(lab.shape(&permit, text, columns).in_formats(&[format]));
    let rows: Vec<_> = (0..distinct)
        .map(|id| match format {
            Format::Text => texts(&[&(1_000_000 + id).to_string(), "somebody"]),
            Format::Binary => row(&[Some(&i64::from(id).to_be_bytes()), Some(b"somebody")]),
        })
        .collect();
    let mut counter = meter.begin(Arc::clone(&shape)).unwrap();
    let began = crate::clock::instant();
    for n in 0..ROWS {
        let row = &rows[(n % distinct) as usize];
        meter.row(&mut counter, black_box(row), row.len() + 5).unwrap();
    }
    let took = (crate::clock::instant() - began).as_nanos() / u128::from(ROWS);
    println!("{what}: {took} ns a row; {:?}", meter.end(&counter).map(|subjects| subjects.n));
}

#[test]
#[ignore = "measures; run it in a release build"]
fn a_row() {
    let users = &[("users.id", INT8, T), ("users.handle", TEXT, T)][..];
    let one = "SELECT id, handle FROM users";
    nanoseconds("1 000 subjects, text", 1_000, "", users, one, T);
    nanoseconds("1 000 subjects, binary", 1_000, "", users, one, B);
    nanoseconds("100 000 subjects, text", 100_000, "", users, one, T);
    let none = &[("users.handle", TEXT, T), ("users.handle", TEXT, T)][..];
    nanoseconds("no key", 1_000, "", none, "SELECT handle, handle FROM users", T);
    let limits = "{ name = \"l\", per = \"day\", class = \"personal\", rows = 1_000_000_000, bytes = 1_000_000_000_000 }";
    nanoseconds("1 000 subjects, a limit a day", 1_000, limits, users, one, T);
    let limits = "{ name = \"l\", per = \"day\", subjects = 1_000_000 }";
    nanoseconds("100 000 subjects, a limit of subjects a day", 100_000, limits, users, one, T);
}
