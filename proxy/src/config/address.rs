//! Where a SQL Server listens: a host and a port, resolved only when a connection is made.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A host name or IP address, and a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    host: String,
    port: u16,
}

/// Why a text is no [`Address`]: the sentence says what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// `host,port`, as connection strings write it.
    #[error("has a comma between host and port")]
    Comma,
    /// `host\instance`.
    #[error("names an instance, which only the SQL Server Browser could turn into a port")]
    Instance,
    /// The port is missing.
    #[error("has no port")]
    NoPort,
    /// The port is no number from 1 to 65535.
    #[error("has a port that is not a number from 1 to 65535")]
    BadPort,
    /// The host is neither a name nor an address.
    #[error("has a host that is neither a name nor an IP address")]
    BadHost,
}

impl Address {
    /// An address of this host and port.
    ///
    /// # Errors
    /// The host is neither a name nor an IP address, or the port is 0.
    pub fn new(host: &str, port: u16) -> Result<Self, AddressError> {
        if port == 0 {
            return Err(AddressError::BadPort);
        }
        if host.parse::<Ipv6Addr>().is_err() && !is_host_name(host) {
            return Err(AddressError::BadHost);
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host: a name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.contains(',') {
            return Err(AddressError::Comma);
        }
        if text.contains('\\') {
            return Err(AddressError::Instance);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once("]:").ok_or(AddressError::NoPort)?,
            None => text.split_once(':').ok_or(AddressError::NoPort)?,
        };
        Self::new(host, port.parse().map_err(|_| AddressError::BadPort)?)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

/// The form of names and IPv4 addresses. DNS has the last word, but what could never resolve is a mistake now.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

#[cfg(test)]
mod tests {
    //! Texts that are addresses, and those that are not.

    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<(&str, u16), AddressError>) {
        let got = text.parse::<Address>();
        assert_eq!(got.as_ref().map(|address| (address.host(), address.port())).map_err(|error| *error), want);
        if let Ok(address) = got {
            assert_eq!(address.to_string(), text, "an address shows as it is written");
        }
    }

    #[test]
    fn names_and_addresses_of_both_families_are_read() {
        check("sql01.corp.local:1433", Ok(("sql01.corp.local", 1433)));
        check("10.0.0.4:14330", Ok(("10.0.0.4", 14330)));
        check("[fd00::4]:1433", Ok(("fd00::4", 1433)));
        check("my_host:1", Ok(("my_host", 1)));
    }

    #[test]
    fn the_habits_of_connection_strings_are_named() {
        check("sql01,1433", Err(AddressError::Comma));
        check(r"sql01\prod", Err(AddressError::Instance));
        check("sql01", Err(AddressError::NoPort));
        check("[fd00::4]", Err(AddressError::NoPort));
    }

    #[test]
    fn what_could_never_be_reached_is_refused() {
        check("sql01:0", Err(AddressError::BadPort));
        check("sql01:65536", Err(AddressError::BadPort));
        check("fd00::4:1433", Err(AddressError::BadPort));
        check("sql 01:1433", Err(AddressError::BadHost));
        check(":1433", Err(AddressError::BadHost));
        check("sql..01:1433", Err(AddressError::BadHost));
    }
}
