//! Objects in a stream, whole and broken.

use super::*;

const A: &str = r#"{"CreationTime":"2024-05-01T10:00:00","Operation":"UserLoggedIn","UserId":"a"}"#;
const B: &str = r#"{"CreationTime":"2024-05-01T10:00:00","Operation":"UserLoggedIn","UserId":"b{\"]"}"#;
const OF_A: &str = "2024-05-01T10:00:00Z logon ok a";
const OF_B: &str = "2024-05-01T10:00:00Z logon ok b{\"]";

fn objects(text: &str, wanted: &[&str]) {
    check(Format::O365, text, wanted);
}

#[test]
fn objects_are_found_however_they_stand() {
    objects("", &[]);
    objects(" \n\n", &[]);
    objects(&format!("{A}\n{B}\n"), &[OF_A, OF_B]);
    objects(&format!("{A}{B}"), &[OF_A, OF_B]);
    objects(&format!("[{A},\n{B}]\n"), &[OF_A, OF_B]);
    objects(&format!("\u{feff}[\n  {A}\r\n,{B}\r\n]"), &[OF_A, OF_B]);
    objects(&format!("Record 1\n{A}\nRecord 2\n{B}\n"), &[OF_A, OF_B]);
    objects(&format!("{{\"value\":[{A},{B}]}}"), &[OF_A, OF_B]);
}

#[test]
fn what_is_broken_is_told_and_the_next_is_read() {
    let cut = &A[..40];
    objects(&format!("{cut}\n{B}\n"), &["line 1: its line ends within a string", OF_B]);
    let cut = &A[..37];
    objects(&format!("{cut}\n{B}\n"), &["line 1: it does not end before the next object", OF_B]);
    objects(&format!("{B}\n{cut}"), &[OF_B, "line 2: the input ends before it does"]);
    objects(
        &format!("nonsense\n{B}\n\"text\"\n{A}"),
        &["line 1: no JSON object", OF_B, "line 3: no JSON object", OF_A],
    );
    let (items, _) = all(Format::O365, format!("{{\"a\" 1}}\n{B}"), &options());
    assert!(items[0].starts_with("line 1: no JSON: ") && items[1] == OF_B, "{items:?}");
}

#[test]
fn reading_ends_when_asked() {
    for (format, text) in [(Format::O365, format!("{A}\n{A}\n{A}")), (Format::Ocsf, "x\nx\nx\n".to_owned())] {
        let mut count = 0;
        let input = Input::Stream(Box::new(Cursor::new(text)));
        let counts = read(format, input, &options(), &mut |_| {
            count += 1;
            if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((counts.unwrap().logins + counts_of(format), count), (2, 2));
    }
}

/// Problems stand for logins where the text has none.
const fn counts_of(format: Format) -> u64 {
    match format {
        Format::Ocsf => 2,
        _ => 0,
    }
}

#[test]
fn the_index_of_an_event_is_that_of_its_line() {
    let event = r#"{"class_uid":3002,"time":0,"user":{"name":"a"}}"#;
    let text = format!("{event}\n\n{{\"class_uid\":4001}}\nnonsense\n{event}\n");
    let mut indices = Vec::new();
    let input = Input::Stream(Box::new(Cursor::new(text)));
    let counts = read(Format::Ocsf, input, &options(), &mut |item| {
        if let Item::Login(index, _) = item {
            indices.push(index);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(indices, [0, 4]);
    assert_eq!(counts.unwrap(), Counts { logins: 2, others: 1, problems: 1 });
}
