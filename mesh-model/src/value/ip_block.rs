//! Addresses and address ranges.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A range of addresses, written as an address or in CIDR form; host bits are cleared (S-136, S-150).
///
/// ```
/// use mesh_model::value::IpBlock;
///
/// let block: IpBlock = "10.1.2.3/8".parse()?;
/// assert_eq!(block.to_string(), "10.0.0.0/8");
/// assert!(block.contains("10.9.9.9".parse()?));
/// assert!(block.contains("::ffff:10.9.9.9".parse()?));
/// assert!("010.0.0.0/8".parse::<IpBlock>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// INVARIANT: truncated, and IPv4 whenever it is a range of IPv4-mapped addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpBlock(IpNet);

/// The text is neither an address nor a CIDR range, in Go's strict reading (S-136, S-150).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or CIDR range")]
pub struct IpBlockError;

/// Length of the `::ffff:0:0/96` prefix in bits.
const MAPPED_PREFIX_BITS: u8 = 96;

impl IpBlock {
    /// The addresses that share the first `prefix_bits` bits of `address`.
    ///
    /// # Errors
    /// When there are more prefix bits than the address has.
    pub fn new(address: IpAddr, prefix_bits: u8) -> Result<Self, IpBlockError> {
        let net = IpNet::new(address, prefix_bits).map_err(|_| IpBlockError)?;
        let mapped = match address.to_canonical() {
            // A shorter prefix holds more than mapped addresses and stays IPv6.
            canonical @ IpAddr::V4(_) if address.is_ipv6() => {
                prefix_bits.checked_sub(MAPPED_PREFIX_BITS).and_then(|bits| IpNet::new(canonical, bits).ok())
            }
            _ => None,
        };
        Ok(Self(mapped.unwrap_or(net).trunc()))
    }

    /// The range of one address.
    pub fn single(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }

    /// Whether the address, or the IPv4 address that it maps, is in the range (S-438).
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The first address.
    pub fn network(&self) -> IpAddr {
        self.0.network()
    }

    /// Length of the prefix in bits.
    pub fn prefix_bits(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The range in the vocabulary of the `ipnet` crate.
    pub fn as_net(&self) -> IpNet {
        self.0
    }
}

impl FromStr for IpBlock {
    type Err = IpBlockError;

    fn from_str(text: &str) -> Result<Self, IpBlockError> {
        // The standard parser is as strict as Go's on leading zeros.
        let address_of = |text: &str| text.parse::<IpAddr>().map_err(|_| IpBlockError);
        match text.split_once('/') {
            None => address_of(text).map(Self::single),
            Some((address, bits)) => Self::new(address_of(address)?, prefix_bits(bits)?),
        }
    }
}

/// Plain decimal digits without a sign or a leading zero.
fn prefix_bits(text: &str) -> Result<u8, IpBlockError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or(IpBlockError)
}

impl fmt::Display for IpBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for IpBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        text.parse::<IpBlock>().ok().map(|block| block.to_string())
    }

    #[test]
    fn blocks_are_canonical() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1/32"),
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::1", "fd00::1/128"),
            ("FD00:0::1/16", "fd00::/16"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.1.2.3/112", "10.1.0.0/16"),
            ("::ffff:10.1.2.3/64", "::/64"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for bad in [
            "",
            "10.0.0",
            "10.0.0.01",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "/8",
            "::1/129",
            "10.0.0.0/8/8",
            " 10.0.0.1",
            "[::1]",
            "10.0.0.256",
            "localhost",
            "0x10.0.0.1",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_with_a_zone_is_no_range() {
        // Go's address parser would take it; a zone means nothing to the other end of a connection.
        assert_eq!(canonical("fe80::1%eth0"), None);
    }

    #[test]
    fn families_do_not_mix_except_for_mapped_addresses() {
        let all_v6: IpBlock = "::/0".parse().unwrap();
        assert!(!all_v6.contains("10.0.0.1".parse().unwrap()));
        assert!(!all_v6.contains("::ffff:10.0.0.1".parse().unwrap()));
        let v4: IpBlock = "10.0.0.0/8".parse().unwrap();
        assert!(v4.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!v4.contains("::10.0.0.1".parse().unwrap()));
    }
}
