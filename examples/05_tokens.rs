//! Who may write a review? A token of the shop's login, checked and then judged: `cargo run --example 05_tokens`

use mesh::{
    Action, ConnectionFacts, Direction, Headers, HttpVersion, Mesh, Query, RequestFacts, TlsFacts, decide,
};

/// 1 July 2026 and 1 January 2100, in seconds since 1970: the caller says what time it is.
const DAYS: [(&str, i64); 2] = [("2026", 1_782_864_000), ("2100", 4_102_444_800)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mesh, _) = Mesh::from_dir("examples/shop")?;
    let reviews = mesh.sidecar("shop", "reviews-v1-0").ok_or("no such Pod")?;
    let (config, _) = mesh.proxy_config(&reviews);
    let token = std::fs::read_to_string("examples/shop/alice.jwt")?;
    let token = token.trim();
    // The same claims under a signature that is not theirs.
    let (claims, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let forged = format!("{claims}.{}", signature.chars().rev().collect::<String>());

    for (what, token) in [("no token", None), ("alice", Some(token)), ("a forged token", Some(&*forged))] {
        for (year, now) in DAYS {
            let mut headers = Headers::default();
            if let Some(token) = token {
                headers.push("authorization", format!("Bearer {token}").into_bytes());
            }
            let query = Query {
                direction: Direction::Inbound,
                connection: ConnectionFacts {
                    src_ip: "10.0.1.10".parse()?,
                    dst_ip: "10.0.1.21".parse()?,
                    dst_port: 9080,
                    tls: Some(TlsFacts {
                        sni: None,
                        alpn: vec!["istio".into()],
                        peer: Some("spiffe://cluster.local/ns/shop/sa/web".into()),
                    }),
                    proxied_ip: None,
                },
                request: Some(RequestFacts {
                    version: HttpVersion::Http11,
                    method: "POST".into(),
                    scheme: "http".into(),
                    authority: "reviews:9080".into(),
                    path: "/reviews/7".into(),
                    headers,
                }),
                now,
            };
            match decide(&config, &query, &mut ()).action {
                Action::Forward(_) => println!("{what}, {year}: passes"),
                Action::LocalReply(reply) => {
                    println!("{what}, {year}: {} {}", reply.status, reply.body.as_deref().unwrap_or(""));
                }
                Action::Refuse(reason) => println!("{what}, {year}: refused, {}", reason.as_str()),
            }
        }
    }
    Ok(())
}
