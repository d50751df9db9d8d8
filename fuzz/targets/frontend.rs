//! Whatever a client sends: opening packets, frames and message bodies are read or refused, never with a panic, and
//! never otherwise when the bytes come one at a time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::codec::{self, Next};
use wire::frontend::{Message, Tag};
use wire::{options, startup};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(startup::Next::Packet { startup, used }) = startup::next(bytes) {
        assert!(used <= bytes.len());
        assert!(matches!(startup::next(&bytes[..used - 1]), Ok(startup::Next::Need(_))));
        if let startup::Startup::Session(session) = startup {
            let _ = session.must_negotiate();
            for (_, value) in &session.parameters {
                let _ = options::parse(value);
            }
        }
    }
    let mut rest = bytes;
    while let Ok(Next::Frame { frame, whole, .. }) = codec::next::<Tag>(rest) {
        let cut = codec::next::<Tag>(&whole[..whole.len() - 1]);
        assert!(matches!(cut, Ok(Next::Need(_))), "a frame that is not whole was read");
        if let Ok(Message::Bind(bind)) = Message::read(frame) {
            let _ = bind.values().count();
        }
        rest = &rest[whole.len()..];
    }
});
