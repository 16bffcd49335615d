//! What an authorization decision says.

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::facts::RequestFacts;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::security::authorization_policy::AuthorizationPolicy;

pub use crate::claims::Claims;
use crate::external_authorizer::ExternalAuthorizer;

/// What policies may look at (S-131..S-145).
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The physical peer: `source.ip`, `ipBlocks` (S-136).
    pub direct_ip: IpAddr,
    /// The client as forwarded headers tell it, where trusted: `remote.ip`, `remoteIpBlocks` (E-010, E-083).
    pub remote_ip: IpAddr,
    /// The real local address (S-142).
    pub dst_ip: IpAddr,
    /// The real local port (S-143).
    pub dst_port: u16,
    /// SNI, lower case (E-082); `None`: none, or not TLS.
    pub sni: Option<&'a str>,
    /// URI SAN of the verified peer where this proxy terminated mTLS; `spiffe://...` (S-147, S-339).
    pub peer: Option<&'a str>,
    /// The canonical request; `None` for TCP.
    pub request: Option<&'a RequestFacts<'a>>,
    /// What authentication learned from a token.
    pub claims: Option<&'a Claims>,
}

/// The result of evaluating the policies of a workload. It points into them, so that nothing is copied or counted
/// (S-080).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<'s> {
    /// May it pass (external authorizers still to be asked).
    pub allowed: bool,
    /// The policy and rule that decided; `None`: no policy, or denied since none allowed.
    pub decided_by: Option<RuleAt<'s>>,
    /// External authorizers to be asked, in order (S-111).
    pub external: Vec<ExternalAuthz>,
    /// What policies in dry-run mode would have said, in order of policies (S-101).
    pub dry_run: Vec<RuleAt<'s>>,
    /// AUDIT policies that matched.
    pub audited: Vec<RuleAt<'s>>,
}

/// A rule of a policy, where it stands (S-083).
#[derive(Clone, Copy)]
pub struct RuleAt<'s> {
    pub(crate) object: &'s Arc<Object<AuthorizationPolicy>>,
    pub(crate) name: &'s Arc<str>,
    pub(crate) rule: Option<usize>,
}

impl<'s> RuleAt<'s> {
    /// `namespace/name` of the policy.
    pub fn policy(&self) -> &'s str {
        self.name
    }

    /// Position in `rules`; `None`: the policy as a whole.
    pub fn rule(&self) -> Option<usize> {
        self.rule.filter(|_| !self.is_refused())
    }

    /// Whether the policy could not be understood: it was refused, and what denies stands for it.
    pub fn is_refused(&self) -> bool {
        self.object.provenance.refused_at.is_some()
    }

    /// Where it was written; of a policy that was refused, the field for which it was.
    pub fn origin(&self) -> Origin {
        match (self.object.refused_at(), self.rule) {
            (Some(refused), _) => refused,
            (None, Some(index)) => self.object.origin(format!("spec.rules[{index}]")),
            (None, None) => self.object.origin("spec"),
        }
    }

    /// The same, to be kept longer than the policies.
    pub fn to_owned(&self) -> RuleRef {
        RuleRef { policy: Arc::clone(self.name), rule: self.rule(), origin: self.origin() }
    }
}

/// By what they say.
impl PartialEq for RuleAt<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.policy(), self.rule) == (other.policy(), other.rule)
    }
}
impl Eq for RuleAt<'_> {}

impl std::fmt::Debug for RuleAt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleAt").field("policy", &self.name).field("rule", &self.rule).finish()
    }
}

/// A rule of a policy (S-083).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// `namespace/name`.
    pub policy: Arc<str>,
    /// Position in `rules`; `None`: the policy as a whole (an ALLOW without rules).
    pub rule: Option<usize>,
    /// Where it was written.
    pub origin: Origin,
}

/// An ALLOW rule that did not match, and what it lacked.
/// Ours: what a request lacks is the first question of whoever is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The rule.
    pub rule: Arc<RuleRef>,
    /// The fields that failed; never empty.
    pub lacks: Vec<Lack>,
}

/// A field of a rule that failed.
/// Ours: what is wanted and what is there, beside each other, are what a person compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Its name in the API: `principals`, `paths`, `request.headers[x-user]`.
    pub field: Arc<str>,
    /// What the rule asks for, as written.
    pub wanted: Arc<str>,
    /// What the request or connection had.
    pub got: String,
}

/// An external authorizer that a CUSTOM policy names (S-104, S-111).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAuthz {
    /// Whom to ask, what, and what an answer comes to.
    pub authorizer: Arc<ExternalAuthorizer>,
    /// Provider name of MeshConfig.
    pub provider: Arc<str>,
    /// `namespace/name` of the policy.
    pub policy: Arc<str>,
    /// Asked, but its answer does not count (S-102).
    pub dry_run: bool,
}
