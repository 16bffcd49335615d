//! A filter chain while listeners are put together.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use mesh_model::origin::Origin;

use super::client::Client;
use crate::proxy::listener::{ChainMatch, FilterChain, Network, TcpProxy, Transport};

/// What the inspector calls HTTP; HTTP/1.0 is raw TCP to it (E-050).
pub(super) const SNIFFED_HTTP: [&str; 2] = ["http/1.1", "h2c"];

/// Which route table HTTP of a chain is looked up in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableName {
    /// Shared by every HTTP service of a port: `80`.
    Port(u16),
    /// Of one sniffed service at its own address: `host:port` (T-044).
    Service(Arc<str>, u16),
    /// Of a Unix socket: its path.
    Unix(Arc<str>),
    /// Of the explicit proxy's port.
    HttpProxy,
}

impl TableName {
    /// As it is called in the proxy's configuration.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Port(port) => port.to_string(),
            Self::Service(host, port) => format!("{host}:{port}"),
            Self::Unix(path) => path.to_string(),
            Self::HttpProxy => "http_proxy".to_owned(),
        }
    }
}

/// What runs on a chain.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Http(TableName),
    Tcp(Box<TcpProxy>),
}

/// A chain with its conditions as written.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) name: Arc<str>,
    pub(super) sni_hosts: Vec<String>,
    pub(super) cidrs: Vec<Arc<str>>,
    /// Only plaintext that the inspector takes for HTTP.
    pub(super) sniffed: bool,
    pub(super) content: Content,
    pub(super) origin: Origin,
}

impl Chain {
    /// Whether it takes every connection of its listener.
    pub(super) fn takes_all(&self) -> bool {
        (self.sni_hosts.is_empty() || self.sni_hosts.iter().any(|host| host == "*"))
            && !self.sniffed
            && self.cidrs.is_empty()
    }

    /// Whether two chains have the same conditions, however they are written (T-200).
    pub(super) fn conflicts_with(&self, other: &Self) -> bool {
        self.sniffed == other.sniffed
            && self.sni_set() == other.sni_set()
            && self.cidr_set() == other.cidr_set()
    }

    fn sni_set(&self) -> BTreeSet<&str> {
        self.sni_hosts.iter().map(String::as_str).filter(|host| *host != "*").collect()
    }

    fn cidr_set(&self) -> BTreeSet<IpNet> {
        self.networks().map(|network| network.trunc()).collect()
    }

    /// Address blocks that mean something: unspecified addresses are no condition.
    fn networks(&self) -> impl Iterator<Item = IpNet> {
        self.cidrs
            .iter()
            .filter_map(|text| parse_network(text))
            .filter(|network| !network.addr().is_unspecified())
    }

    pub(super) fn finish(self, client: &Client<'_, '_>) -> FilterChain {
        let matches = if self.takes_all() { ChainMatch::default() } else { self.conditions() };
        let network = match self.content {
            Content::Http(table) => Network::Http(Box::new(client.http_manager(&table.to_text()))),
            Content::Tcp(proxy) => Network::Tcp(proxy),
        };
        FilterChain {
            name: self.name,
            matches,
            tls: None,
            network,
            max_connections: None,
            origin: self.origin,
        }
    }

    fn conditions(&self) -> ChainMatch {
        let any_name = self.sni_hosts.iter().any(|host| host == "*");
        let names: BTreeSet<String> = self
            .sni_hosts
            .iter()
            .filter(|_| !any_name)
            // The proxy compares server names without case (E-030).
            .map(|host| host.to_ascii_lowercase())
            .collect();
        let networks: BTreeSet<IpNet> = self.networks().collect();
        let protocols: &[&str] = if self.sniffed { &SNIFFED_HTTP } else { &[] };
        ChainMatch {
            destination_port: None,
            destinations: networks.into_iter().collect(),
            server_names: names.into_iter().map(Arc::from).collect(),
            transport: self.sniffed.then_some(Transport::RawBuffer),
            application_protocols: protocols.iter().copied().map(Arc::from).collect(),
        }
    }
}

/// An address or block.
fn parse_network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
