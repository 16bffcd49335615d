//! Policies alone, without a mesh around them (`cargo add mesh-authz`): `cargo run --example 03_authorize`

use mesh::authz::policy_set::{PolicyOptions, PolicySet, Protocol, applicable};
use mesh::authz::verdict::Facts;
use mesh::model::config_set::{Change, ConfigSet};
use mesh::model::name::StringMap;
use mesh::model::yaml::{LoadOptions, load};
use mesh::{Headers, HttpVersion, RequestFacts};

const YAML: &str = "\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
    to: [{operation: {methods: [GET], paths: [/reviews/*]}}]
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ConfigSet::new();
    let loaded = load("policies.yaml", YAML, &LoadOptions::default());
    config.apply(loaded.documents.into_iter().map(Change::Upsert));

    // The policies that apply to a workload, compiled once.
    let labels = StringMap::from([("app", "reviews")]);
    let policies = applicable(config.authorization_policies.in_effect(), "istio-system", "shop", &labels);
    let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
    let (set, _) = PolicySet::compile(&policies, Protocol::Http, &options);
    let set = set.ok_or("no policy: everything is allowed")?;

    for (account, method) in [("web", "GET"), ("web", "DELETE"), ("ads", "GET")] {
        let peer = format!("spiffe://cluster.local/ns/shop/sa/{account}");
        let request = RequestFacts {
            version: HttpVersion::Http2,
            method: method.into(),
            scheme: "http".into(),
            authority: "reviews:9080".into(),
            path: "/reviews/7".into(),
            headers: Headers::default(),
        };
        let facts = Facts {
            direct_ip: "10.0.1.10".parse()?,
            remote_ip: "10.0.1.10".parse()?,
            dst_ip: "10.0.1.21".parse()?,
            dst_port: 9080,
            sni: None,
            peer: Some(&peer),
            request: Some(&request),
            claims: None,
        };
        let verdict = set.decide(&facts, &mut ());
        let rule =
            verdict.decided_by.map_or("no rule allows it".to_owned(), |rule| rule.origin().to_string());
        println!("{account} {method}: {} ({rule})", if verdict.allowed { "allowed" } else { "denied" });
    }
    Ok(())
}
