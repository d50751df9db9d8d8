//! Bodies as tables, against another implementation's writer and reader. Not here: frames and start-up (`frames`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::fmt::Debug;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::IsNull;
use postgres_protocol::message::{backend as peer_backend, frontend as peer};
use wire::codec::{self, Format, Frame, Next};
use wire::frontend::{Message, Parse, SaslInitial, Target};
use wire::{Unwritable, Violation, backend, frontend};

/// A frame of `tag` around `body`.
fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

fn one<K: codec::Tag + Debug>(input: &[u8]) -> Result<Frame<'_, K>, Violation> {
    match codec::next::<K>(input)? {
        Next::Frame { frame, whole, rest } => {
            assert_eq!((whole, rest), (input, [].as_slice()));
            Ok(frame)
        }
        Next::Need(more) => panic!("{more} bytes more than {input:?}"),
    }
}

/// Reads one client message and compares its debug form.
fn check(input: &[u8], expected: Result<&str, Violation>) {
    let read = one(input).and_then(Message::read);
    assert_eq!(read.map(|message| format!("{message:?}")), expected.map(str::to_owned), "{input:?}");
}

/// Has the other implementation write a message.
fn written(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

#[test]
fn client_messages() {
    check(&written(|b| peer::query("SELECT 1", b).unwrap()), Ok(r#"Query("SELECT 1")"#));
    check(&written(|b| peer::describe(b'S', "s", b).unwrap()), Ok(r#"Describe(Statement("s"))"#));
    check(&written(|b| peer::describe(b'P', "", b).unwrap()), Ok(r#"Describe(Portal(""))"#));
    check(&written(|b| peer::close(b'S', "s", b).unwrap()), Ok(r#"Close(Statement("s"))"#));
    check(&written(|b| peer::execute("p", 0, b).unwrap()), Ok(r#"Execute { portal: "p", rows_max: None }"#));
    check(&written(|b| peer::execute("", -1, b).unwrap()), Ok(r#"Execute { portal: "", rows_max: None }"#));
    check(&written(|b| peer::execute("", 9, b).unwrap()), Ok(r#"Execute { portal: "", rows_max: Some(9) }"#));
    check(&written(peer::sync), Ok("Sync"));
    check(&written(peer::flush), Ok("Flush"));
    check(&written(peer::terminate), Ok("Terminate"));
    check(&written(peer::copy_done), Ok("CopyDone"));
    check(&written(|b| peer::copy_fail("no", b).unwrap()), Ok(r#"CopyFail("no")"#));
    check(&frame(b'd', b"x"), Ok("CopyData([120])"));
    check(&frame(b'F', b"anything"), Ok("FunctionCall([97, 110, 121, 116, 104, 105, 110, 103])"));
}

#[test]
fn malformed_client_messages() {
    let bad = |of, field| Err(Violation::BadField { of, field });
    check(&frame(b'Q', b"SELECT 1"), Err(Violation::Unterminated { of: "Query" }));
    check(&frame(b'Q', b""), Err(Violation::Unterminated { of: "Query" }));
    check(&frame(b'Q', b"a\0b"), Err(Violation::Trailing { of: "Query" }));
    check(&frame(b'Q', b"a\0b\0"), Err(Violation::Trailing { of: "Query" }));
    check(&frame(b'Q', b"\xff\0"), Err(Violation::NotUtf8 { of: "Query" }));
    check(&frame(b'D', b"Xs\0"), bad("Describe", "kind"));
    check(&frame(b'C', b""), Err(Violation::Truncated { of: "Close" }));
    check(&frame(b'E', b"p\0\0\0\0"), Err(Violation::Truncated { of: "Execute" }));
    check(&frame(b'P', b"s\0SELECT\0\0\x02\0\0\0\x17"), Err(Violation::Truncated { of: "Parse" }));
    check(&frame(b'P', b"s\0SELECT\0\0\0\0"), Err(Violation::Trailing { of: "Parse" }));
    // One value of length −2; a value longer than the body; format code 2; two formats for one value.
    check(&frame(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), bad("Bind", "value length"));
    check(&frame(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"), Err(Violation::Truncated { of: "Bind" }));
    check(&frame(b'B', b"\0\0\0\x01\0\x02\0\0\0\0"), bad("Bind", "format code"));
    check(
        &frame(b'B', b"\0\0\0\x02\0\0\0\x01\0\x01\xff\xff\xff\xff\0\0"),
        bad("Bind", "number of parameter formats"),
    );
}

#[test]
fn parse_and_bind() {
    let bytes = written(|b| peer::parse("s", "SELECT $1", [23, 0, 25], b).unwrap());
    let Message::Parse(Parse { name, text, types }) = Message::read(one(&bytes).unwrap()).unwrap() else {
        panic!("not a Parse");
    };
    assert_eq!((name, text, types.collect::<Vec<_>>()), ("s", "SELECT $1", vec![23, 0, 25]));

    let bind = |formats: &[i16], values: &[Option<&[u8]>], results: &[i16]| {
        let serialize = |value: Option<&[u8]>, out: &mut BytesMut| {
            out.extend_from_slice(value.unwrap_or_default());
            Ok(if value.is_some() { IsNull::No } else { IsNull::Yes })
        };
        let (formats, values, results) = (formats.to_vec(), values.to_vec(), results.to_vec());
        let bytes =
            written(|b| assert!(peer::bind("p", "s", formats, values, serialize, results, b).is_ok()));
        let Message::Bind(bind) = Message::read(one(&bytes).unwrap()).unwrap() else { panic!("not a Bind") };
        assert_eq!((bind.portal, bind.statement), ("p", "s"));
        let values: Vec<_> =
            bind.values().map(|(format, value)| (format, value.map(<[u8]>::to_vec))).collect();
        assert_eq!(usize::from(bind.count()), values.len());
        (values, (0..3).map(|at| bind.results().of(at)).collect::<Vec<_>>())
    };
    use Format::{Binary, Text};
    let value = |bytes: &[u8]| Some(bytes.to_vec());
    assert_eq!(bind(&[], &[], &[]), (vec![], vec![Text, Text, Text]));
    assert_eq!(
        bind(&[1], &[Some(b"\xff"), None], &[1]),
        (vec![(Binary, value(b"\xff")), (Binary, None)], vec![Binary, Binary, Binary])
    );
    assert_eq!(
        bind(&[0, 1], &[Some(b""), Some(b"b")], &[1, 0, 1]),
        (vec![(Text, value(b"")), (Binary, value(b"b"))], vec![Binary, Text, Binary])
    );
}

#[test]
fn what_we_write_to_a_site() {
    let check = |ours: &dyn Fn(&mut Vec<u8>), theirs: &dyn Fn(&mut BytesMut)| {
        let mut out = Vec::new();
        ours(&mut out);
        assert_eq!(out, written(theirs));
    };
    check(&|b| frontend::ssl_request(b), &|b| peer::ssl_request(b));
    check(&|b| frontend::sync(b), &|b| peer::sync(b));
    check(&|b| frontend::flush(b), &|b| peer::flush(b));
    check(&|b| frontend::terminate(b), &|b| peer::terminate(b));
    check(&|b| frontend::query(b, "SELECT 1").unwrap(), &|b| peer::query("SELECT 1", b).unwrap());
    check(&|b| frontend::cancel(b, 7, &[0, 0, 1, 0]).unwrap(), &|b| peer::cancel_request(7, 256, b));
    check(&|b| frontend::parse(b, "s", "SELECT $1", &[23]).unwrap(), &|b| {
        peer::parse("s", "SELECT $1", [23], b).unwrap()
    });
    check(&|b| frontend::describe(b, Target::Portal("p")).unwrap(), &|b| {
        peer::describe(b'P', "p", b).unwrap()
    });
    check(&|b| frontend::startup(b, &[("client_encoding", "UTF8"), ("user", "tp")]).unwrap(), &|b| {
        peer::startup_message([("client_encoding", "UTF8"), ("user", "tp")], b).unwrap()
    });
    check(&|b| frontend::sasl_initial(b, "SCRAM-SHA-256", b"n,,n=,r=a").unwrap(), &|b| {
        peer::sasl_initial_response("SCRAM-SHA-256", b"n,,n=,r=a", b).unwrap()
    });
    check(&|b| frontend::sasl_response(b, b"c=biws").unwrap(), &|b| {
        peer::sasl_response(b"c=biws", b).unwrap()
    });
    let mut out = b"before".to_vec();
    assert_eq!(frontend::query(&mut out, "SELECT 1\0; DROP"), Err(Unwritable::Nul));
    assert_eq!(frontend::startup(&mut out, &[("user", "a"), ("b\0", "")]), Err(Unwritable::Nul));
    assert_eq!(out, b"before", "nothing is left of what cannot be written");
}

#[test]
fn sasl_initial_response() {
    let bytes = written(|b| peer::sasl_initial_response("SCRAM-SHA-256", b"n,,", b).unwrap());
    let Message::Password(body) = Message::read(one(&bytes).unwrap()).unwrap() else { panic!("not SASL") };
    let initial = SaslInitial::read(body).unwrap();
    assert_eq!((initial.mechanism, initial.data), ("SCRAM-SHA-256", Some(b"n,,".as_slice())));
    assert_eq!(SaslInitial::read(b"X\0\xff\xff\xff\xff").unwrap().data, None);
    assert!(SaslInitial::read(b"X\0\0\0\0\x01ab").is_err());
}

/// What we write to clients, as the other implementation reads it, in a line each.
#[test]
fn what_we_write_to_a_client() {
    use peer_backend::Message as M;
    let mut out = Vec::new();
    backend::authentication_sasl(&mut out, &["SCRAM-SHA-256"]).unwrap();
    backend::authentication_sasl_continue(&mut out, b"r=").unwrap();
    backend::authentication_sasl_final(&mut out, b"v=").unwrap();
    backend::authentication_ok(&mut out);
    backend::parameter_status(&mut out, "server_version", "15.20").unwrap();
    backend::backend_key_data(&mut out, -5, &[0, 0, 1, 0]).unwrap();
    backend::ready(&mut out, backend::TransactionStatus::Failed);
    let long = "é".repeat(backend::REPORT_FIELD_BYTES_MAX);
    let report = backend::Report {
        severity: backend::Severity::Fatal,
        sqlstate: "42501",
        message: "no\0w",
        detail: Some(&long),
        hint: None,
    };
    backend::error_response(&mut out, &report);
    backend::notice_response(&mut out, &backend::Report { detail: None, hint: Some("do"), ..report });
    let mut out = BytesMut::from(out.as_slice());
    let fields = |fields: peer_backend::ErrorFields<'_>| {
        let shown = |f: peer_backend::ErrorField<'_>| {
            let text = String::from_utf8(f.value_bytes().to_vec()).unwrap();
            Ok(format!(
                "{}:{}",
                f.type_() as char,
                if text.len() > 99 { text.len().to_string() } else { text }
            ))
        };
        fields.map(shown).collect::<Vec<_>>().unwrap().join("|")
    };
    let mut seen = Vec::new();
    while let Some(message) = M::parse(&mut out).unwrap() {
        seen.push(match message {
            M::AuthenticationSasl(body) => body.mechanisms().collect::<Vec<_>>().unwrap().join(" "),
            M::AuthenticationSaslContinue(body) => format!("continue {:?}", body.data()),
            M::AuthenticationSaslFinal(body) => format!("final {:?}", body.data()),
            M::AuthenticationOk => "ok".into(),
            M::ParameterStatus(body) => format!("{}={}", body.name().unwrap(), body.value().unwrap()),
            M::BackendKeyData(body) => format!("key {} {}", body.process_id(), body.secret_key()),
            M::ReadyForQuery(body) => format!("ready {}", body.status() as char),
            M::ErrorResponse(body) => fields(body.fields()),
            M::NoticeResponse(body) => fields(body.fields()),
            _ => "?".into(),
        });
    }
    assert_eq!(
        seen,
        [
            "SCRAM-SHA-256",
            "continue [114, 61]",
            "final [118, 61]",
            "ok",
            "server_version=15.20",
            "key -5 256",
            "ready E",
            "S:FATAL|V:FATAL|C:42501|M:no\u{fffd}w|D:8192",
            "S:FATAL|V:FATAL|C:42501|M:no\u{fffd}w|H:do",
        ]
    );
    let mut out = Vec::new();
    backend::negotiate_protocol_version(&mut out, 2, ["_pq_.a"].into_iter()).unwrap();
    assert_eq!(out, b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.a\0");
    for (length, fits) in [(3, false), (4, true), (32, true), (256, true), (257, false)] {
        assert_eq!(backend::backend_key_data(&mut out, 1, &vec![7; length]).is_ok(), fits, "{length}");
    }
}

#[test]
fn what_a_server_says() {
    fn check<T: Debug>(read: Result<T, Violation>, expected: &str) {
        assert_eq!(format!("{read:?}"), expected);
    }
    use backend::{Authentication, BackendKey, CommandTag, Fields, ParameterStatus, RowDescription};
    check(Authentication::read(b"\0\0\0\0"), "Ok(Ok)");
    check(Authentication::read(b"\0\0\0\x05salt"), "Ok(Other(5))");
    check(Authentication::read(b"\0\0\0\x0bx"), "Ok(SaslContinue([120]))");
    check(Authentication::read(b"\0\0\0\x0a"), r#"Err(Unterminated { of: "Authentication" })"#);
    let Ok(Authentication::Sasl(names)) = Authentication::read(b"\0\0\0\x0aA-PLUS\0A\0\0") else {
        panic!("not SASL");
    };
    assert_eq!(names.collect::<Vec<_>>(), ["A-PLUS", "A"]);
    check(backend::ready_for_query(b"T"), "Ok(InTransaction)");
    check(
        backend::ready_for_query(b"X"),
        r#"Err(BadField { of: "ReadyForQuery", field: "transaction status" })"#,
    );
    check(ParameterStatus::read(b"a\0b\0"), r#"Ok(ParameterStatus { name: "a", value: "b" })"#);
    check(BackendKey::read(b"\0\0\0\x07abcd").map(|key| key.secret.len()), "Ok(4)");
    check(
        BackendKey::read(b"\0\0\0\x07abc"),
        r#"Err(BadField { of: "BackendKeyData", field: "secret length" })"#,
    );
    for (tag, rows) in
        [("SELECT 3", Some(3)), ("INSERT 0 2", Some(2)), ("BEGIN", None), ("CREATE TABLE", None)]
    {
        assert_eq!(CommandTag::read(format!("{tag}\0").as_bytes()).unwrap().rows(), rows, "{tag}");
    }
    check(backend::data_row_columns(b"\0\x03and whatever follows"), "Ok(3)");
    check(backend::data_row_columns(b"\0"), r#"Err(Truncated { of: "DataRow" })"#);
    let fields = Fields::read(b"VFATAL\0C57P01\0M\xff\0\0").unwrap();
    assert_eq!((fields.sqlstate(), fields.is_fatal(), fields.count()), (Some("57P01"), true, 3));
    assert_eq!(fields.get(b'M'), Some(b"\xff".as_slice()));
    assert_eq!(Fields::read(b"C5\n001\0\0").unwrap().sqlstate(), None);
    check(Fields::read(b"C57P01\0"), r#"Err(Truncated { of: "ErrorResponse" })"#);
    let column = b"id\0\0\0\x40\0\0\x02\0\0\0\x17\0\x04\xff\xff\xff\xff\0\x01";
    let description = [b"\0\x01", column.as_slice()].concat();
    let column = RowDescription::read(&description).unwrap().columns().next();
    assert_eq!(
        format!("{column:?}"),
        r#"Some(Column { name: "id", table: 16384, number: 2, type_oid: 23, format: Binary })"#
    );
    check(RowDescription::read(b"\0\x02\0"), r#"Err(Truncated { of: "RowDescription" })"#);
}
