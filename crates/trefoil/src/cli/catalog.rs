//! Arguments of `trefoil catalog …`: what a database holds, and whether its catalog still says so.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Enclave;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a database's schema and a few rows, and propose a catalog.toml to edit
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(Scan),
    /// Compare a live schema with its catalog: what is new, missing or of another type
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// postgresql://USER@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=FILE], or host=… user=… dbname=…
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Only this schema; may be given more than once [default: all]
    #[arg(long = "schema", value_name = "NAME")]
    pub(crate) schemas: Vec<String>,
    /// A relation that the database does not declare; may be given more than once
    #[arg(long = "relate", value_name = "CHILD.COLUMN=PARENT.COLUMN")]
    pub(crate) relations: Vec<String>,
    /// The table of subjects, as SCHEMA.TABLE [default: the likeliest]
    #[arg(long, value_name = "TABLE")]
    pub(crate) subject: Option<String>,
    /// How many rows of a table to read
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) rows: u32,
    /// The longest that one statement may run
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) statement_timeout: u32,
    /// The longest that reading rows may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) total_timeout: u32,
    /// Print one JSON object instead of a catalog.toml
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) enclave: Enclave,
    /// A catalog.toml, instead of the enclave's own
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with = "dir")]
    pub(crate) catalog: Option<PathBuf>,
    /// The database to compare it with, as for `scan`
    #[arg(long, value_name = "URL", requires = "catalog")]
    pub(crate) url: Option<String>,
    /// Only this schema; may be given more than once [default: the catalog's, or all if the database has no such]
    #[arg(long = "schema", value_name = "NAME", requires = "url")]
    pub(crate) schemas: Vec<String>,
    /// A new table or column that is known and stays withheld, as it is reported; may be given more than once
    #[arg(long = "withheld", value_name = "NAME")]
    pub(crate) withheld: Vec<String>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

const SCAN_EXAMPLES: &str = "\
Examples:
  trefoil catalog scan postgresql://me@db.example/shop > catalog.toml
  trefoil catalog scan 'host=/var/run/postgresql dbname=shop' --schema public --json | jq '.columns[]'
  trefoil catalog scan URL --relate orders.cust=customers.id --subject public.customers

The password comes from the URL or PGPASSWORD. sslmode is as in libpq: disable, prefer, require, verify-ca, verify-full.
It only reads: in read-only transactions, a sample of each table's rows, never a view's. No value is printed.
Exit codes: 0 proposed, 1 no table of persons was found, 2 cannot tell.";

const CHECK_EXAMPLES: &str = "\
Examples:
  trefoil catalog check                                        the default enclave, site by site
  trefoil catalog check --catalog catalog.toml --url URL       any database, as in continuous integration
  trefoil catalog check --withheld public.events.payload       whose type the catalog has no word for

A new column or table is withheld from everybody until the catalog says what it holds.
Exit codes: 0 the same, 1 it differs, 2 cannot tell.";
