//! A set of IP addresses as operators write it: an address, or a network with the length of its prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network such as `10.1.0.0/16`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// Why a text is no [`Network`]: the sentence says what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// What stands before `/` is no IP address.
    #[error("is not an IP address or a network")]
    BadAddress,
    /// What stands behind `/` is no length of a prefix.
    #[error("has a prefix that is not a number of bits of its address")]
    BadPrefix,
    /// `10.1.2.3/16`: either the address or the prefix is a slip.
    #[error("has bits set behind its prefix")]
    HostBits,
}

impl Network {
    /// The network of the first `prefix_bits` bits of `address`.
    ///
    /// # Errors
    /// The prefix is longer than the address, or bits behind it are set.
    pub fn new(address: IpAddr, prefix_bits: u8) -> Result<Self, NetworkError> {
        let network = Self { address, prefix_bits };
        let masked = network.masked(address).ok_or(NetworkError::BadPrefix)?;
        if masked == address { Ok(network) } else { Err(NetworkError::HostBits) }
    }

    /// Whether `address` is in the network. An IPv4 address that an IPv6 socket shows as `::ffff:10.1.2.3` is that
    /// IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.masked(address) == Some(self.address)
    }

    /// The prefix of `address`, with zeros behind it.
    fn masked(&self, address: IpAddr) -> Option<IpAddr> {
        let bits = u32::from(self.prefix_bits);
        Some(match address {
            IpAddr::V4(address) => {
                let behind = u32::MAX.checked_shr(bits).unwrap_or(0);
                (bits <= 32).then_some(IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !behind)))?
            }
            IpAddr::V6(address) => {
                let behind = u128::MAX.checked_shr(bits).unwrap_or(0);
                (bits <= 128).then_some(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !behind)))?
            }
        })
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::BadAddress)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().map_err(|_| NetworkError::BadPrefix)?
            }
            Some(_) => return Err(NetworkError::BadPrefix),
            None => whole,
        };
        Self::new(address, prefix_bits)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    //! Networks, and addresses in and out of them.

    use super::*;

    #[track_caller]
    fn check(network: &str, address: &str, want: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), want, "{network} and {address}");
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        check("10.1.0.0/16", "10.1.255.255", true);
        check("10.1.0.0/16", "10.2.0.0", false);
        check("10.1.2.128/25", "10.1.2.127", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("fd00:1::/32", "fd00:1:ffff::1", true);
        check("fd00:1::/32", "fd00:2::1", false);
        check("::/0", "2001:db8::1", true);
    }

    #[test]
    fn an_address_alone_is_itself() {
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("::1", "::1", true);
    }

    #[test]
    fn the_families_are_apart_but_for_ipv4_on_an_ipv6_socket() {
        check("0.0.0.0/0", "::1", false);
        check("::/0", "10.1.2.3", false);
        check("10.1.0.0/16", "::ffff:10.1.2.3", true);
    }

    #[track_caller]
    fn check_refused(text: &str, want: NetworkError) {
        assert_eq!(text.parse::<Network>(), Err(want), "{text:?}");
    }

    #[test]
    fn slips_are_refused() {
        check_refused("10.1.2.3/16", NetworkError::HostBits);
        check_refused("fd00::1/64", NetworkError::HostBits);
        check_refused("10.0.0.0/33", NetworkError::BadPrefix);
        check_refused("::/129", NetworkError::BadPrefix);
        check_refused("10.0.0.0/", NetworkError::BadPrefix);
        check_refused("10.0.0.0/+8", NetworkError::BadPrefix);
        check_refused("10.0.0.0/255.0.0.0", NetworkError::BadPrefix);
        check_refused("10.0.0/8", NetworkError::BadAddress);
        check_refused("corp.local", NetworkError::BadAddress);
    }
}
