//! Networks: in which one an endpoint is (T-314).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use mesh_model::mesh_config::MeshNetworks;

use super::network_gateways::NetworkGateways;

/// What is known of networks (T-314).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Networks {
    /// How each is entered from the others.
    pub gateways: NetworkGateways,
    /// Networks of whole clusters.
    by_cluster: BTreeMap<Arc<str>, Arc<str>>,
    /// Networks of address blocks, by the length of their prefix.
    by_block: BTreeMap<u8, BTreeMap<IpNet, Arc<str>>>,
}

impl Networks {
    /// Reads which endpoints are where. Of several networks that claim one cluster or block, the first by name has it:
    /// Istio takes one at random.
    pub(super) fn read(written: &MeshNetworks) -> Self {
        let mut networks = Self::default();
        for (name, network) in &written.networks {
            let name: Arc<str> = name.as_str().into();
            for endpoints in &network.endpoints {
                if let Some(cluster) = endpoints.from_registry.as_deref().filter(|it| !it.is_empty()) {
                    networks.by_cluster.entry(cluster.into()).or_insert_with(|| Arc::clone(&name));
                }
                let block = endpoints.from_cidr.as_deref().and_then(|block| block.parse::<IpNet>().ok());
                if let Some(block) = block.map(|block| block.trunc()) {
                    let blocks = networks.by_block.entry(block.prefix_len()).or_default();
                    blocks.entry(block).or_insert_with(|| Arc::clone(&name));
                }
            }
        }
        networks
    }

    /// The network of an address in a cluster: that of the whole cluster, else that of the widest block around it.
    pub(super) fn find(&self, cluster: &str, address: &str) -> Option<&Arc<str>> {
        if let Some(network) = self.by_cluster.get(cluster) {
            return Some(network);
        }
        if self.by_block.is_empty() {
            return None;
        }
        let ip = address.parse::<IpAddr>().ok()?.to_canonical();
        self.by_block.iter().find_map(|(length, blocks)| {
            let block = IpNet::new(ip, *length).ok()?.trunc();
            blocks.get(&block)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &serde_json::Value) -> Networks {
        Networks::read(&serde_json::from_value(json.clone()).unwrap())
    }

    #[test]
    fn a_cluster_counts_before_blocks_and_a_wide_block_before_a_narrow_one() {
        let networks = read(&serde_json::json!({"networks": {
            "a": {"endpoints": [{"fromCidr": "10.1.0.0/16"}, {"fromCidr": "fd00::/8"}]},
            "b": {"endpoints": [{"fromCidr": "10.7.7.7/8"}, {"fromRegistry": "west"}]},
            "c": {"endpoints": [{"fromRegistry": "west"}, {"fromCidr": "nonsense"}]},
        }}));
        let find = |cluster, address| networks.find(cluster, address).map(|name| &**name);
        assert_eq!(find("west", "fd00::1"), Some("b"), "the first by name has a cluster");
        assert_eq!(find("east", "fd00::1"), Some("a"));
        assert_eq!(find("east", "10.1.2.3"), Some("b"), "the widest block");
        assert_eq!(find("east", "::ffff:10.1.2.3"), Some("b"));
        assert_eq!(find("east", "192.0.2.1"), None);
        assert_eq!(find("east", "a.com"), None);
        assert_eq!(find("east", ""), None);
    }

    proptest! {
        #[test]
        fn blocks_are_found_as_by_looking_at_each(
            blocks in prop::collection::vec((any::<u32>(), 0u8..=32), 0..20),
            address in any::<u32>(),
        ) {
            // Addresses close together, so that blocks overlap.
            let near = |bits: u32| std::net::Ipv4Addr::from(bits & 0xC000_C003);
            let written: Vec<IpNet> = blocks
                .iter()
                .map(|(bits, length)| IpNet::new(near(*bits).into(), *length).unwrap().trunc())
                .collect();
            let entries: Vec<_> = written.iter().map(ToString::to_string).collect();
            let networks: serde_json::Map<_, _> = entries
                .iter()
                .map(|block| (block.clone(), serde_json::json!({"endpoints": [{"fromCidr": block}]})))
                .collect();
            let networks = read(&serde_json::json!({"networks": networks}));
            let ip: IpAddr = near(address).into();
            let widest = written.iter().filter(|block| block.contains(&ip)).min_by_key(|block| block.prefix_len());
            let found = networks.find("east", &ip.to_string()).map(ToString::to_string);
            prop_assert_eq!(found, widest.map(ToString::to_string));
        }
    }
}
