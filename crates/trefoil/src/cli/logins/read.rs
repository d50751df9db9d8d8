//! Arguments of `trefoil logins import|score`: an input, its format, and what is wanted of it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// What to read; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Where to write; the file is there when all of it is [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// What to read; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Only events whose score is at least this
    #[arg(long, value_name = "LOG_ODDS", allow_negative_numbers = true)]
    pub(crate) min_score: Option<f64>,
    /// Only events whose action is at least this
    #[arg(long, value_name = "ACTION", value_enum)]
    pub(crate) above: Option<Action>,
    /// Judge by what a watch has learnt, as the last snapshot in its folder has it, instead of from nothing; nothing is
    /// written there
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Give the score of the baseline (Freeman et al. 2016) beside ours
    #[arg(long, conflicts_with = "state")]
    pub(crate) baseline: bool,
    /// Folder of files that say where addresses are: *country*.mmdb, *city*.mmdb, *asn*.csv, and lists of networks such
    /// as anonymous.txt
    #[arg(long, value_name = "DIR", env = "TREFOIL_PLACES")]
    pub(crate) places: Option<PathBuf>,
}

/// What an input is, and what its format leaves open.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// What the input is
    #[arg(long, value_enum, default_value = "ocsf")]
    pub(crate) format: Format,
    /// How to read a table: the mapping file of `--format csv`
    #[arg(long, value_name = "FILE", required_if_eq("format", "csv"))]
    pub(crate) map: Option<PathBuf>,
    /// The zone of times that do not say theirs, such as Europe/Berlin or +02:00
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) zone: String,
    /// The year of the first line of a log that says none [default: the last in which its time is past]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9999))]
    pub(crate) year: Option<i16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// OCSF Authentication events, a JSON object a line
    Ocsf,
    /// A Windows event log as it is
    Evtx,
    /// Windows events as JSON, of evtx_dump, Winlogbeat, NXLog and others
    EvtxJson,
    /// OpenSSH's lines in a syslog file, or `journalctl -o json`
    Sshd,
    /// Sign-ins of Microsoft Entra, as JSON
    Entra,
    /// The unified audit log of Office 365, as JSON
    O365,
    /// A table, with a mapping file
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Action {
    Allow,
    StepUp,
    Throttle,
    Block,
    Revoke,
}

pub(crate) const IMPORT_EXAMPLES: &str = "\
Examples:
  trefoil logins import --format evtx Security.evtx > logins.ndjson
  journalctl -u ssh -o json | trefoil logins import --format sshd
  zcat auth.log.1.gz | trefoil logins import --format sshd --zone Europe/Berlin --year 2025
  trefoil logins import --format csv --map vpn.toml vpn.csv --out vpn.ndjson

A mapping file says which column is what:
  [columns]
  time = \"When\"
  user = \"Who\"
  ip = \"Address\"
  outcome = \"Result\"
  [time]
  format = \"%Y-%m-%d %H:%M:%S\"     # or rfc3339, seconds, milliseconds
  [values.outcome]                 # success failure unknown unknown_user password factor locked
  OK = \"success\"
  DENIED = \"password\"
Other columns: act country asn lat long network agent host target session group rtt_ms mfa id.

Exit codes: 0 all was read, 1 some records could not be (each is told on standard error), 2 cannot tell.";

pub(crate) const SCORE_EXAMPLES: &str = "\
Examples:
  trefoil logins score --format ocsf --input logins.ndjson --places target/places
  trefoil logins score --format evtx --input Security.evtx --above step_up | jq .
  tail -F auth.log | trefoil logins score --format sshd --above throttle
  trefoil logins score --state /var/lib/trefoil-logins --input what-if.ndjson

An event is a line: index, user, time, score, action, reasons[] {term, log_odds, observed, expected}. The reasons' log_odds
sum to the score. index is, from 0, the line's number in OCSF, and in other formats that of the login in what `trefoil logins
import` makes of the input. A finding is a line of its own: index, finding (an OCSF Detection Finding). It is printed
whatever --min-score and --above say.

Exit codes: 0 all was read, 1 some records could not be (each is told on standard error), 2 cannot tell.";
