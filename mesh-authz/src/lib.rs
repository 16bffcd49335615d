//! May this happen, and why: PeerAuthentication, RequestAuthentication and AuthorizationPolicy, exactly as Istio and Envoy
//! decide them.
//!
//! Usable alone: objects in, compiled once for a workload, asked per connection or request with an
//! [`Observer`](mesh_model::trace::Observer) that hears the reasons.
//!
//! | question | asked of |
//! |---|---|
//! | which ports of a workload accept plaintext, which want mutual TLS? | [`peer::PeerModes`] |
//! | is the token of this request good, and what does it say? | [`request_authn::RequestAuthn`] |
//! | do the policies let this request or connection pass? | [`policy_set::PolicySet`] |
//!
//! # A policy
//!
//! ```
//! use mesh_model::name::StringMap;
//!
//! use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol, applicable};
//! use mesh_authz::verdict::Facts;
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{
//!   "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
//!   "metadata": {"name": "web-only", "namespace": "shop"},
//!   "spec": {"rules": [{"from": [{"source": {"principals": ["cluster.local/ns/shop/sa/web"]}}]}]}
//! }"#;
//! let mut config = ConfigSet::new();
//! let loaded = load("policy.json", text, &LoadOptions::default());
//! config.apply(loaded.documents.into_iter().map(Change::Upsert));
//!
//! // The policies of a workload, by its namespace and labels.
//! let labels = StringMap::new();
//! let policies = applicable(config.authorization_policies.in_effect(), "istio-system", "shop", &labels);
//! let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
//! let (set, report) = PolicySet::compile(&policies, Protocol::Tcp, &options);
//! assert!(report.is_empty());
//! let set = set.ok_or("no policies: everything may pass")?;
//!
//! let facts = |peer| Facts {
//!     direct_ip: [10, 0, 1, 10].into(),
//!     remote_ip: [10, 0, 1, 10].into(),
//!     dst_ip: [10, 0, 1, 21].into(),
//!     dst_port: 9080,
//!     sni: None,
//!     peer: Some(peer),
//!     request: None,
//!     claims: None,
//! };
//! let verdict = set.decide(&facts("spiffe://cluster.local/ns/shop/sa/web"), &mut ());
//! assert!(verdict.allowed);
//! assert_eq!(verdict.decided_by.ok_or("nobody")?.origin().field(), "spec.rules[0]");
//! assert!(!set.decide(&facts("spiffe://cluster.local/ns/shop/sa/ads"), &mut ()).allowed);
//!
//! // The same question with a listener tells why.
//! let mut trace = mesh_model::trace::Trace::default();
//! set.decide(&facts("spiffe://cluster.local/ns/shop/sa/ads"), &mut trace);
//! let because = trace.steps.iter().find_map(|step| step.because.as_ref()).ok_or("no reason")?;
//! assert!(because.wanted.contains("sa/web"));
//! # Ok::<(), &str>(())
//! ```
//!
//! # A policy that reads a token
//!
//! RequestAuthentication judges tokens; what an accepted one says is what policies see. A token that is not accepted is
//! answered with a status and Envoy's words; no token at all is for policies to refuse (S-264).
//!
//! ```
//! use mesh_model::name::StringMap;
//!
//! use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol, applicable};
//! use mesh_authz::request_authn::{self, Authenticated, AuthnOptions, RequestAuthn};
//! use mesh_authz::verdict::Facts;
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"
//! apiVersion: security.istio.io/v1
//! kind: RequestAuthentication
//! metadata: {name: tokens, namespace: shop}
//! spec:
//!   jwtRules:
//!   - issuer: https://login.example.com
//!     jwks: '{"keys": [{"kty": "oct", "k": "YSBzZWNyZXQgZm9yIHRoaXMgcGFnZSBvbmx5"}]}'
//! ---
//! apiVersion: security.istio.io/v1
//! kind: AuthorizationPolicy
//! metadata: {name: admins, namespace: shop}
//! spec:
//!   rules:
//!   - from: [{source: {requestPrincipals: ["https://login.example.com/*"]}}]
//!     to: [{operation: {paths: ["/admin/*"]}}]
//!     when: [{key: "request.auth.claims[groups]", values: [admins]}]
//! "#;
//! let mut config = ConfigSet::new();
//! config.apply(load("shop.yaml", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
//! let labels = StringMap::new();
//! let rules = request_authn::applicable(config.request_authentications.in_effect(), "istio-system", "shop", &labels);
//! let (authn, _) = RequestAuthn::compile(&rules, &AuthnOptions::default());
//! let policies = applicable(config.authorization_policies.in_effect(), "istio-system", "shop", &labels);
//! let (set, _) = PolicySet::compile(&policies, Protocol::Http, &PolicyOptions::default());
//! let (authn, set) = authn.zip(set).ok_or("nothing applies")?;
//!
//! let token = "eyJhbGciOiJIUzI1NiJ9.\
//!              eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYWxpY2UiLCJncm91cHMiOlsiYWRtaW5zIl19.\
//!              ckv0cMB5_2Ya2c4lKmFq46Vw28DeY4KA1SsyTLQ8CVo";
//! let mut headers = Headers::default();
//! headers.push("authorization", format!("Bearer {token}").into_bytes());
//! let mut request = RequestFacts {
//!     version: HttpVersion::Http11,
//!     method: "GET".into(),
//!     scheme: "http".into(),
//!     authority: "shop".into(),
//!     path: "/admin/users".into(),
//!     headers,
//! };
//! let Authenticated::Passed { claims, changes } = authn.authenticate(&request, 1_800_000_000, &mut ()) else {
//!     return Err("refused");
//! };
//! // The token does not travel on (S-272).
//! changes.iter().for_each(|change| change.apply(&mut request));
//! assert!(!request.headers.contains("authorization"));
//!
//! let mut facts = Facts {
//!     direct_ip: [10, 0, 1, 10].into(),
//!     remote_ip: [10, 0, 1, 10].into(),
//!     dst_ip: [10, 0, 1, 21].into(),
//!     dst_port: 8080,
//!     sni: None,
//!     peer: None,
//!     request: Some(&request),
//!     claims: claims.as_deref(),
//! };
//! assert!(set.decide(&facts, &mut ()).allowed);
//!
//! // Without the token nothing allows it, and the nearest rule says what it lacked.
//! facts.claims = None;
//! assert!(!set.decide(&facts, &mut ()).allowed);
//! let near = set.nearest_allow(&facts).ok_or("no rule at all")?;
//! let lacks: Vec<&str> = near.lacks.iter().map(|lack| &*lack.field).collect();
//! assert_eq!((&*near.rule.policy, lacks), ("shop/admins", vec!["requestPrincipals", "request.auth.claims[groups]"]));
//! # Ok::<(), &str>(())
//! ```
//!
//! # Keys that are fetched, and what else a proxy asks
//!
//! Nothing here opens a socket or looks at a clock: a [`JwksStore`](jwks_store::JwksStore) says what to fetch and when,
//! and keeps what was good. An [`ExternalAuthorizer`](external_authorizer::ExternalAuthorizer) says what to send and
//! what an answer comes to.
//!
//! ```
//! use mesh_model::name::StringMap;
//!
//! use mesh_authz::jwks_store::{Answered, FetchProblem, JwksStore};
//! use mesh_authz::peer::{Mode, PeerModes};
//! use mesh_authz::profile::Profile;
//! use mesh_authz::request_authn::{AuthnOptions, RequestAuthn, applicable};
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = "
//! apiVersion: security.istio.io/v1
//! kind: PeerAuthentication
//! metadata: {name: default, namespace: shop}
//! spec: {mtls: {mode: STRICT}}
//! ---
//! apiVersion: security.istio.io/v1
//! kind: RequestAuthentication
//! metadata: {name: tokens, namespace: shop}
//! spec:
//!   jwtRules:
//!   - {issuer: 'https://login.example.com', jwksUri: 'https://login.example.com/keys', timeout: 2s}
//! ";
//! let mut config = ConfigSet::new();
//! config.apply(load("shop.yaml", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
//! let labels = StringMap::new();
//!
//! // What may arrive on a port, and which field says so.
//! let peers = config.peer_authentications.in_effect().map(|object| &**object);
//! let modes = PeerModes::resolve(peers, "istio-system", "shop", &labels);
//! let mode = modes.for_port(8080);
//! assert_eq!((*mode.value(), mode.origin().field()), (Mode::Strict, "spec.mtls.mode"));
//!
//! // Token rules want keys; until there are some, every token is refused.
//! let rules = applicable(config.request_authentications.in_effect(), "istio-system", "shop", &labels);
//! let options = AuthnOptions { profile: Profile::Hardened, ..AuthnOptions::default() };
//! let authn = RequestAuthn::compile(&rules, &options).0.ok_or("no rules")?;
//! let mut store = JwksStore::default();
//! store.want(authn.remote_keys(), 0);
//! let fetch = store.due(0).pop().ok_or("nothing to fetch")?;
//! assert_eq!((&*fetch.url, fetch.timeout_ms), ("https://login.example.com/keys", 2_000));
//!
//! // The answer was garbage: nothing changes, and the next try is a minute away.
//! let answer = store.answered(&fetch.issuer, &fetch.jwks_uri, Ok(b"<html>"), 10);
//! assert_eq!(answer, Answered::Kept(FetchProblem::NoKeys));
//! assert_eq!(store.next_due(), Some(60_010));
//! // After a good one: `authn.with_keys(&store)`.
//! # Ok::<(), &str>(())
//! ```
//!
//! # Where Istio's reading is not the safest
//!
//! [`profile::Profile`] lists where the `hardened` profile reads otherwise; [`differences`] tells which objects that
//! concerns. Who is selected by `targetRefs` to Services at a waypoint: [`selection::Workload`].
//!
//! # Fail closed
//!
//! What cannot be understood never grants: an ALLOW rule with an unusable field matches nothing, a field that means
//! nothing on TCP takes its ALLOW rule with it, a token whose keys cannot be had is refused.
//!
//! The same holds for objects that cannot be read at all and have no good version.
//! [`Store::in_effect`](mesh_model::config_set::Store::in_effect), which the examples above go by, has something in their
//! place that refuses: a policy that denies everything ([`RuleAt::is_refused`](verdict::RuleAt::is_refused)), `STRICT` on
//! every port, token rules that refuse every request
//! ([`RequestAuthn::refused`](request_authn::RequestAuthn::refused)). `Store::iter` has only what was written.
//!
//! # Features
//!
//! `jwt` (default): signatures are verified, with `aws-lc-rs`.
//!
//! # Where a field's rule is
//!
#![doc = include_str!("fields.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod address_set;
mod byte_places;
mod claims;
pub mod differences;
pub mod external_authorizer;
pub mod jwks_store;
mod jwt;
mod pattern;
pub mod peer;
pub mod policy_set;
pub mod profile;
pub mod request_authn;
mod request_header;
pub mod selection;
mod short_text;
pub mod verdict;
