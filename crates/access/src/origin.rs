//! Where a connection comes from: the place of its listener, or the address that a trusted proxy says in a header of
//! the PROXY protocol, version 2. Not here: what a place is permitted (`policy`), which proxies are trusted (`config`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policy::Bundle;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::Listener;

/// The longest header behind its fixed part: addresses, and what proxies append to them.
pub const PROXY_BYTES_MAX: u16 = 2_048;

/// Every header of version 2 begins with this.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and transport, length.
const FIXED_BYTES: usize = 16;
/// As much of the signature as the shortest opening packet is long: more must not be waited for.
const TELLING_BYTES: usize = 8;
const VERSION: u8 = 2;
const COMMAND_LOCAL: u8 = 0;
const COMMAND_PROXY: u8 = 1;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's own address, behind a trusted proxy too.
    pub address: IpAddr,
    /// The place's name in enclave.toml, by which the monitor finds the same country. An address that belongs to no
    /// place stands here itself: no place can have such a name, so the country is unknown, and policy refuses it.
    pub place: String,
}

/// Why it is not known where a connection comes from.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The proxy says nothing of the client.
    #[error(
        "a trusted proxy sends no header of PROXY protocol version 2; have it send one, such as `send-proxy-v2`"
    )]
    NoHeader,
    /// The proxy says what cannot be used.
    #[error("the PROXY header cannot be used: {0}")]
    Header(&'static str),
    /// Somebody else than a trusted proxy.
    #[error("this listener takes connections from its trusted proxies alone")]
    NotAProxy,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The proxy speaks for itself, as when it asks whether the gate is there.
    Itself,
    /// It passes on a connection from this address.
    From(IpAddr),
}

/// Finds out where a connection comes from, and reads the header of a trusted proxy to the byte.
pub async fn find(
    bundle: &Bundle,
    listener: &Listener,
    stream: &mut (impl AsyncRead + Unpin),
    peer: IpAddr,
) -> Result<Origin, OriginError> {
    let peer = peer.to_canonical();
    if !listener.proxy.iter().any(|network| network.holds(peer)) {
        let place = listener.place.clone().ok_or(OriginError::NotAProxy)?;
        return Ok(Origin { address: peer, place });
    }
    let address = match read(stream).await? {
        Said::From(address) => address.to_canonical(),
        Said::Itself => peer,
    };
    let place = bundle.place_of_address(address);
    let place = place.map_or_else(|| address.to_string(), |(name, _)| name.to_owned());
    Ok(Origin { address, place })
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Said, OriginError> {
    let mut telling = [0; TELLING_BYTES];
    stream.read_exact(&mut telling).await?;
    if !SIGNATURE.starts_with(&telling) {
        return Err(OriginError::NoHeader);
    }
    let mut rest = [0; FIXED_BYTES - TELLING_BYTES];
    stream.read_exact(&mut rest).await?;
    let [s0, s1, s2, s3, version_command, family, length @ ..] = rest;
    if !SIGNATURE.ends_with(&[s0, s1, s2, s3]) {
        return Err(OriginError::NoHeader);
    }
    let length = u16::from_be_bytes(length);
    if length > PROXY_BYTES_MAX {
        return Err(OriginError::Header("longer than any that a proxy needs"));
    }
    let mut behind = vec![0; usize::from(length)];
    stream.read_exact(&mut behind).await?;
    said(version_command, family, &behind).map_err(OriginError::Header)
}

fn said(version_command: u8, family: u8, behind: &[u8]) -> Result<Said, &'static str> {
    if version_command >> 4 != VERSION {
        return Err("not of version 2");
    }
    match version_command & 0x0f {
        // Whatever addresses stand behind it mean nothing.
        COMMAND_LOCAL => return Ok(Said::Itself),
        COMMAND_PROXY => {}
        _ => return Err("a command that does not exist"),
    }
    // Source, destination, two ports; then what proxies append, which is not looked at.
    match family {
        TCP_OVER_IPV4 => match behind.first_chunk::<12>() {
            Some([a, b, c, d, ..]) => Ok(Said::From(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)))),
            None => Err("too short for two IPv4 addresses"),
        },
        TCP_OVER_IPV6 => match behind.first_chunk::<36>().and_then(|both| both.first_chunk::<16>()) {
            Some(source) => Ok(Said::From(IpAddr::V6(Ipv6Addr::from(*source)))),
            None => Err("too short for two IPv6 addresses"),
        },
        _ => Err("the client comes by something else than TCP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a connection from an address, and whatever a proxy may get wrong in it.
    fn header(version_command: u8, family: u8, length: u16, behind: &[u8]) -> Vec<u8> {
        [&SIGNATURE[..], &[version_command, family], &length.to_be_bytes(), behind].concat()
    }

    #[tokio::test]
    async fn a_header_says_where_a_client_is_or_is_refused() {
        let v4 = [198, 51, 100, 7, 10, 0, 0, 1, 0x30, 0x39, 0x15, 0x38];
        let v6 = {
            let mut both = [0; 36];
            both[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
            both
        };
        let with_more = [&v4[..], &[4, 0, 2, 1, 1]].concat();
        let long = vec![0; usize::from(PROXY_BYTES_MAX) + 1];
        let cases: [(&str, Vec<u8>, &str); 14] = [
            ("IPv4", header(0x21, 0x11, 12, &v4), "Ok(From(198.51.100.7))"),
            ("IPv6", header(0x21, 0x21, 36, &v6), "Ok(From(2001:db8::7))"),
            ("with more behind it", header(0x21, 0x11, 17, &with_more), "Ok(From(198.51.100.7))"),
            ("the proxy itself", header(0x20, 0, 0, &[]), "Ok(Itself)"),
            ("the proxy itself, with addresses", header(0x20, 0x11, 12, &v4), "Ok(Itself)"),
            ("version 1", b"PROXY TCP4 198.51.100.7 10.0.0.1 12345 5432\r\n".to_vec(), "NoHeader"),
            ("an opening packet", vec![0, 0, 0, 8, 4, 210, 22, 47], "NoHeader"),
            ("half a signature", [&SIGNATURE[..8], b"QUIX", &[0x21, 0x11, 0, 0]].concat(), "NoHeader"),
            ("version 3", header(0x31, 0x11, 12, &v4), "version"),
            ("no such command", header(0x22, 0x11, 12, &v4), "command"),
            ("cut short", header(0x21, 0x11, 4, &v4[..4]), "too short"),
            ("UDP", header(0x21, 0x12, 12, &v4), "TCP"),
            ("a Unix socket", header(0x21, 0x31, 216, &[0; 216]), "TCP"),
            ("endless", header(0x21, 0x11, PROXY_BYTES_MAX + 1, &long), "longer"),
        ];
        for (name, bytes, expected) in cases {
            let mut stream: &[u8] = &bytes;
            let said = format!("{:?}", read(&mut stream).await);
            assert!(said.contains(expected), "{name}: {said}");
            let taken_whole = stream.is_empty() || !said.starts_with("Ok");
            assert!(taken_whole, "{name}: {} bytes left", stream.len());
        }
    }
}
