//! Countries of addresses, from a MaxMind DB file, laid out flat: the file's own tree costs several visits of memory for
//! each address, and is walked once.

use std::collections::HashMap;
use std::net::IpAddr;

use maxminddb::{LookupResult, PathElement};

use crate::Mmdb;
use crate::ranges::Ranges;

/// Where a country's code is: in DB-IP's files, and in those laid out as MaxMind's own.
const COUNTRY: [&[PathElement<'_>]; 2] =
    [&[PathElement::Key("country_code")], &[PathElement::Key("country"), PathElement::Key("iso_code")]];

/// The country of each range of addresses.
#[derive(Debug, Default)]
pub(super) struct Countries {
    ranges: Ranges<[u8; 2]>,
}

impl Countries {
    /// Adds what a file says. Why not, when it is damaged.
    pub(super) fn add(&mut self, file: &Mmdb) -> Result<(), String> {
        // Many networks share one record.
        let mut read: HashMap<usize, Option<[u8; 2]>> = HashMap::new();
        for found in file.networks(Default::default()).map_err(damaged)? {
            let found = found.map_err(damaged)?;
            let Some(offset) = found.offset() else { continue };
            let Some(code) = *read.entry(offset).or_insert_with(|| country(&found)) else { continue };
            let network = found.network().map_err(damaged)?;
            let (first, last) = (network.network().to_canonical(), network.broadcast().to_canonical());
            self.ranges.add(first, last, code).map_err(str::to_owned)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) {
        self.ranges.finish();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(super) fn of(&self, address: IpAddr) -> Option<[u8; 2]> {
        self.ranges.of(address)
    }
}

fn damaged(error: maxminddb::MaxMindDbError) -> String {
    format!("damaged: {error}")
}

/// The code that a record has.
pub(super) fn country(found: &LookupResult<'_, Vec<u8>>) -> Option<[u8; 2]> {
    let code = COUNTRY.iter().find_map(|path| found.decode_path::<&str>(path).ok().flatten());
    code.and_then(crate::code)
}
