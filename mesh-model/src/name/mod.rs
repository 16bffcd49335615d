//! Names that people write: namespaces, hosts, ports, protocols, identities, label selectors, visibility.
//!
//! Nothing here knows a resource or a cluster. Case is kept as written (E-030).

mod dns;
mod export_to;
mod gateway_name;
mod host_pattern;
mod hostname;
mod label_selector;
mod namespace;
mod port;
mod protocol;
mod short_name;
mod spiffe_id;
mod string_map;
mod tencent;
mod trust_domain;

pub use dns::{NameError, is_dns_label};
pub use export_to::ExportTo;
pub use gateway_name::{MESH_GATEWAY, resolve_gateway_name};
pub use host_pattern::{
    HostPattern, compare_specificity, host_intersection, host_matches, host_subset_of, is_wildcard,
    most_specific_match,
};
pub use hostname::Hostname;
pub use label_selector::{LabelSelector, SelectorOperator, SelectorRequirement, labels_subset_of};
pub use namespace::Namespace;
pub use port::{PortNumber, PortNumberError};
pub use protocol::{Protocol, Transport};
pub use short_name::resolve_short_name;
pub use spiffe_id::{SpiffeId, SpiffeIdError};
pub use string_map::{Iter as StringMapIter, StringMap};
pub use tencent::{CredentialSource, OffloadedPort, REVISION_LABEL, revision_version};
pub use trust_domain::TrustDomain;
