//! Arguments of what goes on: `trefoil logins watch`, `publish`, `mark`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::read::{Action, Source};
use crate::cli::Enclave;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("from").required(true).args(["input", "listen", "nats"]))]
pub(crate) struct Watch {
    /// The folder that keeps what is learnt; it is made where it is not there. With --nats it holds the key alone
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// A file of OCSF events, a JSON object a line, or of another --format; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Go on as the file grows, whatever its rotation makes of it; for OCSF alone
    #[arg(long, requires = "input")]
    pub(crate) follow: bool,
    /// Take events by HTTP, POST /events; port 0 is any free one, and the address is printed
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// A file with the token that whoever posts must give; needed unless only this machine can reach ADDR
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub(crate) token: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// With --nats: who does not renew for so many seconds is gone, and others take over
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) lease: u64,
    /// Only events whose action is at least this
    #[arg(long, value_name = "ACTION", value_enum, default_value = "step_up")]
    pub(crate) above: Action,
    /// Only events whose score is at least this
    #[arg(long, value_name = "LOG_ODDS", allow_negative_numbers = true, conflicts_with = "above")]
    pub(crate) min_score: Option<f64>,
    /// Append to this file instead of standard output: each event is told there once, whatever happens
    #[arg(long, value_name = "FILE", conflicts_with = "nats")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of files that say where addresses are, as for `trefoil logins score`; they are read again when they change
    #[arg(long, value_name = "DIR", env = "TREFOIL_PLACES")]
    pub(crate) places: Option<PathBuf>,
    /// The folder of an enclave, into whose record risky logins and findings go, for the monitor to see; with --nats every process needs
    /// it, so that all run where the gate does
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Score and find, but ask for nothing: every action is `allow`
    #[arg(long)]
    pub(crate) observe_only: bool,
    /// A snapshot is due after so many events…
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) snapshot_events: u64,
    /// …or so many seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) snapshot_seconds: u64,
}

/// Where NATS is, and who we are there.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// NATS with JetStream: nats://HOST:PORT or tls://HOST:PORT, several with commas between them
    #[arg(long, value_name = "URL", env = "TREFOIL_NATS")]
    pub(crate) nats: Option<String>,
    /// Into how many shares users are divided; fixed when the first process starts [default: 16]
    #[arg(long, value_name = "N", requires = "nats", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) shares: Option<u32>,
    /// A credentials file, as nsc writes it
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(crate) nats_creds: Option<PathBuf>,
    /// Authorities to believe besides the system's, PEM
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(crate) nats_ca: Option<PathBuf>,
    /// Our certificate, PEM
    #[arg(long, value_name = "FILE", requires = "nats", requires = "nats_key")]
    pub(crate) nats_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "nats_cert")]
    pub(crate) nats_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// OCSF events, a JSON object a line; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// Which event: at the gate, the index of its entry login.judged; else its index or share:sequence as it was printed,
    /// or its own identifier (metadata.uid)
    #[arg(value_name = "EVENT", required_unless_present = "list")]
    pub(crate) event: Option<String>,
    /// What it was
    #[arg(value_name = "VERDICT", value_enum, required_unless_present = "list")]
    pub(crate) verdict: Option<Verdict>,
    /// Why
    #[arg(long, value_name = "TEXT", required_unless_present = "list")]
    pub(crate) because: Option<String>,
    /// Take the verdict back: everything is as if it had never been given
    #[arg(long)]
    pub(crate) undo: bool,
    /// The event as it came, for one that is not among the last risky ones; `-` is standard input. Not at the gate
    #[arg(long, value_name = "FILE")]
    pub(crate) line: Option<PathBuf>,
    /// The folder of a watch's state, whether it runs or not [default: the running gate of the enclave]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// Print the verdicts: of a state all that were given, of the gate those in force
    #[arg(long, conflicts_with_all = ["event", "nats"])]
    pub(crate) list: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a watch keeps, rather than the gate.
#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// The folder that a watch keeps, instead of what the gate knows; with --nats it holds the key alone
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: Server,
    /// Only why this event was judged so
    #[arg(long, value_name = "EVENT", requires = "state")]
    pub(crate) event: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verdict {
    /// It was the user
    Legitimate,
    /// It was somebody else
    Attack,
}

pub(crate) const WATCH_EXAMPLES: &str = "\
Examples:
  trefoil logins watch --state DIR --input logins.ndjson --follow --out judged.ndjson
  tail -F auth.log | trefoil logins watch --state DIR --format sshd --input - --above throttle
  trefoil logins watch --state DIR --format evtx --input Security.evtx
  trefoil logins watch --state DIR --listen 127.0.0.1:8088
    curl --data-binary @logins.ndjson 'http://127.0.0.1:8088/events?judge=1'
  trefoil logins watch --state DIR --nats nats://127.0.0.1:4222       as many processes as you like, with the same DIR/key

A file of another format than OCSF is read from its beginning each time, and what was judged of it is counted off, as long as
it begins as it did: a log that is rotated comes by `tail -F FILE |` and --input -.

It may be killed at any moment: what was taken in is judged again from the last snapshot on, and told once. With --nats
judgements go to the stream LOGINS_JUDGED, subject logins.judged.<share>. Exit codes: 0 ended as asked (the end of the
input, or a signal), 2 cannot tell.";

pub(crate) const PUBLISH_EXAMPLES: &str = "\
Examples:
  trefoil logins publish --nats nats://127.0.0.1:4222 --input logins.ndjson
  trefoil logins import --format entra signins.json | trefoil logins publish --nats tls://nats.example --nats-creds FILE

An event goes to logins.in.<share>, where the share is FNV-1a (32 bits) of the user's name modulo the number of shares: NATS'
own mapping {{partition(16,1)}} does the same. Exit codes: 0 all is in the stream, 1 some lines are no events (each is told),
2 cannot tell.";

pub(crate) const MARK_EXAMPLES: &str = "\
Examples:
  trefoil logins mark 4711 attack --because \"she called; INC-7\"
  trefoil logins mark 1207 attack --because \"she called; INC-7\" --state DIR
  trefoil logins mark 3:1200 legitimate --because \"a new phone\" --nats nats://127.0.0.1:4222
  trefoil logins mark 1207 attack --undo --because \"mistaken\" --state DIR
  trefoil logins mark --list --state DIR

Without --state and --nats it is for the running gate of --dir: EVENT is the index of a login.judged (`trefoil record show`) of
one of the last thousand logins that were judged there, an entry login.marked says who is marked as what and why, and then the
gate learns it. With --state a verdict is learnt at once, by the watch that runs on the state or without one, and survives a
crash like events do. With --nats it goes among the events of its share, and is learnt in its turn. Exit codes: 0 learnt, 1 not
(nothing is known of the event), 2 cannot tell.";
