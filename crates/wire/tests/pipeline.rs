//! The queue of owed replies: transcripts as tables, and a small model of the server that any script is held against.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::collections::VecDeque;

use proptest::prelude::*;
use wire::Violation;
use wire::backend::Tag;
use wire::codec::Tag as _;
use wire::pipeline::{Expect, Expected, Flush, OWED_MAX, Pushed, Step};

/// A client message by its type byte; `d` and `p` tell a statement's Describe from a portal's.
fn expect(letter: char) -> Expect {
    match letter {
        'P' => Expect::Parse,
        'B' => Expect::Bind,
        'C' => Expect::Close,
        'd' => Expect::DescribeStatement,
        'p' => Expect::DescribePortal,
        'E' => Expect::Execute,
        'Q' => Expect::Query,
        'S' => Expect::Sync,
        other => panic!("no message {other}"),
    }
}

/// Plays a transcript: `>` before what the client sends (`H` is a Flush), `<` before the server's type bytes. Each
/// client message's token is its position. Says, in order: `-` a part, `~` an asynchronous message, `?`
/// an unasked error, a token when its answer ends with what it took along in brackets, `!` when what is held is due
/// by a Flush, `x` a message that the server skips, and `#` a violation, which ends it.
fn play(transcript: &str) -> String {
    let mut expected = Expected::new();
    let (mut said, mut sent, mut client) = (String::new(), 0, true);
    for letter in transcript.chars().filter(|c| !c.is_whitespace()) {
        match letter {
            '>' => client = true,
            '<' => client = false,
            'H' if client => match expected.push_flush().unwrap() {
                Flush::Reached => said.push('!'),
                Flush::Later => {}
            },
            letter if client => {
                sent += 1;
                if let Pushed::Skipped(_) = expected.push(expect(letter), sent).unwrap() {
                    said.push('x');
                }
            }
            letter => {
                let tag = Tag::from_byte(u8::try_from(letter).unwrap()).unwrap();
                match expected.on_reply(tag) {
                    Ok(Step::Asynchronous) => said.push('~'),
                    Ok(Step::Unasked) => said.push('?'),
                    Ok(Step::Part { .. }) => said.push('-'),
                    Ok(Step::End(ended)) => {
                        said.push_str(&ended.token.to_string());
                        if !ended.skipped.is_empty() {
                            let tokens: Vec<_> = ended.skipped.iter().map(|(_, t)| t.to_string()).collect();
                            said.push_str(&format!("[{}]", tokens.join(" ")));
                        }
                        said.push_str(if ended.flush_reached { "!" } else { "" });
                    }
                    Err(Violation::NotOwed { .. }) => return said + "#",
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    said
}

fn check(transcript: &str, expected: &str) {
    assert_eq!(play(transcript), expected, "{transcript}");
}

#[test]
fn simple_queries() {
    check("> Q < T D D C Z", "----1");
    check("> Q < I Z > Q < C Z", "-1-2");
    check("> Q Q < T D C C T C Z C Z", "------1-2");
    check("> Q < E Z", "-1");
    check("> Q Q < T D E Z C Z", "---1-2");
    check("> Q < N T S D A C", "~-~-~-");
    check("> Q H < T C Z", "--1!");
    // Only ReadyForQuery may follow an error, rows only a description.
    check("> Q < E C", "-#");
    check("> Q < D", "#");
    check("> Q < T D Z", "--#");
    check("> Q < 1", "#");
}

#[test]
fn extended_queries() {
    // psycopg, JDBC: everything, then Sync.
    check("> P B p E S < 1 2 T D D C Z", "123--45");
    check("> P d S < 1 t T Z", "1-23");
    check("> d S < t n Z", "-12");
    check("> B E S < 2 D s Z > E C S < C 3 Z", "1-23456");
    check("> B E S < 2 I Z", "123");
    // A statement's description begins with its parameters.
    check("> d < T", "#");
    check("> p < t", "#");
    check("> E < T", "#");
    check("> P < 2", "#");
    check("> S < C", "#");
}

#[test]
fn flushes() {
    // asyncpg, postgres.js: Flush and wait, Sync much later.
    check("> P d H < 1 t T > B E H < 2 D C > S < Z", "1-2!3-4!5");
    check("> H P H < 1 > H", "!1!!");
    check("> P H H H < 1", "1!");
    check("> P H B H < 1 2", "1!2!");
    check("> S H < Z", "1!");
    check("> B E H < 2 D s > E H < D C", "1-2!-3!");
    // A Flush that the server skips is due with the error.
    check("> P H B E H < E > S < Z", "1[2 3]!4");
    check("> P H B E H S < 1 E Z", "1!2[3]!4");
    check("> P H B E < 1 E > H S < Z", "1!2[3]!4");
}

#[test]
fn errors_skip_to_sync_and_not_past_it() {
    check("> P B E S P S < E Z 1 Z", "1[2 3]456");
    check("> P B E S < 1 2 D E Z", "12-34");
    check("> P < E > B E Q H S < Z", "1xxx!5");
    check("> P Q S < E Z > Q < C Z", "1[2]3-4");
    check("> P < E > S P < Z 1", "123");
    // A Sync commits, so it can fail too.
    check("> E S < C E Z", "1-2");
    check("> S < E 1", "-#");
    // Nothing is answered while skipping.
    check("> P < E 1", "1#");
    check("> P < E > B < 2", "1x#");
}

#[test]
fn what_nobody_asked_for() {
    check("< E", "?");
    check("< N S A", "~~~");
    check("> P < E E", "1?");
    check("< Z", "#");
    check("< R", "#");
    check("> Q < K", "#");
    check("> Q < V", "#");
}

#[test]
fn copy() {
    check("> Q < H d d c C Z", "-----1");
    check("> Q < H c C T D C Z", "------1");
    check("> Q < H d E Z", "---1");
    check("> E S < H d c C Z", "---12");
    check("> E S < H d E Z", "--12");
    check("> Q < G C Z", "--1");
    check("> Q < G C G C T D C Z", "-------1");
    check("> Q < G E Z", "--1");
    check("> E < G C > S < Z", "-12");
    check("> E < G E > S < Z", "-12");
    // COPY data only inside a COPY, nothing else inside it.
    check("> Q < d", "#");
    check("> Q < H D", "-#");
    check("> Q < H d C", "--#");
    check("> Q < G d", "-#");
    check("> Q < G Z", "-#");
    check("> E S < W", "#");
    check("> P < H", "#");
}

#[test]
fn the_queue_is_bounded() {
    let mut expected = Expected::new();
    for at in 0..OWED_MAX {
        assert_eq!(expected.push(Expect::Sync, at), Ok(Pushed::Owed));
    }
    let full = Violation::TooManyOwed { max: OWED_MAX };
    assert_eq!(expected.push(Expect::Sync, OWED_MAX), Err(full.clone()));
    assert_eq!(expected.push_flush(), Err(full));
    assert_eq!(expected.len(), OWED_MAX);
}

/// A server that answers in order, at once; whether a message fails is the script's choice.
#[derive(Default)]
struct Server {
    skipping: bool,
    replies: VecDeque<Tag>,
}

impl Server {
    fn take(&mut self, of: Expect, fails: bool) {
        if self.skipping && of != Expect::Sync {
            return;
        }
        self.skipping = false;
        let simple = matches!(of, Expect::Query | Expect::Sync);
        let answer: &[u8] = match (of, fails) {
            (Expect::Query, true) => b"TDNEZ",
            (Expect::Sync, true) => b"EZ",
            (Expect::Execute, true) => b"DE",
            (Expect::DescribeStatement, true) => b"tE",
            (_, true) => b"E",
            (Expect::Parse, false) => b"1",
            (Expect::Bind, false) => b"N2",
            (Expect::Close, false) => b"3",
            (Expect::DescribeStatement, false) => b"tT",
            (Expect::DescribePortal, false) => b"n",
            (Expect::Execute, false) => b"DDC",
            (Expect::Query, false) => b"TDCSCZ",
            (Expect::Sync, false) => b"Z",
        };
        self.skipping = fails && !simple;
        self.replies.extend(answer.iter().filter_map(|byte| Tag::from_byte(*byte)));
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Send(Expect, bool),
    Flush,
    Deliver,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let message = prop::sample::select("PBCdpEQSSE".chars().map(expect).collect::<Vec<_>>());
    let fails = prop::bool::weighted(0.15);
    let act = prop_oneof![
        5 => (message, fails).prop_map(|(of, fails)| Act::Send(of, fails)),
        2 => Just(Act::Flush),
        8 => Just(Act::Deliver),
    ];
    prop::collection::vec(act, 0..80)
}

proptest! {
    /// Whatever is sent and however late the replies come: every reply is understood, every token comes back once
    /// and in order, and a client that waits after a Flush or a Sync has been given all there is.
    #[test]
    fn the_queue_agrees_with_a_server(mut acts in acts()) {
        acts.extend([Act::Send(Expect::Sync, false)]);
        acts.extend([Act::Deliver; 600]);
        let (mut server, mut expected) = (Server::default(), Expected::new());
        let (mut sent, mut returned, mut held, mut waits) = (0, Vec::new(), 0, false);
        for act in acts {
            match act {
                Act::Send(of, fails) => {
                    waits = of == Expect::Sync || (of == Expect::Query && !server.skipping);
                    server.take(of, fails);
                    if let Pushed::Skipped(token) = expected.push(of, sent).unwrap() {
                        returned.push(token);
                    }
                    sent += 1;
                }
                Act::Flush => {
                    waits = true;
                    if expected.push_flush().unwrap() == Flush::Reached { held = 0; }
                }
                Act::Deliver => {
                    let Some(tag) = server.replies.pop_front() else { continue };
                    held += 1;
                    match expected.on_reply(tag).unwrap() {
                        Step::Asynchronous | Step::Part { .. } => {}
                        Step::End(ended) => {
                            returned.push(ended.token);
                            returned.extend(ended.skipped.into_iter().map(|(_, token)| token));
                            if ended.flush_reached || tag == Tag::ReadyForQuery { held = 0; }
                        }
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
            }
            if waits && server.replies.is_empty() {
                prop_assert_eq!(held, 0, "the client waits and something is held");
            }
        }
        prop_assert!(expected.is_empty() && !expected.is_skipping());
        prop_assert_eq!(returned, (0..sent).collect::<Vec<_>>());
    }
}
