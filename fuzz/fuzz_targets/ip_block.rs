//! Address blocks: canonical form reads back, and holds its own network.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::value::IpBlock;

fuzz_target!(|text: &str| {
    if let Ok(block) = text.parse::<IpBlock>() {
        assert_eq!(block.to_string().parse::<IpBlock>().ok(), Some(block), "{text}");
        assert!(block.contains(block.network()), "{text}");
    }
});
