//! Sources (S-131 to S-138, S-153).

use super::{Checker, Path, Problem, text};
use crate::check::Checked;
use crate::security::authorization_policy::spec::{Action, Source};

/// Service accounts that one list may hold.
const SERVICE_ACCOUNTS_MAX: usize = 16;

/// Checks a source; says whether it looks at anything that a TCP connection has.
pub(super) fn source(found: &mut Checker<'_>, at: &Path<'_>, source: &Source, action: Action) -> bool {
    let lists = fields(source);
    let is_written =
        |wanted: &[Kind]| lists.iter().any(|field| wanted.contains(&field.kind) && !field.values.is_empty());
    found.require(lists.iter().any(|field| !field.values.is_empty()), at, || {
        Problem::missing("a source needs at least one field").help("write a field, or remove the entry")
    });
    // The rule of the schema asks whether a list is there, not whether it has entries.
    let is_empty_list = |field: &Field<'_>| found.is_written_empty(&at.field(field.name));
    let is_there = |wanted: &[Kind]| {
        is_written(wanted) || lists.iter().any(|field| wanted.contains(&field.kind) && is_empty_list(field))
    };
    let excludes = is_there(&[Kind::ServiceAccount]) && is_there(&[Kind::Principal, Kind::Namespace]);
    found.require(!excludes, at, || {
        Problem::conflict("service accounts exclude `principals` and `namespaces` in one source")
            .help("an account is of one namespace already: `NAMESPACE/NAME`")
    });
    for field in &lists {
        let at = at.field(field.name);
        found.each(&at, field.values, field.kind.check());
        if field.kind == Kind::ServiceAccount {
            found.at_most(&at, field.values.len(), SERVICE_ACCOUNTS_MAX);
        }
        let is_identity = field.kind != Kind::Address;
        found.require(action != Action::Custom || !is_identity || field.values.is_empty(), &at, || {
            Problem::conflict(format!("action `CUSTOM` does not support `{}`", field.name)).help("who the client is is not known when the external authorizer is asked: test it in a policy of its own")
        });
    }
    is_written(&[Kind::Principal, Kind::Namespace, Kind::ServiceAccount, Kind::Address])
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Principal,
    RequestPrincipal,
    Namespace,
    ServiceAccount,
    TrustDomain,
    Address,
}

impl Kind {
    fn check(self) -> fn(&str) -> Checked {
        match self {
            Self::Principal | Self::RequestPrincipal | Self::Namespace => text::not_empty,
            Self::ServiceAccount => text::service_account,
            Self::TrustDomain => text::trust_domain,
            Self::Address => text::address,
        }
    }
}

struct Field<'s> {
    name: &'static str,
    kind: Kind,
    values: &'s [String],
}

/// Every list of a source.
fn fields(source: &Source) -> [Field<'_>; 14] {
    let Source {
        principals,
        not_principals,
        request_principals,
        not_request_principals,
        namespaces,
        not_namespaces,
        service_accounts,
        not_service_accounts,
        trust_domains,
        not_trust_domains,
        ip_blocks,
        not_ip_blocks,
        remote_ip_blocks,
        not_remote_ip_blocks,
    } = source;
    [
        ("principals", Kind::Principal, principals),
        ("notPrincipals", Kind::Principal, not_principals),
        ("requestPrincipals", Kind::RequestPrincipal, request_principals),
        ("notRequestPrincipals", Kind::RequestPrincipal, not_request_principals),
        ("namespaces", Kind::Namespace, namespaces),
        ("notNamespaces", Kind::Namespace, not_namespaces),
        ("serviceAccounts", Kind::ServiceAccount, service_accounts),
        ("notServiceAccounts", Kind::ServiceAccount, not_service_accounts),
        ("trustDomains", Kind::TrustDomain, trust_domains),
        ("notTrustDomains", Kind::TrustDomain, not_trust_domains),
        ("ipBlocks", Kind::Address, ip_blocks),
        ("notIpBlocks", Kind::Address, not_ip_blocks),
        ("remoteIpBlocks", Kind::Address, remote_ip_blocks),
        ("notRemoteIpBlocks", Kind::Address, not_remote_ip_blocks),
    ]
    .map(|(name, kind, values)| Field { name, kind, values })
}
