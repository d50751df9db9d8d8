//! What a session has asked and what a site answers, in any order: the queue of owed replies follows, or says that
//! the answer fits nothing. A server that keeps to the protocol is always followed.
#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use wire::backend::Tag;
use wire::codec::Tag as _;
use wire::pipeline::{Expect, Expected, Pushed, Step};

const ASKS: [Expect; 8] = [
    Expect::Parse,
    Expect::Bind,
    Expect::Close,
    Expect::DescribeStatement,
    Expect::DescribePortal,
    Expect::Execute,
    Expect::Query,
    Expect::Sync,
];

/// A small server: what it has been sent, and whether it skips to a Sync.
#[derive(Default)]
struct Server {
    asked: VecDeque<(Expect, u32)>,
    skips: bool,
}

fuzz_target!(|bytes: &[u8]| {
    any_server(bytes);
    kept_protocol(bytes);
});

/// Any bytes as answers: never a panic, never more owed than was asked.
fn any_server(bytes: &[u8]) {
    let mut owed = Expected::new();
    let mut asked = 0_usize;
    for byte in bytes {
        match byte {
            0..8 => asked += usize::from(owed.push(ASKS[usize::from(*byte)], ()).is_ok()),
            8 => drop(owed.push_flush()),
            byte => {
                let Some(tag) = Tag::from_byte(*byte) else { continue };
                if owed.on_reply(tag).is_err() {
                    return;
                }
            }
        }
        assert!(owed.len() <= asked * 2 && (owed.is_empty() || owed.front().is_some()));
    }
}

/// A server that keeps to the protocol answers in order; each answer ends the request that it is told to.
fn kept_protocol(bytes: &[u8]) {
    let mut owed = Expected::new();
    let mut server = Server::default();
    let mut number = 0;
    for byte in bytes {
        if *byte < 128 {
            let of = ASKS[usize::from(byte % 8)];
            number += 1;
            match owed.push(of, number) {
                Ok(Pushed::Owed) => server.asked.push_back((of, number)),
                Ok(Pushed::Skipped(_)) => assert!(server.skips && of != Expect::Sync),
                Err(_) => return,
            }
            server.skips &= of != Expect::Sync;
        } else {
            server.answer(*byte, &mut owed);
        }
    }
    while !server.asked.is_empty() {
        server.answer(0, &mut owed);
    }
    assert!(owed.is_empty());
}

impl Server {
    /// Answers the oldest request: with an error when the byte is odd.
    fn answer(&mut self, byte: u8, owed: &mut Expected<u32>) {
        let Some((of, number)) = self.asked.pop_front() else { return };
        let fails = byte % 2 == 1;
        if fails && !matches!(of, Expect::Query | Expect::Sync) {
            self.end(owed, Tag::ErrorResponse, number);
            while self.asked.front().is_some_and(|(of, _)| *of != Expect::Sync) {
                self.asked.pop_front();
            }
            self.skips = self.asked.is_empty();
            return;
        }
        let (parts, end): (&[Tag], Tag) = match of {
            Expect::Query if fails => {
                (&[Tag::RowDescription, Tag::DataRow, Tag::ErrorResponse], Tag::ReadyForQuery)
            }
            Expect::Sync if fails => (&[Tag::ErrorResponse], Tag::ReadyForQuery),
            Expect::Query => (
                &[Tag::RowDescription, Tag::DataRow, Tag::CommandComplete, Tag::EmptyQueryResponse],
                Tag::ReadyForQuery,
            ),
            Expect::Parse => (&[], Tag::ParseComplete),
            Expect::Bind => (&[], Tag::BindComplete),
            Expect::Close => (&[], Tag::CloseComplete),
            Expect::DescribeStatement => (&[Tag::ParameterDescription], Tag::NoData),
            Expect::DescribePortal => (&[], Tag::RowDescription),
            Expect::Execute => (&[Tag::DataRow, Tag::DataRow], Tag::PortalSuspended),
            Expect::Sync => (&[], Tag::ReadyForQuery),
        };
        for tag in parts {
            assert!(matches!(owed.on_reply(*tag), Ok(Step::Part { .. })), "{of:?} {tag:?}");
        }
        self.end(owed, end, number);
    }

    fn end(&self, owed: &mut Expected<u32>, tag: Tag, number: u32) {
        match owed.on_reply(tag) {
            Ok(Step::End(ended)) => assert_eq!(ended.token, number),
            other => panic!("{tag:?} does not end {number}: {other:?}"),
        }
    }
}
