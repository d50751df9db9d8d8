//! What this machine offers: the newest PostgreSQL's programs, and the user who runs them. PostgreSQL refuses to run
//! as root, so root hands it to `postgres`. Not here: any one cluster (`cluster`).

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::SitesError;

const VERSIONS: &str = "/usr/lib/postgresql";
/// Oldest major version: the first whose libpq verifies an IP address in a certificate.
const MAJOR_MIN: u32 = 15;
const SERVER_USER: &str = "postgres";

/// The PostgreSQL of this machine and how to run it.
#[derive(Debug, Clone)]
pub struct Host {
    programs: PathBuf,
    version: (u32, u32),
    us: String,
    server: Option<User>,
}

/// Somebody else who runs the servers, because we are root.
#[derive(Debug, Clone)]
struct User {
    uid: u32,
    gid: u32,
}

impl Host {
    /// Looks for the newest installed server.
    ///
    /// # Errors
    /// When there is none, or when root finds no user `postgres`.
    pub fn find() -> Result<Self, SitesError> {
        let (major, programs) = newest(Path::new(VERSIONS))
            .ok_or(SitesError::NoPostgres { folder: VERSIONS, oldest: MAJOR_MIN })?;
        let said = output(Command::new(programs.join("postgres")).arg("--version"))?;
        let us = output(Command::new("id").arg("-un"))?.trim().to_owned();
        let server = if rustix::process::geteuid().is_root() {
            Some(user(SERVER_USER).ok_or(SitesError::NoUser(SERVER_USER))?)
        } else {
            None
        };
        Ok(Self { programs, version: (major, minor(&said).unwrap_or(0)), us, server })
    }

    /// Major and minor version, such as (15, 20).
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// The operating system's users who are the administrator by Unix socket.
    pub(crate) fn administrators(&self) -> Vec<&str> {
        let mut names = vec!["root", SERVER_USER];
        if !names.contains(&self.us.as_str()) {
            names.push(&self.us);
        }
        names
    }

    /// A server program, as the user who runs servers. The kernel interrupts it when the *thread* that starts it
    /// ends, whatever the reason: no orphan survives us. Start it from a thread that lives as long as it should.
    pub(crate) fn program(&self, name: &str) -> Command {
        self.as_server(&self.programs.join(name))
    }

    fn as_server(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if self.server.is_some() {
            command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"]);
        }
        command.args(["--pdeathsig", "INT", "--"]).arg(program).current_dir("/").env("LC_ALL", "C.UTF-8");
        // A stray PGDATA or PGOPTIONS of the caller must not reach a site.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
    }

    /// Whether the servers' user can pass through this folder.
    pub(crate) fn can_enter(&self, folder: &Path) -> bool {
        let status = self.as_server(Path::new("/usr/bin/test")).arg("-x").arg(folder).status();
        status.is_ok_and(|status| status.success())
    }

    /// Makes a folder that only the servers' user may enter.
    pub(crate) fn make_private_folder(&self, path: &Path) -> Result<(), SitesError> {
        if !path.is_dir() {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(path)
                .map_err(SitesError::file(path, "make the folder"))?;
        }
        self.give(path)
    }

    /// Writes a file that only the servers' user may read; replaces it whole or not at all.
    pub(crate) fn write_private(&self, path: &Path, text: &str) -> Result<(), SitesError> {
        let next = path.with_extension("next");
        fs::write(&next, "").map_err(SitesError::file(&next, "write"))?;
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&next, mode).map_err(SitesError::file(&next, "protect"))?;
        fs::write(&next, text).map_err(SitesError::file(&next, "write"))?;
        self.give(&next)?;
        fs::rename(&next, path).map_err(SitesError::file(path, "replace"))
    }

    fn give(&self, path: &Path) -> Result<(), SitesError> {
        let Some(User { uid, gid }) = self.server else { return Ok(()) };
        chown(path, Some(uid), Some(gid)).map_err(SitesError::file(path, "give to the servers' user"))
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String, SitesError> {
        output(command)
    }
}

fn newest(folder: &Path) -> Option<(u32, PathBuf)> {
    let entries = fs::read_dir(folder).ok()?;
    let versions = entries.flatten().filter_map(|entry| {
        let major: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        let whole = programs.join("postgres").is_file() && programs.join("initdb").is_file();
        (whole && major >= MAJOR_MIN).then_some((major, programs))
    });
    versions.max()
}

/// `postgres (PostgreSQL) 15.20 (Debian …)` → 20.
fn minor(said: &str) -> Option<u32> {
    said.split_whitespace().find_map(|word| word.split_once('.')).and_then(|(_, minor)| minor.parse().ok())
}

fn user(name: &str) -> Option<User> {
    let number = |flag: &str| output(Command::new("id").arg(flag).arg(name)).ok()?.trim().parse().ok();
    Some(User { uid: number("-u")?, gid: number("-g")? })
}

fn output(command: &mut Command) -> Result<String, SitesError> {
    let program = || command_name(command);
    let name = program();
    let done = command
        .output()
        .map_err(|error| SitesError::Program { program: name.clone(), said: error.to_string() })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(SitesError::Program { program: name, said })
}

/// The program's name, past the one that changes the user.
fn command_name(command: &Command) -> String {
    let mut words = std::iter::once(command.get_program()).chain(command.get_args());
    let first = words.next().unwrap_or_default();
    let past = words.skip_while(|word| *word != "--").nth(1);
    past.unwrap_or(first).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn minor_versions() {
        let check = |said: &str, expected: Option<u32>| assert_eq!(minor(said), expected, "{said}");
        check("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", Some(20));
        check("postgres (PostgreSQL) 18.6\n", Some(6));
        check("postgres (PostgreSQL) 19devel\n", None);
    }
}
