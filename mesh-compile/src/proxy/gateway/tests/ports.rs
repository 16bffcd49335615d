//! Ports, binds and the merging of servers (T-404 to T-413).

use super::*;

const TLS: &str = ", tls: {mode: SIMPLE, credentialName: c}";

/// A Service of the gateway itself.
fn own_service(minute: u32, name: &str, port: u16, target: u16, labels: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: edge, labels: {{{labels}}}, \
         creationTimestamp: \"2024-01-01T00:{minute:02}:00Z\"}}\n\
         spec: {{clusterIP: 10.0.0.1, selector: {{app: gw}}, ports: [{{name: p, port: {port}, targetPort: {target}}}]}}\n"
    )
}

#[test]
fn t_404_the_service_port_of_the_oldest_service_leads_to_its_target_port() {
    let web = servers("web", 1, &[&server(80, "http", "HTTP", "a.com", "")]);
    let yaml = own_service(2, "a", 80, 9090, "") + &own_service(1, "b", 80, 8080, "") + &web;
    assert_eq!(chains(&compiled(&yaml).0), ["0.0.0.0_8080 >http.8080"]);
    let opted_out =
        own_service(1, "b", 80, 8080, "experimental.istio.io/disable-gateway-port-translation: \"true\"");
    assert_eq!(chains(&compiled(&(opted_out + &web)).0), ["0.0.0.0_80 >http.80"]);
}

#[test]
fn t_404_servers_that_land_on_one_port_are_merged() {
    let yaml = own_service(1, "gw", 80, 8080, "")
        + &servers(
            "web",
            1,
            &[&server(80, "a", "HTTP", "a.com", ""), &server(8080, "b", "HTTP", "b.com", "")],
        )
        + &bound("a", 1, "a.com, b.com", &http_to("cart"));
    let (fragment, _) = compiled(&yaml);
    assert_eq!(chains(&fragment), ["0.0.0.0_8080 >http.8080"]);
    assert_eq!(tables(&fragment), ["http.8080 a.com,b.com>cart"]);
}

#[test]
fn t_405_an_unprivileged_proxy_does_not_listen_below_1024() {
    let yaml =
        servers("web", 1, &[&server(80, "a", "HTTP", "a.com", ""), &server(8080, "b", "HTTP", "a.com", "")]);
    assert_eq!(compiled(&yaml).0.listeners.len(), 2);
    let mut proxy = edge();
    proxy.metadata.insert("UNPRIVILEGED_POD".to_owned(), "true".to_owned());
    let (fragment, report) = compiled_for(&proxy, "{}", &yaml);
    assert_eq!(chains(&fragment), ["0.0.0.0_8080 >http.8080"]);
    assert_eq!(rejected(&report), ["spec.servers[0]"]);
}

#[test]
fn t_405_a_bind_address_has_a_listener_of_its_own() {
    let yaml = servers(
        "web",
        1,
        &[
            &server(80, "a", "HTTP", "a.com", ", bind: 10.0.0.1"),
            &server(80, "b", "HTTP", "b.com", ""),
            &server(80, "c", "TCP", "c.com", ", bind: 10.0.0.2"),
        ],
    ) + &bound("t", 1, "c.com", &tcp_to("cart"));
    let (fragment, report) = compiled(&yaml);
    assert_eq!(
        chains(&fragment),
        [
            "0.0.0.0_80 >http.80",
            "10.0.0.1_80 >http.80.10.0.0.1",
            "10.0.0.2_80 >outbound|80||cart.shop.svc.cluster.local*100",
        ]
    );
    assert!(rejected(&report).is_empty());
}

/// Whether a server of protocol and TLS `second` is rejected on a port that the older `first` has.
fn rejected_second(first: (&str, &str), second: (&str, &str)) -> bool {
    let yaml = servers("old", 1, &[&server(8443, "a", first.0, "a.com", first.1)])
        + &servers("new", 2, &[&server(8443, "b", second.0, "b.com", second.1)]);
    !rejected(&compiled(&yaml).1).is_empty()
}

#[test]
fn t_411_the_first_server_of_a_port_decides_who_may_join() {
    let (http, grpc, tcp) = (("HTTP", ""), ("GRPC", ""), ("TCP", ""));
    let (https, opaque) = (("HTTPS", TLS), ("TLS", ", tls: {mode: PASSTHROUGH}"));
    for (first, second, is_rejected) in [
        (http, http, false),
        (http, grpc, false),
        (http, tcp, true),
        (http, https, true),
        (http, opaque, true),
        (tcp, http, true),
        (tcp, tcp, true),
        (tcp, https, true),
        (https, http, false),
        (https, tcp, false),
        (https, https, false),
        (https, opaque, false),
        (opaque, https, false),
    ] {
        assert_eq!(rejected_second(first, second), is_rejected, "{first:?} then {second:?}");
    }
}

#[test]
fn t_411_a_rejection_names_the_holder_of_the_port() {
    let yaml = servers("old", 1, &[&server(80, "a", "TCP", "a.com", "")])
        + &servers("new", 2, &[&server(80, "b", "HTTP", "b.com", "")]);
    let (_, report) = compiled(&yaml);
    let found = report.iter().find(|found| found.code == Code::ServerRejected).expect("a rejection");
    assert_eq!(found.message, "protocol `HTTP` cannot share port 80 with plaintext `TCP`");
    assert!(found.help.as_deref().unwrap_or_default().contains("Gateway edge/old spec.servers[0]"));
}

#[test]
fn t_412_a_host_with_tls_is_served_once_per_port_and_bind() {
    let second = |hosts: &str, more: &str| {
        let yaml = servers("old", 1, &[&server(443, "a", "HTTPS", "a.com, b.com", TLS)])
            + &servers("new", 2, &[&server(443, "b", "HTTPS", hosts, &format!("{TLS}{more}"))]);
        rejected(&compiled(&yaml).1)
    };
    assert_eq!(second("c.com, b.com", ""), ["spec.servers[0]"]);
    // The data plane refuses two chains of one server name, whatever namespace or case was written.
    assert_eq!(second("shop/a.com", ""), ["spec.servers[0]"]);
    assert_eq!(second("A.com", ""), ["spec.servers[0]"]);
    assert!(second("\"*.com\"", "").is_empty());
    assert!(second("a.com", ", bind: 10.0.0.1").is_empty());
}

#[test]
fn t_412_a_second_redirecting_server_with_the_same_host_is_skipped() {
    let redirect = ", tls: {httpsRedirect: true}";
    let yaml = servers("old", 1, &[&server(80, "a", "HTTP", "a.com", redirect)])
        + &servers("new", 2, &[&server(80, "b", "HTTP", "a.com", redirect)]);
    assert_eq!(rejected(&compiled(&yaml).1), ["spec.servers[0]"]);
}

#[test]
fn t_413_tables_are_named_by_listener_port_or_by_server() {
    let yaml = own_service(1, "gw", 443, 8443, "")
        + &servers(
            "web",
            1,
            &[
                &server(443, "one", "HTTPS", "a.com", TLS),
                &server(443, "two", "HTTPS", "b.com", TLS),
                &server(80, "http", "HTTP2", "b.com", ", bind: 10.0.0.1"),
            ],
        );
    assert_eq!(
        chains(&compiled(&yaml).0),
        [
            "0.0.0.0_8443 tls a.com>https.443.one.web.edge",
            "0.0.0.0_8443 tls b.com>https.443.two.web.edge",
            "10.0.0.1_80 >http.80.10.0.0.1",
        ]
    );
}

#[test]
fn a_chain_with_the_conditions_of_an_earlier_one_is_left_out() {
    let yaml = servers("old", 1, &[&server(8443, "a", "HTTPS", "\"*\"", TLS)])
        + &servers("new", 2, &[&server(8443, "b", "HTTP", "b.com", "")]);
    let (fragment, report) = compiled(&yaml);
    assert_eq!(chains(&fragment), ["0.0.0.0_8443 tls >https.8443.a.old.edge"]);
    assert_eq!(rejected(&report), ["spec.servers[0]"]);
}
