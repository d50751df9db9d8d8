//! Frames and opening packets: headers as tables, any bytes, any split of them. Not here: bodies (`messages`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fmt::Debug;

use bytes::BytesMut;
use postgres_protocol::message::frontend as peer;
use proptest::prelude::*;
use wire::codec::{self, Frame, Next, Peek, Tag as _};
use wire::frontend::{Message, SaslInitial};
use wire::startup::{self, Startup};
use wire::{Violation, backend, frontend};

/// A frame of `tag` around `body`.
fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

/// Has the other implementation write a packet.
fn written(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

#[test]
fn opening_packets() {
    let check = |input: &[u8], expected: Result<&str, Violation>| {
        let read = startup::next(input).map(|next| match next {
            startup::Next::Packet { startup, used } => {
                assert_eq!(used, input.len());
                format!("{startup:?}")
            }
            startup::Next::Need(more) => format!("{more} more"),
        });
        assert_eq!(read, expected.map(str::to_owned), "{input:?}");
    };
    let packet = |body: &[u8]| frame(0, body).split_off(1);
    let cancel =
        |secret: usize| packet(&[&[4, 210, 22, 46, 0, 0, 0, 7], vec![1; secret].as_slice()].concat());
    let of = "StartupMessage";
    check(&written(peer::ssl_request), Ok("SslRequest"));
    check(&packet(&[4, 210, 22, 48]), Ok("GssencRequest"));
    check(&packet(&[4, 210, 22, 47, 0]), Err(Violation::Trailing { of }));
    check(&written(|b| peer::cancel_request(7, 1, b)), Ok("Cancel(Cancel { pid: 7, .. })"));
    check(&cancel(256), Ok("Cancel(Cancel { pid: 7, .. })"));
    let secret_length = || Err(Violation::BadField { of: "CancelRequest", field: "secret length" });
    check(&cancel(3), secret_length());
    check(&cancel(257), secret_length());
    check(
        &written(|b| peer::startup_message([("user", "aoife"), ("options", "")], b).unwrap()),
        Ok(r#"Session(Session { minor: 0, parameters: [("user", "aoife"), ("options", "")] })"#),
    );
    check(&packet(b"\0\x03\0\x02\0"), Ok("Session(Session { minor: 2, parameters: [] })"));
    check(&packet(b"\0\x03\0\0"), Err(Violation::Unterminated { of }));
    check(&packet(b"\0\x03\0\0user\0"), Err(Violation::Unterminated { of }));
    check(&packet(b"\0\x03\0\0user\0a\0"), Err(Violation::Unterminated { of }));
    check(&packet(b"\0\x03\0\0\0x"), Err(Violation::Trailing { of }));
    check(&packet(b"\0\x03\0\0user\0\xff\0\0"), Err(Violation::NotUtf8 { of }));
    check(&packet(b"\0\x03\0\0role\0a\0role\0b\0\0"), Err(Violation::Duplicate { name: "role".into() }));
    check(&packet(b"\0\x02\0\0\0"), Err(Violation::Version { major: 2, minor: 0 }));
    check(b"", Ok("4 more"));
    check(b"\0\0\0\x09", Ok("5 more"));
    check(b"\0\0\0\x07", Err(Violation::TooShort { of, length: 7, min: 8 }));
    check(b"\0\0\x27\x11", Err(Violation::TooLong { of, length: 10_001, max: 10_000 }));
    check(b"GET / HTTP/1.1", Err(Violation::TooLong { of, length: 0x4745_5420, max: 10_000 }));
    let many: Vec<u8> = (0..65).flat_map(|n| format!("p{n}\0v\0").into_bytes()).collect();
    check(
        &packet(&[b"\0\x03\0\0", many.as_slice(), b"\0"].concat()),
        Err(Violation::BadField { of, field: "number of parameters" }),
    );
}

#[test]
fn headers() {
    use backend::Tag as B;
    use frontend::Tag as F;
    fn too_long<K>(of: &'static str, length: u32, max: usize) -> Result<Peek<K>, Violation> {
        Err(Violation::TooLong { of, length, max })
    }
    assert_eq!(codec::peek::<F>(b""), Ok(Peek::Need(5)));
    assert_eq!(codec::peek::<F>(b"Q\0\0"), Ok(Peek::Need(2)));
    assert_eq!(codec::peek::<F>(b"!"), Err(Violation::UnknownTag(b'!')));
    assert_eq!(codec::peek::<F>(b"Z\0\0\0\x05"), Err(Violation::UnknownTag(b'Z')), "a server's message");
    assert_eq!(codec::peek::<F>(b"Q\0\0\0\x08"), Ok(Peek::Header { tag: F::Query, body_bytes: 4 }));
    assert_eq!(codec::peek::<F>(b"Q\0\0\0\x03"), Err(Violation::TooShort { of: "Query", length: 3, min: 4 }));
    assert_eq!(codec::peek::<F>(b"S\0\0\0\x05"), too_long("Sync", 5, 0));
    assert_eq!(codec::peek::<F>(b"Q\xff\xff\xff\xff"), too_long("Query", u32::MAX, 4_194_304));
    assert_eq!(codec::peek::<F>(b"p\0\0\x08\x05"), too_long("PasswordMessage", 2_053, 2_048));
    // The largest row streams by its header; a description of that size is no description.
    let max = B::DataRow.body_bytes_max();
    assert_eq!(codec::peek::<B>(b"D\x40\0\0\x03"), Ok(Peek::Header { tag: B::DataRow, body_bytes: max }));
    assert_eq!(codec::peek::<B>(b"D\x40\0\0\x04"), too_long("DataRow", 0x4000_0004, max));
    assert_eq!(codec::peek::<B>(b"T\x40\0\0\x03"), too_long("RowDescription", 0x4000_0003, 8_388_608));
    for byte in 0..=u8::MAX {
        assert!(F::from_byte(byte).is_none_or(|tag| tag.byte() == byte));
        assert!(B::from_byte(byte).is_none_or(|tag| tag.byte() == byte));
    }
}

/// Reads all it can of every message in `input`, as a gate would that relays and looks.
fn walk<K: codec::Tag + Debug + PartialEq>(
    mut input: &[u8],
    mut read: impl FnMut(Frame<'_, K>),
) -> Result<usize, Violation> {
    let mut frames = 0;
    while let Next::Frame { frame, rest, .. } = codec::next::<K>(input)? {
        read(frame);
        frames += 1;
        input = rest;
    }
    Ok(frames)
}

fn read_server_body(body: &[u8]) {
    let _ = backend::Authentication::read(body);
    let _ = backend::BackendKey::read(body);
    let _ = backend::CommandTag::read(body).map(|tag| tag.rows());
    let _ = backend::ParameterStatus::read(body);
    let _ = backend::data_row_columns(body);
    let _ = backend::ready_for_query(body);
    if let Ok(fields) = backend::Fields::read(body) {
        let _ = (fields.sqlstate(), fields.is_fatal(), fields.count());
    }
    if let Ok(description) = backend::RowDescription::read(body) {
        assert_eq!(description.columns().count(), usize::from(description.count()), "checked when read");
    }
}

fn read_client_frame(frame: Frame<'_, frontend::Tag>) {
    if let Ok(Message::Bind(bind)) = Message::read(frame) {
        assert_eq!(bind.values().count(), usize::from(bind.count()), "checked when read");
        let _ = bind.results().of(usize::MAX);
    }
    let _ = SaslInitial::read(frame.body);
}

fn client_bytes() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(b"BCdcfDEHFPpQSX".to_vec());
    // Small bytes, so that counts and lengths are often plausible.
    let body = prop::collection::vec(prop_oneof![Just(0), Just(1), 0..8_u8, any::<u8>()], 0..40);
    let message = (tag, body).prop_map(|(tag, body)| frame(tag, &body));
    prop::collection::vec(message, 0..6).prop_map(|messages| messages.concat())
}

proptest! {
    #[test]
    fn no_bytes_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = walk::<frontend::Tag>(&input, read_client_frame);
        let _ = walk::<backend::Tag>(&input, |frame| read_server_body(frame.body));
        let _ = startup::next(&input);
        read_server_body(&input);
        for tag in (0..=u8::MAX).filter_map(frontend::Tag::from_byte) {
            read_client_frame(Frame { tag, body: &input });
        }
    }

    #[test]
    fn plausible_bytes_do_not_panic(input in client_bytes()) {
        let _ = walk::<frontend::Tag>(&input, read_client_frame);
        let _ = walk::<backend::Tag>(&input, |frame| read_server_body(frame.body));
    }

    /// However the bytes arrive, the frames are the same, and `Need` never asks for more than a frame's end.
    #[test]
    fn splits_do_not_matter(input in client_bytes(), cuts in prop::collection::vec(1..30_usize, 1..20)) {
        let mut whole = Vec::new();
        let ended = walk::<frontend::Tag>(&input, |f| whole.push((f.tag, f.body.to_vec())));
        let (mut held, mut seen, mut arrived) = (Vec::new(), Vec::new(), 0);
        let mut result = Ok(());
        for cut in cuts.iter().cycle().take(input.len()) {
            let end = input.len().min(arrived + cut);
            held.extend_from_slice(&input[arrived..end]);
            arrived = end;
            loop {
                match codec::next::<frontend::Tag>(&held) {
                    Ok(Next::Frame { frame, whole, .. }) => {
                        seen.push((frame.tag, frame.body.to_vec()));
                        let used = whole.len();
                        held.drain(..used);
                    }
                    Ok(Next::Need(more)) => {
                        prop_assert!(more > 0);
                        prop_assert!(held.len() < codec::HEADER_BYTES || more <= input.len() - arrived);
                        break;
                    }
                    Err(violation) => {
                        result = Err(violation);
                        break;
                    }
                }
            }
            if result.is_err() { break; }
        }
        prop_assert_eq!(&seen, &whole);
        prop_assert_eq!(result, ended.map(|_| ()));
    }

    #[test]
    fn opening_packets_split_anywhere(body in prop::collection::vec(any::<u8>(), 4..60)) {
        let packet = frame(0, &body).split_off(1);
        for end in 0..packet.len() {
            let held = startup::next(&packet[..end]);
            prop_assert!(matches!(held, Ok(startup::Next::Need(more)) if more > 0 && more <= packet.len() - end));
        }
        if let Ok(startup::Next::Packet { startup: Startup::Session(session), used }) = startup::next(&packet) {
            prop_assert_eq!(used, packet.len());
            let _ = session.must_negotiate();
        }
    }
}
