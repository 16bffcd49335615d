//! VirtualServices in route tables (T-105, T-415 to T-422).

use super::*;

fn table(servers_of_web: &[&str], services: &[String]) -> Vec<String> {
    let yaml = service("shop", "cart") + &service("shop", "b") + &servers("web", 1, servers_of_web);
    tables(&compiled(&(yaml + &services.concat())).0)
}

fn http(hosts: &str, more: &str) -> String {
    server(80, "http", "HTTP", hosts, more)
}

#[test]
fn t_105_routes_of_one_domain_are_joined_and_catch_alls_move_to_the_end() {
    let prefixed = |name: &str, path: &str| {
        let to = "route: [{destination: {host: cart.shop.svc.cluster.local}}]";
        format!("http: [{{name: {name}, match: [{{uri: {{prefix: {path}}}}}], {to}}}]")
    };
    let services = [
        bound("first", 1, "a.com", &http_to("cart")),
        bound("second", 2, "a.com", &prefixed("second", "/b")),
        bound("third", 3, "a.com", &prefixed("third", "/c")),
    ];
    assert_eq!(table(&[&http("\"*\"", "")], &services), ["http.80 a.com>second+third+cart"]);
}

#[test]
fn t_415_a_namespace_before_a_host_admits_that_namespace_only() {
    let service = [bound("a", 1, "a.com", &http_to("cart"))];
    assert_eq!(table(&[&http("shop/a.com", "")], &service), ["http.80 a.com>cart"]);
    assert_eq!(table(&[&http("\"*/*\"", "")], &service), ["http.80 a.com>cart"]);
    assert_eq!(table(&[&http("./a.com", "")], &service), ["http.80 *>"]);
}

#[test]
fn t_416_the_narrower_host_is_the_domain() {
    let of =
        |server: &str, hosts: &str| table(&[&http(server, "")], &[bound("a", 1, hosts, &http_to("cart"))]);
    assert_eq!(of("\"*.com\"", "a.com"), ["http.80 a.com>cart"]);
    assert_eq!(of("\"*.x.com\"", "\"*\""), ["http.80 *.x.com>cart"]);
    assert_eq!(of("\"*\"", "\"*\""), ["http.80 *>cart"]);
    // E-030: written case counts when hosts are paired, not in the domain.
    assert_eq!(of("A.com", "A.com"), ["http.80 a.com>cart"]);
    assert_eq!(of("A.com", "a.com"), ["http.80 *>"]);
}

#[test]
fn t_418_the_first_server_compiles_the_routes_of_all() {
    let on_port = "http: [{name: r, match: [{port: 8081}], redirect: {uri: /x}}]";
    let of = |first: u16, second: u16| {
        let named = |number: u16, name: &str| server(number, name, "HTTP", "\"*\"", "");
        let own = "---\napiVersion: v1\nkind: Service\nmetadata: {name: gw, namespace: edge}\nspec: {clusterIP: 10.0.0.9, \
                   selector: {app: gw}, ports: [{name: a, port: 80, targetPort: 8081}]}\n";
        let yaml = servers("web", 1, &[&named(first, "one"), &named(second, "two")]);
        tables(&compiled(&(own.to_owned() + &yaml + &bound("a", 1, "a.com", on_port))).0)
    };
    // Routes that no match fits are not remembered: the next server tries with its own number.
    assert_eq!(of(80, 8081), ["http.8081 a.com>r"]);
    assert_eq!(of(8081, 80), ["http.8081 a.com>r+r"]);
}

#[test]
fn t_419_a_table_without_virtual_hosts_answers_404() {
    assert_eq!(table(&[&http("a.com", "")], &[]), ["http.80 *>"]);
}

#[test]
fn t_420_l4_routes_add_nothing_to_tables() {
    assert_eq!(table(&[&http("\"*\"", "")], &[bound("a", 1, "a.com", &tcp_to("cart"))]), ["http.80 *>"]);
}

#[test]
fn t_422_redirecting_servers_redirect_also_hosts_without_routes() {
    let redirect = ", tls: {httpsRedirect: true}";
    let services = [bound("a", 1, "a.com", &http_to("cart"))];
    assert_eq!(
        table(&[&http("a.com, b.com", redirect)], &services),
        ["http.80 a.com!>cart", "http.80 b.com!>"]
    );
    // The namespace stays in the domain, so that it matches no host.
    assert_eq!(table(&[&http("./b.com", redirect)], &services), ["http.80 edge/b.com!>"]);
}

#[test]
fn t_422_one_redirecting_server_makes_a_shared_domain_redirect() {
    let plain = server(80, "plain", "HTTP", "\"*.com\"", "");
    let services = [bound("a", 1, "a.com, b.com", &http_to("cart"))];
    let redirecting = http("a.com", ", tls: {httpsRedirect: true}");
    assert_eq!(table(&[&plain, &redirecting], &services), ["http.80 a.com!>cart+cart", "http.80 b.com>cart"]);
}

#[test]
fn e_062_a_redirecting_server_is_a_tls_server_to_redirects() {
    let redirect = bound("a", 1, "a.com", "http: [{name: r, redirect: {port: 443}}]");
    let port = |more: &str| {
        let yaml = servers("web", 1, &[&http("a.com", more)]) + &redirect;
        let (fragment, _) = compiled(&yaml);
        match &fragment.route_tables[0].virtual_hosts[0].routes[0].action {
            crate::route_table::action::RouteAction::Redirect(redirect) => redirect.port,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(port(", tls: {httpsRedirect: true}"), None);
    assert_eq!(port(""), Some(443));
}

#[test]
fn t_561_services_that_are_not_exported_to_the_gateway_are_not_bound() {
    let private = bound("a", 1, "a.com", &format!("{}, exportTo: [.]", http_to("cart")));
    assert_eq!(table(&[&http("\"*\"", "")], &[private]), ["http.80 *>"]);
}
