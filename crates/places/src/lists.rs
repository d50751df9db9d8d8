//! Networks that a list says the kind of: exits of Tor and of VPNs, offices, aircraft.

use std::net::IpAddr;

use risk::Network;

use crate::ranges::Ranges;

/// Characters of a wrong line that are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// The kinds, the one that wins first.
const ORDER: [Network; 5] =
    [Network::Anonymous, Network::Carriage, Network::Mobile, Network::Hosting, Network::Access];

/// Ranges of each kind.
#[derive(Debug, Default)]
pub(super) struct Lists {
    of: [Ranges<()>; ORDER.len()],
}

impl Lists {
    /// Adds a list. What is wrong, with its line, when something is.
    pub(super) fn add(&mut self, network: Network, text: &str) -> Result<(), String> {
        let Some((_, ranges)) = ORDER.iter().zip(&mut self.of).find(|(kind, _)| **kind == network) else {
            return Err("of no kind".to_owned());
        };
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let wrong = |why: &str| {
                let shown: String = line.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
                format!("line {}: `{shown}` is {why}", at + 1)
            };
            let Some((first, last)) = range(line) else {
                return Err(wrong("no address, no prefix (10.0.0.0/8) and no range (10.0.0.1-10.0.0.9)"));
            };
            ranges.add(first, last, ()).map_err(wrong)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) {
        for ranges in &mut self.of {
            ranges.finish();
        }
    }

    pub(super) fn of(&self, address: IpAddr) -> Option<Network> {
        let has = |ranges: &Ranges<()>| !ranges.is_empty() && ranges.of(address).is_some();
        ORDER.iter().zip(&self.of).find(|(_, ranges)| has(ranges)).map(|(network, _)| *network)
    }
}

/// First and last address.
fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = text.split_once('-') {
        return Some((first.trim().parse().ok()?, last.trim().parse().ok()?));
    }
    let Some((address, length)) = text.split_once('/') else {
        let address = text.parse().ok()?;
        return Some((address, address));
    };
    let length: u32 = length.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(length).unwrap_or(0);
            let bits = address.to_bits();
            (length <= 32).then(|| (IpAddr::V4((bits & !rest).into()), IpAddr::V4((bits | rest).into())))
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(length).unwrap_or(0);
            let bits = address.to_bits();
            (length <= 128).then(|| (IpAddr::V6((bits & !rest).into()), IpAddr::V6((bits | rest).into())))
        }
    }
}
