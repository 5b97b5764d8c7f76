//! The PROXY protocol's header, both versions: what a load balancer says of the client behind it. Bytes to values and
//! back, without a socket.
//!
//! The protocol is HAProxy's (haproxy.org, `proxy-protocol.txt`, section 2). A reader must know that a header comes: what
//! could be a header or the start of a session is decided by the configuration, never by a look at the bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

/// Both ends of a client's connection, as the first of the load balancers saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the client is.
    pub client: SocketAddr,
    /// What it connected to.
    pub server: SocketAddr,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// A connection of this client.
    Client(Endpoints),
    /// A connection of the sender's own, such as a health check, or one whose ends it does not know as IP addresses.
    Nobody,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// They do not begin as either version does.
    #[error("the connection does not begin with a header of the PROXY protocol")]
    Missing,
    /// A line of version 1 that does not end where it must.
    #[error("the header has no end within {V1_BYTES_MAX} bytes")]
    Endless,
    /// A line of version 1 that says something else.
    #[error("the header's line is not as version 1 has it")]
    Line,
    /// A version, command, family or transport that there is not.
    #[error("the header's byte {0} has a value that version 2 does not know")]
    Unknown(usize),
    /// More than anybody needs to announce a client.
    #[error("the header announces more than {V2_BYTES_MAX} bytes")]
    TooLarge,
    /// The addresses are longer than the header.
    #[error("the header is too short for its addresses")]
    TooShort,
}

/// Reads the header that `bytes` begin with, and tells how many bytes it takes. `None` when all of them belong to a header
/// that goes on.
///
/// # Errors
/// They are not the beginning of a header.
pub fn parse(bytes: &[u8]) -> Result<Option<(Announced, usize)>, HeaderError> {
    let begins_as = |start: &[u8]| bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted);
    if begins_as(V2_START) {
        parse_v2(bytes)
    } else if begins_as(V1_START) {
        parse_v1(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

/// A header of version 2 that announces a client, or, without one, a connection of our own.
pub fn encode(endpoints: Option<Endpoints>) -> Vec<u8> {
    let mut header = V2_START.to_vec();
    let Some(Endpoints { client, server }) = endpoints else {
        header.extend([V2_LOCAL, UNSPECIFIED, 0, 0]);
        return header;
    };
    header.push(V2_PROXY);
    match (client.ip().to_canonical(), server.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(server)) => {
            header.extend([TCP_OVER_IPV4, 0, IPV4_BYTES]);
            header.extend(client.octets());
            header.extend(server.octets());
        }
        (client, server) => {
            header.extend([TCP_OVER_IPV6, 0, IPV6_BYTES]);
            header.extend(mapped(client).octets());
            header.extend(mapped(server).octets());
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(server.port().to_be_bytes());
    header
}

/// Both addresses of a header are of one family.
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn parse_v1(bytes: &[u8]) -> Result<Option<(Announced, usize)>, HeaderError> {
    let within = bytes.get(..V1_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if within.len() < V1_BYTES_MAX { Ok(None) } else { Err(HeaderError::Endless) };
    };
    let line = within.get(V1_START.len()..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(HeaderError::Line)?;
    Ok(Some((announced_v1(line)?, end + 1)))
}

fn announced_v1(line: &[u8]) -> Result<Announced, HeaderError> {
    // What follows UNKNOWN is for nobody; it may be anything up to the end of the line.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Ok(Announced::Nobody);
    }
    let words = str::from_utf8(line).map_err(|_| HeaderError::Line)?;
    let words: Vec<_> = words.splitn(WORDS + 1, ' ').collect();
    let [family, client, server, client_port, server_port] = words[..] else { return Err(HeaderError::Line) };
    let (client, server) = match family {
        "TCP4" => (address::<Ipv4Addr>(client)?, address::<Ipv4Addr>(server)?),
        "TCP6" => (address::<Ipv6Addr>(client)?, address::<Ipv6Addr>(server)?),
        _ => return Err(HeaderError::Line),
    };
    Ok(Announced::Client(Endpoints {
        client: SocketAddr::new(client, port(client_port)?),
        server: SocketAddr::new(server, port(server_port)?),
    }))
}

fn address<A: str::FromStr + Into<IpAddr>>(word: &str) -> Result<IpAddr, HeaderError> {
    word.parse::<A>().map(Into::into).map_err(|_| HeaderError::Line)
}

/// A decimal number without a sign or leading zeros.
fn port(word: &str) -> Result<u16, HeaderError> {
    let port = word.parse::<u16>().map_err(|_| HeaderError::Line)?;
    if port.to_string() == word { Ok(port) } else { Err(HeaderError::Line) }
}

fn parse_v2(bytes: &[u8]) -> Result<Option<(Announced, usize)>, HeaderError> {
    let fixed = bytes.get(V2_START.len()..).unwrap_or_default();
    let is_ours = match fixed.first() {
        Some(&V2_PROXY) => false,
        Some(&V2_LOCAL) => true,
        Some(_) => return Err(HeaderError::Unknown(V2_START.len())),
        None => return Ok(None),
    };
    let addresses_bytes = match fixed.get(1) {
        // The sender's own connections announce nothing, whatever family they name.
        Some(_) if is_ours => 0,
        Some(&UNSPECIFIED) => 0,
        Some(&TCP_OVER_IPV4) => usize::from(IPV4_BYTES),
        Some(&TCP_OVER_IPV6) => usize::from(IPV6_BYTES),
        Some(&STREAM_OVER_UNIX) => UNIX_BYTES,
        Some(_) => return Err(HeaderError::Unknown(V2_START.len() + 1)),
        None => return Ok(None),
    };
    let Some(&[high, low]) = fixed.get(2..4).and_then(|length| length.first_chunk()) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < addresses_bytes {
        return Err(HeaderError::TooShort);
    }
    let whole = V2_FIXED_BYTES + length;
    if whole > V2_BYTES_MAX {
        return Err(HeaderError::TooLarge);
    }
    if bytes.len() < whole {
        return Ok(None);
    }
    // Behind the addresses are extensions, which say nothing that we need.
    let addresses = bytes.get(V2_FIXED_BYTES..V2_FIXED_BYTES + addresses_bytes).unwrap_or_default();
    Ok(Some((announced_v2(addresses), whole)))
}

fn announced_v2(addresses: &[u8]) -> Announced {
    let endpoints = if let Ok(addresses) = <&[u8; IPV4_BYTES as usize]>::try_from(addresses) {
        let [c0, c1, c2, c3, s0, s1, s2, s3, ports @ ..] = addresses;
        let client = IpAddr::from([*c0, *c1, *c2, *c3]);
        Some((client, IpAddr::from([*s0, *s1, *s2, *s3]), *ports))
    } else if let Ok(addresses) = <&[u8; IPV6_BYTES as usize]>::try_from(addresses) {
        let ends = addresses.first_chunk::<16>().zip(addresses.last_chunk::<20>());
        ends.map(|(client, [server @ .., p0, p1, p2, p3])| {
            (IpAddr::from(*client), IpAddr::from(*server), [*p0, *p1, *p2, *p3])
        })
    } else {
        None
    };
    endpoints.map_or(Announced::Nobody, |(client, server, [c1, c0, s1, s0])| {
        Announced::Client(Endpoints {
            client: SocketAddr::new(client, u16::from_be_bytes([c1, c0])),
            server: SocketAddr::new(server, u16::from_be_bytes([s1, s0])),
        })
    })
}

/// What a line of version 1 begins with.
const V1_START: &[u8] = b"PROXY ";
/// The longest line of version 1, with its end.
const V1_BYTES_MAX: usize = 107;
/// The words behind `PROXY`.
const WORDS: usize = 5;
/// What a header of version 2 begins with.
const V2_START: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The start, version and command, family and transport, length.
const V2_FIXED_BYTES: usize = 16;
/// A sender may announce 64 KiB. Addresses and what load balancers put behind them, a client certificate included, fit into
/// this.
const V2_BYTES_MAX: usize = 4096;
/// Version 2, a connection of the sender's own.
const V2_LOCAL: u8 = 0x20;
/// Version 2, a connection of a client's.
const V2_PROXY: u8 = 0x21;
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
const STREAM_OVER_UNIX: u8 = 0x31;
/// Two addresses and two ports.
const IPV4_BYTES: u8 = 12;
/// Two addresses and two ports.
const IPV6_BYTES: u8 = 36;
/// Two paths.
const UNIX_BYTES: usize = 216;

#[cfg(test)]
mod tests;
