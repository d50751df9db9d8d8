//! `trefoil logins import`: the logins of a log as OCSF events. A file is written under another name and put in its place
//! when it is whole.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use logins::import;
use logins::ocsf;

use super::source;
use crate::cli::logins::read::{Format, Import};
use crate::ended::{Ended, OrEnded};

pub(crate) fn run(asked: &Import) -> Result<(), Ended> {
    if asked.source.format == Format::Ocsf {
        return Err(Ended::cannot_tell("--format ocsf: nothing to import, that is what this makes"));
    }
    match &asked.out {
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let read = written(asked, &mut out);
            // Nothing can be told to a reader that is gone.
            let _ = out.flush();
            read
        }
        Some(path) => to_file(asked, path),
    }
}

fn written(asked: &Import, out: &mut impl Write) -> Result<(), Ended> {
    let options = source::options(&asked.source)?;
    let format = asked.source.format;
    let product = import::product(format.of_logins(), options.map.as_ref());
    source::read(&asked.file, format, &options, |_, login| {
        ocsf::write(out, &login.event(), &login.aside, &product)
    })
}

fn to_file(asked: &Import, path: &Path) -> Result<(), Ended> {
    let part = part(path);
    let doing = || format!("writing {}", part.display());
    let mut out = BufWriter::new(File::create(&part).or_cannot_tell(doing())?);
    let read = written(asked, &mut out);
    if let Err(Ended::CannotTell(_)) = read {
        let _ = fs::remove_file(&part);
        return read;
    }
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error).or_cannot_tell(doing())?;
    file.sync_all().or_cannot_tell(doing())?;
    fs::rename(&part, path).or_cannot_tell(format!("writing {}", path.display()))?;
    read
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
