//! Rules by address block: one look-up for each length of prefix that occurs.

use std::net::IpAddr;

use mesh_model::value::IpBlock;

use super::{Hashed, Positions, push};

/// Rules by the blocks of one address.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockIndex {
    /// By family and length of the prefix; at most 162.
    lengths: Vec<Length>,
}

#[derive(Debug, Clone)]
struct Length {
    is_ipv4: bool,
    bits: u8,
    blocks: Hashed<IpBlock, Positions>,
}

impl BlockIndex {
    pub(super) fn insert(&mut self, block: IpBlock, position: u32) {
        let (is_ipv4, bits) = (block.network().is_ipv4(), block.prefix_bits());
        let same = |length: &Length| length.is_ipv4 == is_ipv4 && length.bits == bits;
        if !self.lengths.iter().any(same) {
            self.lengths.push(Length { is_ipv4, bits, blocks: Hashed::default() });
        }
        if let Some(length) = self.lengths.iter_mut().find(|length| same(length)) {
            push(length.blocks.entry(block).or_default(), position);
        }
    }

    /// Calls for each block that holds the address.
    pub(super) fn look_up(&self, address: IpAddr, visit: &mut dyn FnMut(&[u32])) {
        // Blocks of mapped addresses are kept as IPv4.
        let address = address.to_canonical();
        for length in self.lengths.iter().filter(|length| length.is_ipv4 == address.is_ipv4()) {
            let block = IpBlock::new(address, length.bits).ok();
            if let Some(positions) = block.and_then(|block| length.blocks.get(&block)) {
                visit(positions);
            }
        }
    }
}
