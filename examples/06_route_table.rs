//! The compiled route table alone, without documents or proxies: `cargo run --example 06_route_table`

use mesh::compile::route_table::action::{DirectResponse, HeaderOps, RouteAction};
use mesh::compile::route_table::matcher::{Case, PathMatch, RouteMatch};
use mesh::compile::route_table::pattern::Pattern;
use mesh::compile::route_table::{Route, RouteTable, VirtualHost, linear};
use mesh::model::origin::Origin;
use mesh::{Headers, HttpVersion, RequestFacts};

fn route(name: &str, path: PathMatch) -> Route {
    Route {
        name: name.into(),
        matcher: RouteMatch::path(path),
        action: RouteAction::Respond(DirectResponse { status: 200, body: None }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: Origin::built_in("this lesson"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Order is meaning: the first route that matches wins, not the longest.
    let routes = vec![
        route("health", PathMatch::Exact("/healthz".into(), Case::Sensitive)),
        route("report", PathMatch::Regex(Pattern::full_match("/reports/[0-9]{4}")?)),
        route("api", PathMatch::Prefix("/api/".into(), Case::Sensitive)),
        route("never", PathMatch::Prefix("/api/v2/".into(), Case::Sensitive)),
        route("rest", PathMatch::Prefix("/".into(), Case::Sensitive)),
    ];
    let origin = Origin::built_in("this lesson");
    let domains = vec!["shop.example.com".into(), "*.shop.example.com".into()];
    let host = VirtualHost::new("shop", domains, false, routes, origin);
    let table = RouteTable::new("80", vec![host]);

    for url in [
        ("shop.example.com", "/healthz"),
        ("shop.example.com", "/reports/2026?page=2"),
        ("www.shop.example.com", "/api/v2/users"),
        ("www.shop.example.com", "/about"),
        ("example.org", "/"),
    ] {
        let (authority, path) = url;
        let request = RequestFacts {
            version: HttpVersion::Http11,
            method: "GET".into(),
            scheme: "http".into(),
            authority: authority.into(),
            path: path.into(),
            headers: Headers::default(),
        };
        let Some(host) = table.virtual_host(authority) else {
            println!("{authority}{path}: no virtual host");
            continue;
        };
        let found = host.find(&request, None, &mut ());
        // The readable oracle gives the same answer by looking at each route in turn.
        let slowly = linear::find(host, &request, None);
        assert_eq!(found.map(|route| &route.name), slowly.map(|route| &route.name));
        println!("{authority}{path}: {}", found.map_or("no route", |route| &route.name));
    }
    Ok(())
}
