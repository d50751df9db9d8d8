//! What can go wrong at the sites, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of this part. Nothing is half applied: what failed can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum SitesError {
    /// No server programs.
    #[error(
        "no PostgreSQL {oldest} or newer under {folder}; install the distribution's `postgresql` package"
    )]
    NoPostgres { folder: &'static str, oldest: u32 },
    /// As root, PostgreSQL is run by somebody else, who has to exist.
    #[error(
        "running as root, but there is no user `{0}` to run PostgreSQL; install the `postgresql` package"
    )]
    NoUser(&'static str),
    /// A file or folder.
    #[error("{}: cannot {doing}: {source}", path.display())]
    File { path: PathBuf, doing: &'static str, source: io::Error },
    /// A program that we run ended badly.
    #[error("`{program}` failed: {said}")]
    Program { program: String, said: String },
    /// Somebody else runs a server on the same folder.
    #[error("{} is in use by process {pid}; stop that server (`trefoil down`) first", folder.display())]
    InUse { folder: PathBuf, pid: u32 },
    /// The server did not come up.
    #[error("site {site} did not answer within {seconds} s: {why}; its log says more")]
    NotReady { site: String, seconds: u64, why: String },
    /// PostgreSQL refused, or the connection broke.
    #[error("site {site}: cannot {doing}: {}", told(source))]
    Database { site: String, doing: String, source: tokio_postgres::Error },
    /// Keys or certificates.
    #[error("cannot {doing}: {source}")]
    Certificate { doing: &'static str, source: rcgen::Error },
    /// A secret that apply needs was not passed in.
    #[error("no password for {0}; make the secrets again with the bundle that is being applied")]
    NoPassword(String),
    /// A password that cannot be turned into a verifier.
    #[error("no verifier for {role}: {source}")]
    Verifier { role: String, source: wire::scram::VerifierError },
    /// Sessions that do not end.
    #[error("site {site}: {left} sessions of {of} do not end; end them by hand and apply again")]
    Sessions { site: String, of: String, left: i64 },
    /// The catalog has tables that the generator does not know.
    #[error("generated subjects need {0}; load this catalog's data by other means and use `--subjects 0`")]
    Catalog(String),
    /// The region has no country of which the generator knows names and numbers.
    #[error(
        "nobody can be made up who lives in this region; load its data by other means and use `--subjects 0`"
    )]
    Region,
    /// The policy cannot be compiled.
    #[error(transparent)]
    Wall(#[from] wall::WallError),
    /// The siblings have not caught up.
    #[error("site {site} still copies {tables} tables of its siblings after {seconds} s; its log says why")]
    NotSynchronised { site: String, tables: i64, seconds: u64 },
    /// The siblings have not taken what a site has published.
    #[error(
        "site {site}: {siblings} siblings have not taken the new tokens after {seconds} s; the old ones are gone \
         here and still there; bring the siblings up and they follow by themselves"
    )]
    NotTaken { site: String, siblings: i64, seconds: u64 },
    /// A home moves already.
    #[error("a move was begun: {0}; let it finish, or run it again")]
    MovePending(String),
    /// The home is not where it would be moved from.
    #[error("the home {home} is held by {holder}; `trefoil sites failback {home}` brings it back")]
    HeldElsewhere { home: String, holder: String },
    /// Whoever takes a home over has to know what every sibling has.
    #[error(
        "site {gone} does not answer, and may have rows of {site} that nobody else has; start it first (`trefoil up`)"
    )]
    SiblingGone { site: String, gone: String },
    /// The statement about homes is not in force.
    #[error("the statement about homes is not recorded: {0}")]
    NotRecorded(String),
    /// What is asked for cannot be.
    #[error("{0}")]
    NoMove(String),
    /// A test ended the move here.
    #[error("ended at the step `{0}`")]
    Stopped(&'static str),
    /// The siblings do not have what a site wrote before it stopped.
    #[error(
        "site {site}: {siblings} siblings have not taken everything after {seconds} s, and nobody writes its home; see \
         `trefoil sites status`, and run it again"
    )]
    NotCaughtUp { site: String, siblings: i64, seconds: u64 },
    /// Somebody else has told a site of another holder.
    #[error(
        "site {site} was told of another holder of {home} in term {term} or of a later term; somebody else moved it"
    )]
    Claimed { site: String, home: String, term: u64 },
    /// What a site had not shipped cannot be told any more.
    #[error(
        "site {site}: its slot {slot} is gone or says what nobody understands, so that what it had committed and not \
         shipped cannot be told; copy what is wanted of its home by hand, and drop its folder to make it anew"
    )]
    Unknowable { site: String, slot: String },
    /// No such pseudonym scope.
    #[error("there is no pseudonym scope `{0}`; `trefoil pseudonyms status` lists them")]
    NoScope(String),
    /// One of our own tasks ended without an answer.
    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl SitesError {
    /// For `map_err` after a call on a file.
    pub(crate) fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, doing, source }
    }

    /// For `map_err` after a call on a database.
    pub(crate) fn database(
        site: &str,
        doing: impl Into<String>,
    ) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let (site, doing) = (site.to_owned(), doing.into());
        move |source| Self::Database { site, doing, source }
    }
}

/// The server's own words; `tokio_postgres` alone would say only "db error".
fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => error.to_string(),
    }
}
