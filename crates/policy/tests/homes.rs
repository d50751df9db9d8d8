//! Statements about homes: what is read back as it was written, what is refused, and what may follow what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use policy::Homes;

const FIRST: &str = "trefoil homes v1\neurope\nserial 0\n\
    home dublin-1 dublin-1 0\nhome dublin-2 dublin-2 0\nhome hamar hamar 0\n";

#[test]
fn statements_are_read_as_they_are_written_or_not_at_all() {
    let bundle = policy::Bundle::read(&common::example()).unwrap();
    let first = Homes::first(&bundle);
    assert_eq!(first.text(), FIRST);
    let moving = first.begin(first.now().moved("dublin-1", "hamar").with_out("dublin-1", true));
    for homes in [&first, &moving, &moving.finish()] {
        assert_eq!(Homes::parse(&homes.text(), &bundle).as_ref(), Ok(homes));
    }
    for (from, to) in [
        ("v1", "v2"),
        ("europe", "texas"),
        ("serial 0", "serial 00"),
        ("serial 0\n", ""),
        ("home hamar hamar 0\n", ""),
        ("home hamar hamar 0\n", "home hamar hamar 0\nhome hamar hamar 0\n"),
        ("home hamar hamar 0\n", "home hamar oslo 0\n"),
        ("home hamar hamar 0\n", "home hamar hamar 0\nhome oslo hamar 0\n"),
        ("home hamar hamar 0\n", "home hamar hamar 0\nout hamar\n"),
        ("home hamar hamar 0\n", "home hamar hamar 0\nnext home hamar hamar 0\n"),
        ("home hamar hamar 0\n", "home hamar hamar 0 \n"),
        (
            "home dublin-1 dublin-1 0\nhome dublin-2 dublin-2 0\n",
            "home dublin-2 dublin-2 0\nhome dublin-1 dublin-1 0\n",
        ),
    ] {
        assert!(FIRST.contains(from));
        let text = FIRST.replacen(from, to, 1);
        assert!(Homes::parse(&text, &bundle).is_err(), "{text}");
    }
}

#[test]
fn a_home_moves_once_under_each_term() {
    let bundle = policy::Bundle::read(&common::example()).unwrap();
    let first = Homes::first(&bundle);
    let to_hamar = first.begin(first.now().moved("dublin-1", "hamar"));
    let to_other = first.begin(first.now().moved("dublin-1", "dublin-2"));
    let given_up = to_hamar.begin(first.now().moved("dublin-1", "hamar").with_out("dublin-1", true));
    let moved = to_hamar.finish();
    let twice = first.begin(first.now().moved("dublin-1", "hamar").moved("dublin-1", "dublin-2"));
    let follows = |after: &Homes, before: &Homes| after.follows(before).is_ok();
    for (after, before, expected) in [
        (&to_hamar, &first, true),
        (&moved, &to_hamar, true),
        (&given_up, &to_hamar, true),
        (&given_up.finish(), &given_up, true),
        // Another move was begun.
        (&to_other, &to_hamar, false),
        (&to_hamar.begin(first.now().moved("dublin-1", "dublin-2")), &to_hamar, false),
        // It was not begun, or is begun again under the same term.
        (&moved, &first, false),
        (&moved, &to_other, false),
        (&to_hamar, &moved, false),
        (&twice, &first, false),
        (&first, &first, false),
    ] {
        assert_eq!(follows(after, before), expected, "{}\nafter\n{}", after.text(), before.text());
    }
    let back = moved.begin(moved.now().moved("dublin-1", "dublin-1"));
    assert!(follows(&back, &moved) && back.finish().now().of("dublin-1").unwrap().term == 2);
}
