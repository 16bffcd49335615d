//! Where does a request of the shop's web tier go? `cargo run --example 02_route_a_request`

use mesh::{Action, ConnectionFacts, Direction, Headers, HttpVersion, Mesh, Query, RequestFacts, decide};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mesh, _) = Mesh::from_dir("examples/shop")?;
    let web = mesh.sidecar("shop", "web-0").ok_or("no such Pod")?;
    let (config, _) = mesh.proxy_config(&web);

    for user in ["jason", "maria"] {
        let mut headers = Headers::default();
        headers.push("end-user", user.as_bytes());
        let query = Query {
            direction: Direction::Outbound,
            connection: ConnectionFacts {
                src_ip: "10.0.1.10".parse()?,
                dst_ip: "10.96.0.20".parse()?, // what DNS says of `reviews`
                dst_port: 9080,
                tls: None,
                proxied_ip: None,
            },
            request: Some(RequestFacts {
                version: HttpVersion::Http11,
                method: "GET".into(),
                scheme: "http".into(),
                authority: "reviews:9080".into(),
                path: "/reviews/7".into(),
                headers,
            }),
            now: 0, // the time, for tokens: there is none here
        };

        // `&mut ()`: nobody listens, so no steps are built. See `04_explain` for the reasons.
        let decision = decide(&config, &query, &mut ());
        let Action::Forward(forward) = &decision.action else {
            return Err(format!("not forwarded: {decision:?}").into());
        };
        println!("{user}:");
        for choice in &forward.clusters {
            println!("  {:>3} of {}", choice.weight, choice.cluster);
        }
        if let Some(http) = &forward.http {
            let retries = http.retries.as_ref().map_or(0, |retries| retries.attempts);
            println!("  timeout {} ms (0: none), {retries} retries", http.timeout_ms);
        }
    }
    Ok(())
}
