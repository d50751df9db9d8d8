//! Benchmarks: each compares the product with a peer in one run and prints ratios, because absolute figures belong to
//! a machine and an hour. What is measured is in the file of its name; nothing here passes or fails.

mod access;
mod bulk;
mod cpu;
mod disk;
mod lab;
mod pgbench;
mod report;
mod shell;

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The access gate with everything on, against pgbouncer and against PostgreSQL itself
    Access(Access),
}

#[derive(Args)]
pub(crate) struct Access {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Short runs: for a look, not for a statement
    #[arg(long)]
    quick: bool,
    /// How many clients at a time
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32, 512])]
    clients: Vec<u32>,
    /// Rounds; in each, every target is measured once
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds measured of each target in a round
    #[arg(long, default_value_t = 8)]
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
    #[arg(long, value_delimiter = ',', value_parser = ["pgbench", "bulk"])]
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

pub(crate) fn run(bench: &Bench) -> Result<(), String> {
    match bench {
        Bench::Access(asked) => access::run(asked),
    }
}
