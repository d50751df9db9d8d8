//! Where clusters live on disk. Usually `DIR/sites/<site>`; where the servers' user cannot get there, a folder of
//! its own with `DIR/sites` pointing to it. Sockets move when their path would be too long. Not here: their content.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::{Host, SitesError};

const ELSEWHERE: &str = "/var/lib/trefoil";
/// `sun_path` holds 108 bytes, the last of them zero; PostgreSQL adds `/.s.PGSQL.65535`.
const SOCKET_FOLDER_BYTES_MAX: usize = 107 - 15;

/// The folder of all clusters of the enclave folder `dir`, made when missing.
pub(crate) fn of_clusters(host: &Host, dir: &Path) -> Result<PathBuf, SitesError> {
    fs::create_dir_all(dir).map_err(SitesError::file(dir, "make the folder"))?;
    let sites = dir.join("sites");
    if fs::symlink_metadata(&sites).is_ok() {
        return fs::canonicalize(&sites).map_err(SitesError::file(&sites, "follow"));
    }
    // Passing through shows nothing: every secret in it has its own mode.
    if !host.can_enter(dir) {
        let mode = fs::metadata(dir).map_err(SitesError::file(dir, "read"))?.permissions().mode();
        let mode = fs::Permissions::from_mode((mode & 0o7777) | 0o011);
        fs::set_permissions(dir, mode).map_err(SitesError::file(dir, "let the servers' user through"))?;
    }
    if host.can_enter(dir) {
        make(&sites, 0o711)?;
        return fs::canonicalize(&sites).map_err(SitesError::file(&sites, "follow"));
    }
    let parent = Path::new(ELSEWHERE);
    if !parent.is_dir() {
        make(parent, 0o711)?;
    }
    let elsewhere = parent.join(random_name());
    make(&elsewhere, 0o711)?;
    symlink(&elsewhere, &sites).map_err(SitesError::file(&sites, "point to the clusters"))?;
    Ok(elsewhere)
}

/// The folder of a cluster's Unix socket: `<folder>/socket`, which points to a short path when it would be too long.
pub(crate) fn of_socket(host: &Host, folder: &Path) -> Result<PathBuf, SitesError> {
    let near = folder.join("socket");
    if near.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX {
        host.make_private_folder(&near)?;
        return Ok(near);
    }
    if let Ok(short) = fs::read_link(&near) {
        if short.is_dir() {
            return Ok(short);
        }
        // Temporary folders do not survive a restart of the machine.
        fs::remove_file(&near).map_err(SitesError::file(&near, "remove"))?;
    }
    let short = Path::new("/tmp").join(format!("trefoil-{}", random_name()));
    host.make_private_folder(&short)?;
    symlink(&short, &near).map_err(SitesError::file(&near, "point to the socket"))?;
    Ok(short)
}

/// Fails when the folder exists: nobody else may have prepared it.
fn make(path: &Path, mode: u32) -> Result<(), SitesError> {
    fs::DirBuilder::new().mode(mode).create(path).map_err(SitesError::file(path, "make the folder"))
}

fn random_name() -> String {
    format!("{:016x}", rand::random::<u64>())
}
