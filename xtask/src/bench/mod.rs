//! Benchmarks: each compares the product with a peer or with the disk in one run and prints ratios, because absolute
//! figures belong to a machine and an hour. What is measured is in the file of its name; nothing here passes or fails.

mod access;
mod brake;
mod bulk;
mod cpu;
mod disk;
mod lab;
mod logins;
mod part;
mod peers;
mod pgbench;
mod record;
mod redecide;
mod report;
mod residency;
mod shell;
mod sites;
mod trips;
mod writes;

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The access gate with everything on, against pgbouncer and against PostgreSQL itself
    #[command(after_help = ACCESS_EXAMPLES)]
    Access(Access),
    /// From the monitor's signature under a brake until the last byte is written and the backend is gone
    #[command(after_help = BRAKE_EXAMPLES)]
    Brake(Brake),
    /// The record alone, beside the disk's own fdatasync
    #[command(after_help = RECORD_EXAMPLES)]
    Record(Record),
    /// The monitor's second decision of an entry, remembered and fresh
    #[command(after_help = REDECIDE_EXAMPLES)]
    Redecide(Redecide),
    /// Three sites that follow each other: lag and CPU under a steady load, failover and failback
    #[command(after_help = SITES_EXAMPLES)]
    Sites(Sites),
    /// Every residency check at three sites: how long, and what it costs checker and servers
    #[command(after_help = RESIDENCY_EXAMPLES)]
    Residency(Residency),
    /// Login events, from a line to a decision, with millions of users known
    #[command(after_help = LOGINS_EXAMPLES)]
    Logins(Logins),
}

const ACCESS_EXAMPLES: &str = "\
Examples:
  cargo xtask bench access                                  everything; takes half an hour
  cargo xtask bench access --quick --clients 8,32           for a look
  cargo xtask bench access --skip pgbench,bulk --json       service writes alone, for tools";

const BRAKE_EXAMPLES: &str = "\
Examples:
  cargo xtask bench brake                                   200 tries, four streaming beside
  cargo xtask bench brake --tries 20 --beside 0             for a look
  cargo xtask bench brake --json                            for tools";

const RECORD_EXAMPLES: &str = "\
Examples:
  cargo xtask bench record                                  1, 32 and 512 that wait, three rounds
  cargo xtask bench record --waiting 512 --rounds 1         for a look
  cargo xtask bench record --dir /srv/bench --json          on another disk, for tools";

const REDECIDE_EXAMPLES: &str = "\
Examples:
  cargo xtask bench redecide                                three rounds
  cargo xtask bench redecide --rounds 9 --json              for tools";

const SITES_EXAMPLES: &str = "\
Examples:
  cargo xtask bench sites                                   2 000 writes a second for half a minute
  cargo xtask bench sites --seconds 5 --subjects 3000       for a look
  cargo xtask bench sites --json                            for tools";

#[derive(Args)]
pub(crate) struct Sites {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// Writes a second, at all three sites together
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(3..))]
    writes: u32,
    /// Seconds measured
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Subjects in the enclave
    #[arg(long, default_value_t = 100_000)]
    subjects: u32,
    /// Where the enclave is made; removed afterwards
    #[arg(long, default_value = "/var/tmp/trefoil-bench-sites")]
    dir: PathBuf,
}

const RESIDENCY_EXAMPLES: &str = "\
Examples:
  cargo xtask bench residency                               a look a second for a minute, beside a minute without
  cargo xtask bench residency --seconds 15                  for a look
  cargo xtask bench residency --json                        for tools";

const LOGINS_EXAMPLES: &str = "\
Examples:
  cargo xtask bench logins                                  1, 5 and 20 million users, three rounds
  cargo xtask bench logins --users 100000 --rounds 1        for a look
  cargo xtask bench logins --json                           for tools";

#[derive(Args)]
pub(crate) struct Access {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Short runs: for a look, not for a statement
    #[arg(long)]
    quick: bool,
    /// How many clients at a time; service writes with at most 32
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32, 512], value_parser = clap::value_parser!(u32).range(1..))]
    clients: Vec<u32>,
    /// Rounds; in each, every target is measured once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds measured of each target in a round
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Subjects in the enclave
    #[arg(long, default_value_t = 100_000)]
    subjects: u32,
    /// Megabytes that COPY sends
    #[arg(long, default_value_t = 300)]
    copy_megabytes: u32,
    /// pgbench modes
    #[arg(long, value_delimiter = ',', default_values_t = ["simple".to_owned(), "prepared".to_owned()])]
    modes: Vec<String>,
    /// Leave out these parts
    #[arg(long, value_delimiter = ',', value_parser = ["pgbench", "bulk", "writes"])]
    skip: Vec<String>,
    /// The enclave's files, instead of the example of Europe
    #[arg(long = "enclave", value_name = "DIR")]
    enclave_files: Option<PathBuf>,
    /// Where the enclave is made; removed afterwards
    #[arg(long, default_value = "/var/tmp/trefoil-bench")]
    dir: PathBuf,
    /// Leave the enclave and its peers running until Enter is pressed, and the folder in place
    #[arg(long)]
    keep: bool,
}

#[derive(Args)]
pub(crate) struct Brake {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How often somebody is stopped
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
    /// How many others stream all the time
    #[arg(long, default_value_t = 4)]
    beside: u32,
    /// Subjects in the enclave
    #[arg(long, default_value_t = 20_000)]
    subjects: u32,
    /// Where the enclave is made; removed afterwards
    #[arg(long, default_value = "/var/tmp/trefoil-bench-brake")]
    dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct Record {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How many wait for their entries at a time
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 512], value_parser = clap::value_parser!(u32).range(1..))]
    waiting: Vec<u32>,
    /// Rounds; in each, fdatasync and every number of those who wait are measured once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds measured of each number of those who wait in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// On which disk: where the record is made; removed afterwards
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct Redecide {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Rounds; in each, both are measured once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// On which disk: where the monitor's copy is made; removed afterwards
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct Residency {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Seconds with the watch, and as many without it
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(5..))]
    seconds: u32,
    /// Subjects in the enclave
    #[arg(long, default_value_t = 20_000)]
    subjects: u32,
    /// A country file, as `./up` fetches it
    #[arg(long, default_value = "target/country/dbip-country.mmdb")]
    country_file: PathBuf,
    /// Where the enclave is made; removed afterwards
    #[arg(long, default_value = "/var/tmp/trefoil-bench-residency")]
    dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct Logins {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// How many users have a history when it is measured
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 5_000_000, 20_000_000])]
    users: Vec<u64>,
    /// Events measured, after those that made the histories
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: u64,
    /// Rounds; in each, every number of users is measured once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Files in which addresses are looked up
    #[arg(long, default_value = "target/places")]
    places: PathBuf,
    /// Where files are made; removed afterwards
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
}

pub(crate) fn run(bench: &Bench) -> Result<(), String> {
    match bench {
        Bench::Access(asked) => access::run(asked),
        Bench::Brake(asked) => brake::run(asked),
        Bench::Record(asked) => record::run(asked),
        Bench::Redecide(asked) => redecide::run(asked),
        Bench::Sites(asked) => sites::run(asked),
        Bench::Residency(asked) => residency::run(asked),
        Bench::Logins(asked) => logins::run(asked),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}
