//! The questions that compile code asks of a view, and who listens to them.
//!
//! What was compiled depends on the answers to the questions that were asked for it and on nothing else of the mesh: a
//! change that alters none of these answers leaves it as it is. "Nobody has a rule for this host" is an answer too.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use mesh_model::name::host_subset_of;
use smallvec::SmallVec;

/// A question about the mesh. What a proxy is (its labels, its namespace) never changes: questions about that say only
/// what proxies of other labels and namespaces may share.
/// Ours: what was compiled is the answer to the questions that were asked, and to nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// What is in scope, as a whole: the services and VirtualServices of its listeners, the Sidecar that says so.
    Scope,
    /// The Sidecar that applies.
    Sidecar,
    /// What a VirtualService in scope says, by namespace and name.
    VirtualService(Arc<str>, Arc<str>),
    /// The service of a hostname.
    Service(Arc<str>),
    /// The rules for a hostname.
    DestinationRule(Arc<str>),
    /// The consistent hash that rules give for a hostname.
    ConsistentHash(Arc<str>),
    /// The endpoints, and the identities of the servers, of a hostname.
    Endpoints(Arc<str>),
    /// PeerAuthentications of a namespace.
    PeerAuthentication(Arc<str>),
    /// RequestAuthentications of a namespace.
    RequestAuthentication(Arc<str>),
    /// AuthorizationPolicies of a namespace.
    AuthorizationPolicy(Arc<str>),
    /// Telemetry resources of a namespace.
    Telemetry(Arc<str>),
    /// ProxyConfig resources of a namespace.
    ProxyConfig(Arc<str>),
    /// WasmPlugins and TrafficExtensions of a namespace.
    Extensions(Arc<str>),
    /// EnvoyFilters of a namespace.
    EnvoyFilters(Arc<str>),
    /// Every Gateway, and who serves which.
    Gateways,
    /// The VirtualServices of the gateway `ns/name`.
    GatewayRoutes(Arc<str>),
    /// The service ports that the proxy's own workload serves.
    Targets,
    /// The proxy's own address, beside those of endpoints.
    OwnAddress,
    /// The proxy's own namespace, beside what it stands for in other questions.
    OwnNamespace,
    /// The proxy's own labels.
    OwnLabels,
}

impl Lookup {
    /// The hostname whose rules it is about.
    pub(crate) fn hostname(&self) -> Option<&str> {
        match self {
            Self::DestinationRule(host) | Self::ConsistentHash(host) => Some(host),
            _ => None,
        }
    }

    /// Whether it is about one host, as most questions are.
    pub(crate) fn is_about_a_host(&self) -> bool {
        matches!(
            self,
            Self::Service(_) | Self::DestinationRule(_) | Self::ConsistentHash(_) | Self::Endpoints(_)
        )
    }

    /// Whether it is about the rules of a host that `host`, perhaps a wildcard, covers.
    pub(crate) fn is_about_rules_of(&self, host: &str) -> bool {
        self.hostname().is_some_and(|asked| host_subset_of(asked, host))
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope => f.write_str("what is in scope"),
            Self::Sidecar => f.write_str("the sidecar resource in force"),
            Self::VirtualService(namespace, name) => write!(f, "the virtual service `{namespace}/{name}`"),
            Self::Service(host) => write!(f, "the service `{host}`"),
            Self::DestinationRule(host) => write!(f, "destination rules for `{host}`"),
            Self::ConsistentHash(host) => write!(f, "the consistent hash for `{host}`"),
            Self::Endpoints(host) => write!(f, "endpoints of `{host}`"),
            Self::PeerAuthentication(namespace) => write!(f, "peer authentication in `{namespace}`"),
            Self::RequestAuthentication(namespace) => write!(f, "request authentication in `{namespace}`"),
            Self::AuthorizationPolicy(namespace) => write!(f, "authorization policies in `{namespace}`"),
            Self::Telemetry(namespace) => write!(f, "telemetry in `{namespace}`"),
            Self::ProxyConfig(namespace) => write!(f, "proxy settings in `{namespace}`"),
            Self::Extensions(namespace) => write!(f, "extensions in `{namespace}`"),
            Self::EnvoyFilters(namespace) => write!(f, "Envoy filters in `{namespace}`"),
            Self::Gateways => f.write_str("gateways"),
            Self::GatewayRoutes(gateway) => write!(f, "virtual services of gateway `{gateway}`"),
            Self::Targets => f.write_str("ports that the workload serves"),
            Self::OwnAddress => f.write_str("the proxy's own address"),
            Self::OwnNamespace => f.write_str("the proxy's own namespace"),
            Self::OwnLabels => f.write_str("the proxy's own labels"),
        }
    }
}

/// Who hears of the questions. `()` does not listen: the question is never even put into words.
/// Ours: who compiles once need not pay for remembering questions.
pub trait Reader: fmt::Debug {
    /// A question was asked.
    fn asked(&self, question: &dyn Fn() -> Lookup);
}

impl Reader for () {
    fn asked(&self, _: &dyn Fn() -> Lookup) {}
}

/// Questions, each once. Most units ask a handful, which are looked through one by one.
/// Ours: most lists are short enough to be looked through.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    few: SmallVec<[Lookup; 4]>,
    /// All of them, once they are many.
    many: HashSet<Lookup, RandomState>,
}

/// More questions than this are hashed.
const FEW: usize = 12;

impl Asked {
    /// Adds a question, unless it is there.
    pub fn insert(&mut self, question: Lookup) {
        if !self.many.is_empty() {
            self.many.insert(question);
        } else if !self.few.contains(&question) {
            self.few.push(question);
            if self.few.len() > FEW {
                self.many.extend(self.few.drain(..));
            }
        }
    }

    /// Whether it was asked.
    pub fn contains(&self, question: &Lookup) -> bool {
        self.few.contains(question) || self.many.contains(question)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Lookup> {
        self.few.iter().chain(&self.many)
    }
}

impl IntoIterator for Asked {
    type Item = Lookup;
    type IntoIter =
        std::iter::Chain<smallvec::IntoIter<[Lookup; 4]>, std::collections::hash_set::IntoIter<Lookup>>;

    fn into_iter(self) -> Self::IntoIter {
        self.few.into_iter().chain(self.many)
    }
}

/// Remembers what is asked between [`begin`](Self::begin) and [`end`](Self::end).
/// Ours: parts within parts each have questions of their own.
#[derive(Debug, Default)]
pub struct Recorder {
    frames: RefCell<Vec<Asked>>,
}

impl Recorder {
    /// Starts a frame of its own: what is asked from now on belongs to it alone.
    pub fn begin(&self) {
        self.frames.borrow_mut().push(Asked::default());
    }

    /// Ends the frame begun last.
    pub fn end(&self) -> Asked {
        self.frames.borrow_mut().pop().unwrap_or_default()
    }
}

impl Reader for Recorder {
    fn asked(&self, question: &dyn Fn() -> Lookup) {
        if let Some(frame) = self.frames.borrow_mut().last_mut() {
            frame.insert(question());
        }
    }
}
