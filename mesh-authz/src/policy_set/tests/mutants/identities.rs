//! Bugs about who calls, and what a token says.

use super::*;

/// Of the list of attacks.
const ODD_IDENTITIES: &str = "T02";

pub(super) fn identities() -> Vec<Mutant> {
    use Bug::{Reads, Sees, Skips};
    let account = |value: &str| allow(source(json!({ "serviceAccounts": [value] })));
    let odd = |bug, change: fn(Call) -> Call, odd: &'static str| {
        mutant(
            if odd.contains('\0') { "24" } else { ODD_IDENTITIES },
            bug,
            Sees(change),
            vec![allow(principals(&["cluster.local/ns/web/sa/front"]))],
            get("/").from(odd),
            false,
        )
    };
    vec![
        mutant(
            "4",
            "dots of a service account are any character",
            Reads(|spec| replaced(&spec, "a.b", "aXb")),
            vec![account("web/a.b")],
            get("/").from("spiffe://cluster.local/ns/web/sa/aXb"),
            false,
        ),
        mutant(
            "5",
            "a suffix never matches on TCP",
            Reads(|spec| replaced(&spec, "*/front", "nobody")),
            vec![deny(principals(&["*/front"]))],
            tcp(),
            false,
        ),
        mutant(
            "6",
            "without an identity no field about it holds",
            Sees(|call| Call { peer: Some(FRONT), ..call }),
            vec![deny(source(json!({ "notPrincipals": ["cluster.local/ns/web/sa/front"] })))],
            tcp().plaintext(),
            false,
        ),
        mutant(
            "T07",
            "plaintext has an empty identity, which a star takes",
            Sees(|call| Call { peer: Some("spiffe://"), ..call }),
            vec![deny(source(json!({ "trustDomains": ["*"] })))],
            get("/").plaintext(),
            true,
        ),
        mutant(
            "37",
            "who comes from the same machine is the workload itself",
            Skips(|call| call.direct_ip.is_loopback()),
            vec![allow(principals(&["*"]))],
            Call { direct_ip: "127.0.0.1".parse().unwrap(), ..get("/").plaintext() },
            false,
        ),
        mutant(
            "29",
            "the physical peer is taken for the client",
            Sees(|call| Call { remote_ip: call.direct_ip, ..call }),
            vec![deny(source(json!({ "remoteIpBlocks": ["203.0.113.0/24"] })))],
            tcp(),
            false,
        ),
        mutant(
            "29",
            "the client is taken for the physical peer",
            Sees(|call| Call { direct_ip: call.remote_ip, ..call }),
            vec![deny(source(json!({ "ipBlocks": ["10.0.0.0/8"] })))],
            tcp(),
            false,
        ),
        mutant(
            "N02",
            "mapped addresses are IPv6",
            Sees(mapped),
            vec![deny(source(json!({ "ipBlocks": ["10.0.0.0/8"] })))],
            Call { direct_ip: "::ffff:10.1.2.3".parse().unwrap(), ..tcp() },
            false,
        ),
        mutant(
            "T08",
            "a trust domain is known by how it begins",
            Sees(|call| peer(call, |peer| peer.replace("cluster.local.evil", "cluster.local"))),
            vec![allow(source(json!({ "trustDomains": ["cluster.local"] })))],
            get("/").from("spiffe://cluster.local.evil/ns/web/sa/front"),
            false,
        ),
        odd(
            "the scheme has no letter case",
            |call| peer(call, |peer| peer.replace("SPIFFE", "spiffe")),
            "SPIFFE://cluster.local/ns/web/sa/front",
        ),
        odd(
            "the trust domain has no letter case",
            |call| peer(call, str::to_ascii_lowercase),
            "spiffe://Cluster.Local/ns/web/sa/front",
        ),
        odd(
            "a NUL ends an identity",
            |call| peer(call, |peer| peer.split('\0').next().unwrap().to_owned()),
            "spiffe://cluster.local/ns/web/sa/front\0.evil",
        ),
        mutant(
            "24",
            "a NUL ends a namespace",
            Sees(|call| peer(call, |peer| peer.replace('\0', ""))),
            vec![allow(source(json!({ "namespaces": ["web"] })))],
            get("/").from("spiffe://cluster.local/ns/web\0/sa/front"),
            false,
        ),
        odd(
            "a slash at the end does not count",
            |call| peer(call, |peer| peer.trim_end_matches('/').to_owned()),
            "spiffe://cluster.local/ns/web/sa/front/",
        ),
        odd(
            "escapes of an identity are decoded",
            |call| peer(call, |peer| peer.replace("%66", "f")),
            "spiffe://cluster.local/ns/web/sa/%66ront",
        ),
        odd(
            "dot segments of an identity are resolved",
            |call| peer(call, |peer| peer.replace("/x/..", "")),
            "spiffe://cluster.local/ns/web/sa/x/../front",
        ),
        odd(
            "a query does not count",
            |call| peer(call, |peer| peer.split('?').next().unwrap().to_owned()),
            "spiffe://cluster.local/ns/web/sa/front?x",
        ),
        odd(
            "a fragment does not count",
            |call| peer(call, |peer| peer.split('#').next().unwrap().to_owned()),
            "spiffe://cluster.local/ns/web/sa/front#x",
        ),
        odd(
            "a port of the trust domain does not count",
            |call| peer(call, |peer| peer.replace(":443", "")),
            "spiffe://cluster.local:443/ns/web/sa/front",
        ),
        odd(
            "a user of the trust domain does not count",
            |call| peer(call, |peer| peer.replace("x@", "")),
            "spiffe://x@cluster.local/ns/web/sa/front",
        ),
        odd(
            "empty segments do not count",
            |call| peer(call, |peer| peer.replace("/ns//", "/ns/")),
            "spiffe://cluster.local/ns//web/sa/front",
        ),
        odd(
            "account and namespace may change places",
            |call| peer(call, |peer| peer.replace("/sa/front/ns/web", "/ns/web/sa/front")),
            "spiffe://cluster.local/sa/front/ns/web",
        ),
    ]
}

pub(super) fn tokens() -> Vec<Mutant> {
    use Bug::{Reads, Sees};
    let claim = |value: Value| get("/").token(json!({ "iss": "i", "sub": "s", "role": value }));
    let wants = || when("request.auth.claims[role]", &["admin"], &[]);
    vec![
        mutant(
            "J10",
            "a list of claims is one text",
            Sees(|mut call| {
                let claims = call.claims.as_mut().unwrap();
                claims["role"] = json!(claims["role"].to_string());
                call
            }),
            vec![deny(wants())],
            claim(json!(["user", "admin"])),
            false,
        ),
        mutant(
            "J10",
            "numbers and booleans are texts",
            Sees(|mut call| {
                let claims = call.claims.as_mut().unwrap();
                claims["role"] = json!(claims["role"].to_string());
                call
            }),
            vec![allow(when("request.auth.claims[role]", &["true"], &[]))],
            claim(json!(true)),
            false,
        ),
        mutant(
            "43",
            "nested claims are found by their last name",
            Sees(|mut call| {
                let claims = call.claims.as_mut().unwrap();
                claims["role"] = claims["nested"]["role"].clone();
                call
            }),
            vec![allow(wants())],
            get("/").token(json!({ "iss": "i", "sub": "s", "nested": { "role": "admin" } })),
            false,
        ),
        mutant(
            "J08",
            "no token is a token of anybody",
            Sees(|call| call.token(json!({ "iss": "i", "sub": "s" }))),
            vec![allow(source(json!({ "requestPrincipals": ["*"] })))],
            get("/"),
            false,
        ),
        mutant(
            "J10",
            "a claim's name ends at its dot",
            Reads(|spec| replaced(&spec, "a.b", "a")),
            vec![allow(when("request.auth.claims[a.b]", &["x"], &[]))],
            get("/").token(json!({ "iss": "i", "sub": "s", "a": "x" })),
            false,
        ),
    ]
}
