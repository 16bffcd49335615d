//! Whether an address is in one of many blocks.

use std::net::IpAddr;

use mesh_model::value::IpBlock;

/// Blocks of addresses as ranges: a question costs about the same however many there are (S-136, S-150).
///
/// ```
/// use mesh_authz::address_set::AddressSet;
///
/// let blocks = ["10.0.0.0/8", "10.1.0.0/16", "fd00::/8"].map(|text| text.parse().unwrap());
/// let set: AddressSet = blocks.into_iter().collect();
/// assert!(set.contains("10.9.9.9".parse()?));
/// assert!(set.contains("::ffff:10.9.9.9".parse()?));
/// assert!(!set.contains("192.0.2.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressSet {
    /// First and last address. INVARIANT: ascending, none touches another.
    ipv4: Box<[(u32, u32)]>,
    /// For each value of the leading bits, how many ranges begin below it; one more at the end.
    begins: Box<[u32]>,
    /// How far to shift an address for its leading bits.
    shift: u32,
    /// The same.
    ipv6: Box<[(u128, u128)]>,
}

/// At most so many leading bits have a place of their own.
const LEADING_MAX: u32 = 18;

impl AddressSet {
    /// Whether the address, or the IPv4 address that it maps, is in one of the blocks.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.contains_ipv4(address.to_bits()),
            IpAddr::V6(address) => {
                let address = address.to_bits();
                let below = self.ipv6.partition_point(|(first, _)| *first <= address);
                below
                    .checked_sub(1)
                    .and_then(|at| self.ipv6.get(at))
                    .is_some_and(|(_, last)| address <= *last)
            }
        }
    }

    #[inline]
    pub(crate) fn contains_ipv4(&self, address: u32) -> bool {
        let leading = (address >> self.shift) as usize;
        // Those that begin with the same leading bits, and the one before them.
        let Some([start, end]) = self.begins.get(leading..).and_then(|rest| rest.first_chunk::<2>()) else {
            return false;
        };
        let (start, end) = (*start as usize, *end as usize);
        let same = self.ipv4.get(start..end).unwrap_or_default();
        let below = start + same.partition_point(|(first, _)| *first <= address);
        below.checked_sub(1).and_then(|at| self.ipv4.get(at)).is_some_and(|(_, last)| address <= *last)
    }

    /// Whether it holds no address.
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}

impl FromIterator<IpBlock> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpBlock>>(blocks: I) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for block in blocks {
            let bits = u32::from(block.prefix_bits());
            match block.network() {
                IpAddr::V4(network) => {
                    let first = network.to_bits();
                    ipv4.push((first, first | u32::MAX.checked_shr(bits).unwrap_or(0)));
                }
                IpAddr::V6(network) => {
                    let first = network.to_bits();
                    ipv6.push((first, first | u128::MAX.checked_shr(bits).unwrap_or(0)));
                }
            }
        }
        let ipv4 = merged(ipv4, |last| last.checked_add(1));
        let ipv6 = merged(ipv6, |last| last.checked_add(1));
        let leading = (ipv4.len().max(2).ilog2() + 1).min(LEADING_MAX);
        let shift = 32 - leading;
        let mut begins = vec![0; (1 << leading) + 1];
        for (first, _) in &ipv4 {
            let places = begins.iter_mut().skip((first >> shift) as usize + 1).take(1);
            places.for_each(|count| *count += 1);
        }
        let mut below = 0;
        for count in &mut begins {
            below += *count;
            *count = below;
        }
        Self { ipv4: ipv4.into(), begins: begins.into(), shift, ipv6: ipv6.into() }
    }
}

/// Ranges in order, those that touch made one.
fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, before)) if next(*before).is_none_or(|next| first <= next) => {
                *before = last.max(*before);
            }
            _ => merged.push((first, last)),
        }
    }
    merged.shrink_to_fit();
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block() -> impl Strategy<Value = IpBlock> {
        let ipv4 = (any::<u32>(), 0u8..=32).prop_map(|(bits, prefix)| {
            // Few high bits, so that blocks meet.
            IpBlock::new(std::net::Ipv4Addr::from_bits(bits & 0xc300_ffff).into(), prefix).unwrap()
        });
        let ipv6 = (any::<u128>(), 0u8..=128).prop_map(|(bits, prefix)| {
            IpBlock::new(std::net::Ipv6Addr::from_bits(bits & (0xff << 120 | 0xffff)).into(), prefix).unwrap()
        });
        prop_oneof![3 => ipv4, 1 => ipv6]
    }

    proptest! {
        #[test]
        fn it_contains_what_one_of_the_blocks_contains(
            blocks in prop::collection::vec(block(), 0..60), more in prop::collection::vec(block(), 0..20),
        ) {
            let set: AddressSet = blocks.iter().copied().collect();
            let edges = blocks.iter().chain(&more).flat_map(|block| {
                let bits = u32::from(block.prefix_bits());
                let around: Vec<IpAddr> = match block.network() {
                    IpAddr::V4(network) => {
                        let (first, all) = (network.to_bits(), u32::MAX.checked_shr(bits).unwrap_or(0));
                        [first, first | all, first.wrapping_sub(1), (first | all).wrapping_add(1)]
                            .map(|bits| std::net::Ipv4Addr::from_bits(bits).into()).to_vec()
                    }
                    IpAddr::V6(network) => {
                        let (first, all) = (network.to_bits(), u128::MAX.checked_shr(bits).unwrap_or(0));
                        [first, first | all, first.wrapping_sub(1), (first | all).wrapping_add(1)]
                            .map(|bits| std::net::Ipv6Addr::from_bits(bits).into()).to_vec()
                    }
                };
                around
            });
            for address in edges {
                let wanted = blocks.iter().any(|block| block.contains(address));
                prop_assert_eq!(set.contains(address), wanted, "{}", address);
            }
        }
    }

    #[test]
    fn the_whole_of_it_and_nothing() {
        let all: AddressSet = ["0.0.0.0/0", "::/0"].map(|text| text.parse().unwrap()).into_iter().collect();
        assert!(all.contains("255.255.255.255".parse().unwrap()) && all.contains("::1".parse().unwrap()));
        let none = AddressSet::from_iter([]);
        assert!(none.is_empty() && !none.contains("0.0.0.0".parse().unwrap()));
        assert!(!AddressSet::default().contains("0.0.0.0".parse().unwrap()));
    }
}
