//! Chains over bytes and TLS settings (T-421 to T-436).

use super::*;

fn chains_of(servers_of_web: &[&str], rest: &str) -> Vec<String> {
    let yaml = service("shop", "cart") + &service("shop", "b") + &servers("web", 1, servers_of_web);
    chains(&compiled(&(yaml + rest)).0)
}

const CART: &str = "outbound|80||cart.shop.svc.cluster.local*100";

#[test]
fn t_425_the_first_tcp_route_with_an_overlapping_host_is_taken() {
    let tcp = server(9000, "tcp", "TCP", "shop/x.com", "");
    let none = bound("http-only", 0, "x.com", &http_to("b"));
    let other = bound("elsewhere", 1, "y.com", &tcp_to("b"));
    let both = bound("first", 2, "\"*.com\"", &tcp_to("cart")) + &bound("second", 3, "x.com", &tcp_to("b"));
    assert_eq!(chains_of(&[&tcp], &(none.clone() + &other + &both)), [format!("0.0.0.0_9000 >{CART}")]);
    // Nothing to serve: no chain, so no listener.
    assert!(chains_of(&[&tcp], &(none + &other)).is_empty());
}

#[test]
fn t_192_port_and_gateways_count_and_source_labels_do_not() {
    let tcp = server(9000, "tcp", "TCP", "\"*\"", "");
    let of = |condition: &str| {
        let route = "route: [{destination: {host: cart.shop.svc.cluster.local, port: {number: 80}}}]";
        let list = format!("tcp: [{{match: [{{{condition}}}], {route}}}]");
        chains_of(&[&tcp], &bound("a", 1, "\"*\"", &list)).len()
    };
    assert_eq!(of("port: 9000"), 1);
    assert_eq!(of("port: 9001"), 0);
    assert_eq!(of("gateways: [edge/web]"), 1);
    assert_eq!(of("gateways: [edge/other]"), 0);
    assert_eq!(of("sourceLabels: {app: nobody}, destinationSubnets: [10.0.0.0/8]"), 1);
}

#[test]
fn t_191_weights_of_zero_are_left_out() {
    let to = |name: &str, weight: u32| {
        format!(
            "{{destination: {{host: {name}.shop.svc.cluster.local, port: {{number: 80}}}}, weight: {weight}}}"
        )
    };
    let list = format!("tcp: [{{route: [{}, {}, {}]}}]", to("cart", 1), to("b", 3), to("cart", 0));
    let found = chains_of(&[&server(9000, "tcp", "TCP", "\"*\"", "")], &bound("a", 1, "\"*\"", &list));
    let wanted =
        "0.0.0.0_9000 >outbound|80||cart.shop.svc.cluster.local*1+outbound|80||b.shop.svc.cluster.local*3";
    assert_eq!(found, [wanted]);
}

#[test]
fn t_428_terminated_tls_of_protocol_tls_is_a_byte_stream() {
    let tls = server(443, "tls", "TLS", "x.com", ", tls: {mode: SIMPLE, credentialName: c}");
    let found = chains_of(&[&tls], &bound("a", 1, "x.com", &tcp_to("cart")));
    assert_eq!(found, [format!("0.0.0.0_443 tls x.com>{CART}")]);
}

fn sni(names: &str, more: &str, to: &str) -> String {
    format!(
        "{{match: [{{sniHosts: [{names}]{more}}}], \
         route: [{{destination: {{host: {to}.shop.svc.cluster.local, port: {{number: 80}}}}}}]}}"
    )
}

#[test]
fn t_426_passthrough_chains_have_the_names_of_the_match() {
    let https = server(443, "https", "HTTPS", "\"*.com\"", ", tls: {mode: PASSTHROUGH}");
    let list = format!("tls: [{}, {}]", sni("X.org, a.com", "", "cart"), sni("c.com", ", port: 444", "b"));
    let found = chains_of(&[&https], &bound("a", 1, "a.com", &format!("{list}, {}", http_to("b"))));
    assert_eq!(found, [format!("0.0.0.0_443 a.com,x.org>{CART}")]);
}

#[test]
fn t_426_a_match_with_a_name_that_is_taken_is_skipped_whole() {
    let https = server(443, "https", "HTTPS", "\"*.com\"", ", tls: {mode: PASSTHROUGH}");
    let list = format!("tls: [{}, {}]", sni("a.com", "", "cart"), sni("a.com, b.com", "", "b"));
    let yaml = servers("web", 1, &[&https]) + &bound("a", 1, "\"*.com\"", &list);
    let (fragment, report) = compiled(&yaml);
    assert_eq!(chains(&fragment), [format!("0.0.0.0_443 a.com>{CART}")]);
    assert_eq!(rejected(&report), ["spec.tls[1].match[0]"]);
}

#[test]
fn t_430_tls_without_a_mode_passes_through() {
    let https = server(443, "https", "HTTPS", "x.com", ", tls: {credentialName: c}");
    assert!(chains_of(&[&https], &bound("a", 1, "x.com", &http_to("cart"))).is_empty());
}

#[test]
fn t_427_auto_passthrough_leads_to_every_cluster_that_the_hosts_cover() {
    let auto = server(15443, "tls", "TLS", "\"*.shop.svc.cluster.local\"", ", tls: {mode: AUTO_PASSTHROUGH}");
    let rule = aged(
        "DestinationRule",
        "shop",
        "cart",
        1,
        "{host: cart.shop.svc.cluster.local, subsets: [{name: v1, labels: {version: v1}}]}",
    );
    let entry = |location: &str| {
        let ports =
            "ports: [{number: 443, name: tls, protocol: TLS}, {number: 53, name: dns, protocol: UDP}]";
        let spec =
            format!("{{hosts: [Db.shop.svc.cluster.local], {ports}, resolution: DNS, location: {location}}}");
        aged("ServiceEntry", "shop", "db", 1, &spec)
    };
    let names = |location: &str| {
        let yaml = service("far", "b") + &service("shop", "cart") + &rule + &entry(location);
        chains(&compiled(&(yaml + &servers("web", 1, &[&auto]))).0)
    };
    let of = |name: &str, lower: &str| format!("0.0.0.0_15443 {lower}>{name}*100");
    let plain = |name: &str| of(name, name);
    let cart = [
        plain("outbound_.80_._.cart.shop.svc.cluster.local"),
        plain("outbound_.80_.v1_.cart.shop.svc.cluster.local"),
    ];
    assert_eq!(names("MESH_EXTERNAL"), cart);
    // E-066: the server name is compared without case.
    let db = of("outbound_.443_._.Db.shop.svc.cluster.local", "outbound_.443_._.db.shop.svc.cluster.local");
    let mut found = names("MESH_INTERNAL");
    found.sort();
    let mut wanted: Vec<String> = cart.into_iter().chain([db]).collect();
    wanted.sort();
    assert_eq!(found, wanted);
}

fn tls(settings: &str) -> Arc<DownstreamTls> {
    let yaml =
        servers("web", 1, &[&server(443, "https", "HTTPS", "x.com", &format!(", tls: {{{settings}}}"))]);
    tls_of(&compiled(&yaml).0)
}

fn texts(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

#[test]
fn t_431_modes_ask_for_certificates() {
    let mode = |mode: &str| tls(&format!("mode: {mode}, credentialName: c, subjectAltNames: [a]"));
    let simple = tls("mode: SIMPLE, serverCertificate: /c, privateKey: /k, subjectAltNames: [a]");
    assert_eq!(simple.client_certificate, ClientCertificate::None);
    assert!(simple.subject_alt_names.is_empty());
    assert_eq!(mode("MUTUAL").client_certificate, ClientCertificate::Required);
    assert_eq!(mode("OPTIONAL_MUTUAL").client_certificate, ClientCertificate::Optional);
    assert_eq!(texts(&mode("OPTIONAL_MUTUAL").subject_alt_names), ["a"]);
}

#[test]
fn t_432_certificates_come_from_secrets_or_files() {
    let one = tls("mode: MUTUAL, credentialName: c");
    assert_eq!(
        (texts(&one.certificates), one.root.as_deref()),
        (vec!["kubernetes://c"], Some("kubernetes://c-cacert"))
    );
    let two = tls("mode: SIMPLE, credentialNames: [rsa, ecdsa]");
    assert_eq!(
        (texts(&two.certificates), two.root.as_deref()),
        (vec!["kubernetes://rsa", "kubernetes://ecdsa"], None)
    );
    let files = tls("mode: MUTUAL, serverCertificate: /a, privateKey: /b, caCertificates: /c");
    assert_eq!(
        (texts(&files.certificates), files.root.as_deref()),
        (vec!["file-cert:/a~/b"], Some("file-root:/c"))
    );
}

#[test]
fn t_435_unknown_cipher_suites_are_dropped() {
    let settings = "minProtocolVersion: TLSV1_2, cipherSuites: [AES128-SHA, NOPE, AES128-SHA]";
    let found = tls(&format!("mode: SIMPLE, credentialName: c, {settings}"));
    assert_eq!(texts(&found.cipher_suites), ["AES128-SHA"]);
    assert_eq!(&*found.min_version, "TLSv1_2");
    assert_eq!(texts(&found.alpn), ["h2", "http/1.1"]);
}

/// Held against Envoy 1.40: "SAN-based verification of peer certificates without trusted CA is insecure and not allowed".
#[test]
fn t_431_names_of_clients_without_authorities_cost_the_port() {
    let tls = |number: u16, host: &str, rest: &str| {
        let name = format!("p{number}{}", host.replace('.', ""));
        server(number, &name, "TLS", host, &format!(", tls: {{{rest}}}"))
    };
    let named = "mode: SIMPLE, credentialName: c, subjectAltNames: [client.test]";
    let (refused, beside) = (tls(443, "x.com", named), tls(443, "y.com", "mode: SIMPLE, credentialName: c"));
    let elsewhere = tls(8443, "x.com", "mode: SIMPLE, credentialName: c");
    let mutual = tls(9443, "x.com", "mode: MUTUAL, credentialName: c, subjectAltNames: [client.test]");
    let files =
        tls(9444, "x.com", "mode: SIMPLE, serverCertificate: /c, privateKey: /k, subjectAltNames: [n.test]");
    let all = [&*refused, &beside, &elsewhere, &mutual, &files];
    let found = chains_of(&all, &bound("a", 1, "\"*.com\"", &tcp_to("cart")));
    let wanted = [8443, 9443, 9444].map(|port| format!("0.0.0.0_{port} tls x.com>{CART}"));
    assert_eq!(found, wanted);
    let yaml = service("shop", "cart")
        + &servers("web", 1, &[&refused, &beside])
        + &bound("a", 1, "x.com", &tcp_to("cart"));
    let (_, report) = compiled(&yaml);
    let told: Vec<_> = report.iter().map(|it| (it.code, it.at.field.as_str())).collect();
    assert_eq!(told, [(Code::ServerRejected, "spec.servers[0].tls.subjectAltNames")]);
    // A server that nothing is routed for has no chain, and does no harm.
    let other = bound("a", 1, "y.com", &tcp_to("cart"));
    assert_eq!(chains_of(&[&refused, &beside], &other), [format!("0.0.0.0_443 tls y.com>{CART}")]);
}

#[test]
fn t_436_insecure_skip_verify_asks_for_a_certificate_and_looks_at_nothing_in_it() {
    let settings = |mode: &str, rest: &str| {
        let tls = server(
            443,
            "t",
            "TLS",
            "x.com",
            &format!(", tls: {{mode: {mode}, subjectAltNames: [n.test]{rest}}}"),
        );
        let yaml =
            service("shop", "cart") + &servers("web", 1, &[&tls]) + &bound("a", 1, "x.com", &tcp_to("cart"));
        let fragment = compiled(&yaml).0;
        let tls = fragment.listeners[0].filter_chains[0].tls.clone().unwrap();
        let told = (tls.client_certificate, tls.root.is_some(), tls.subject_alt_names.len());
        (told, tls.crl.is_some(), tls.key_hashes.len() + tls.certificate_hashes.len())
    };
    let secret = ", credentialName: c, verifyCertificateSpki: [AAAA], verifyCertificateHash: [aa]";
    let files = ", serverCertificate: /c, privateKey: /k, caCertificates: /a, caCrl: /l";
    use ClientCertificate::{Optional, Required};
    for (mode, rest, asked, crl, pins) in [
        ("MUTUAL", secret, Required, false, 2),
        ("OPTIONAL_MUTUAL", secret, Optional, false, 2),
        ("MUTUAL", files, Required, true, 0),
        ("ISTIO_MUTUAL", "", Required, false, 0),
    ] {
        assert_eq!(settings(mode, rest), ((asked, true, 1), crl, pins), "{mode}{rest}");
        let skipping = format!("{rest}, insecureSkipVerify: true");
        assert_eq!(settings(mode, &skipping), ((asked, false, 0), false, 0), "{mode}{skipping}");
    }
}
