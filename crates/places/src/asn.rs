//! Autonomous systems of addresses, from rows of first address, last address, number and name.

use std::collections::HashMap;
use std::net::IpAddr;

use risk::Network;

use crate::kind;
use crate::ranges::Ranges;

/// The system of each range, and what its name says of its kind.
#[derive(Debug, Default)]
pub(super) struct Systems {
    ranges: Ranges<(u32, Network)>,
}

impl Systems {
    /// Adds the rows of a file. What is wrong, with its line, when one is.
    pub(super) fn add(&mut self, text: String) -> Result<(), String> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut row = csv::StringRecord::new();
        let mut kinds: HashMap<u32, Network> = HashMap::new();
        loop {
            match reader.read_record(&mut row) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
            let line = row.position().map_or(0, csv::Position::line);
            let wrong = |why: &str| {
                format!("line {line}: {why}; wanted are first address, last address, number, name")
            };
            let [Some(first), Some(to), Some(number)] = [row.get(0), row.get(1), row.get(2)] else {
                return Err(wrong("less than three columns"));
            };
            let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| wrong("no IP address"));
            let number = number.trim().parse::<u32>().map_err(|_| wrong("no number of a system"))?;
            let name = row.get(3).unwrap_or_default();
            let network = *kinds.entry(number).or_insert_with(|| kind::of_name(name));
            self.ranges.add(address(first)?, address(to)?, (number, network)).map_err(wrong)?;
        }
    }

    pub(super) fn finish(&mut self) {
        self.ranges.finish();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (IpAddr, IpAddr, u32)> {
        self.ranges.all().map(|(first, last, (number, _))| (first, last, number))
    }

    pub(super) fn of(&self, address: IpAddr) -> Option<(u32, Network)> {
        self.ranges.of(address)
    }
}
