use std::collections::BTreeSet;

use super::{EdgeKind, MeshGraph, NodeKind, dot, html, mermaid};
use crate::testing::{istio, resolve, service};

fn shop() -> MeshGraph {
    let pod = |name: &str, version: &str, ip: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-{version}, namespace: shop, labels: {{app: {name}, version: {version}}}}}\n\
             spec: {{serviceAccountName: {name}}}\n\
             status: {{phase: Running, podIP: {ip}, podIPs: [{{ip: {ip}}}], conditions: [{{type: Ready, status: \"True\"}}]}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-{version}, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: 8080}}]\n\
             endpoints: [{{addresses: [{ip}], conditions: {{ready: true}}, targetRef: {{kind: Pod, name: {name}-{version}, namespace: shop}}}}]\n"
        )
    };
    let security = |kind: &str, name: &str, spec: &str| {
        istio(kind, "shop", name, spec).replace("networking.istio.io", "security.istio.io")
    };
    let text = [
        service("shop", "reviews"),
        service("shop", "web"),
        pod("reviews", "v1", "10.0.0.11"),
        pod("reviews", "v2", "10.0.0.12"),
        pod("web", "v1", "10.0.0.13"),
        istio(
            "Gateway",
            "shop",
            "front",
            "{selector: {istio: x}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
        ),
        istio(
            "DestinationRule",
            "shop",
            "reviews",
            "{host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}",
        ),
        istio(
            "VirtualService",
            "shop",
            "reviews",
            "{hosts: [reviews], http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews, subset: v1}, weight: 90}, {destination: {host: reviews, subset: v2}, weight: 10}], mirror: {host: web}}]}",
        ),
        istio(
            "VirtualService",
            "shop",
            "front",
            "{hosts: ['*'], gateways: [front], http: [{match: [{uri: {exact: /x}}], redirect: {uri: /}}, {route: [{destination: {host: web}}]}]}",
        ),
        security("PeerAuthentication", "default", "{mtls: {mode: STRICT}}"),
        security(
            "AuthorizationPolicy",
            "reviews",
            "{selector: {matchLabels: {app: reviews}}, rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]}",
        ),
    ];
    MeshGraph::of(&resolve(&text.concat()))
}

fn edges(graph: &MeshGraph, kind: EdgeKind) -> Vec<String> {
    let name =
        |id: &str| graph.nodes.iter().find(|node| node.id == id).map(|node| node.name.clone()).unwrap();
    let edges = graph.edges.iter().filter(|edge| edge.kind == kind);
    edges.map(|edge| format!("{} > {} [{}]", name(&edge.from), name(&edge.to), edge.label())).collect()
}

#[test]
fn routes_lead_from_gateways_and_hosts_to_services_and_subsets_with_their_shares() {
    let graph = shop();
    assert_eq!(
        edges(&graph, EdgeKind::Route),
        ["front > web []", "reviews > v1 [/a* 90%]", "reviews > v2 [/a* 10%]"]
    );
    assert_eq!(edges(&graph, EdgeKind::Mirror), ["reviews > web [/a*]"]);
    let front = graph.nodes.iter().find(|node| node.kind == NodeKind::Gateway).unwrap();
    assert!(front.facts.iter().any(|fact| fact.label == "redirects" && fact.value == "/x"), "{front:?}");
}

fn reviews_routed(spec: &str) -> MeshGraph {
    let text =
        [service("shop", "reviews"), service("shop", "web"), istio("VirtualService", "shop", "own", spec)];
    MeshGraph::of(&resolve(&text.concat()))
}

fn facts(graph: &MeshGraph, name: &str) -> Vec<String> {
    let node = graph.nodes.iter().find(|node| node.name == name).unwrap();
    let told = node.facts.iter().filter(|fact| !["host", "port"].contains(&fact.label));
    told.map(|fact| format!("{}: {}", fact.label, fact.value)).collect()
}

#[test]
fn what_a_service_does_with_its_own_requests_is_in_the_picture() {
    let graph = reviews_routed(
        "{hosts: [reviews], http: [{match: [{uri: {prefix: /slow}}], timeout: 30s, retries: {attempts: 5}, route: [{destination: {host: reviews}}]}, \
         {fault: {abort: {percentage: {value: 1}, httpStatus: 503}}, route: [{destination: {host: reviews}}]}]}",
    );
    assert_eq!(
        edges(&graph, EdgeKind::Route),
        ["reviews > reviews [/slow* timeout 30s, retries 5 and 1 more]"]
    );
    assert_eq!(graph.edges[0].ways[1].acts, ["aborts"]);
    assert_eq!(facts(&graph, "reviews"), ["routed by: VirtualService shop/own"]);
    for picture in [dot(&graph), mermaid(&graph)] {
        assert!(picture.contains("VirtualService shop/own") && picture.contains("timeout 30s"), "{picture}");
    }
}

#[test]
fn a_service_that_leads_to_itself_as_a_whole_needs_no_arrow_and_names_its_route() {
    let graph = reviews_routed("{hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}");
    assert_eq!(edges(&graph, EdgeKind::Route), [""; 0]);
    assert!(mermaid(&graph).contains("VirtualService shop/own"));
}

#[test]
fn what_is_named_and_not_there_is_drawn_as_missing() {
    let graph = reviews_routed(
        "{hosts: [reviews], gateways: [mesh, gone-gate], http: [{mirror: {host: copy.example.com}, route: \
         [{destination: {host: gone}, weight: 10}, {destination: {host: reviews, subset: v9}, weight: 90}]}]}",
    );
    let missing: Vec<_> = graph.nodes.iter().filter(|node| node.kind == NodeKind::Missing).collect();
    let told: BTreeSet<_> = missing.iter().map(|node| (&*node.name, node.facts[0].label)).collect();
    let wanted = [
        ("copy.example.com", "no such service"),
        ("gone", "no such service"),
        ("gone-gate", "no such gateway"),
        ("v9", "no such subset"),
    ];
    assert_eq!(told, wanted.into());
    assert!(missing.iter().all(|node| node.namespace == "shop"), "{missing:?}");
    let subset = missing.iter().find(|node| node.name == "v9").unwrap();
    assert_eq!(subset.parent.as_deref(), Some("service:reviews.shop.svc.cluster.local@shop"));
    let routes = edges(&graph, EdgeKind::Route);
    assert!(routes.contains(&"reviews > gone [10%]".to_owned()), "{routes:?}");
    assert!(mermaid(&graph).contains("[/\"gone<br/>no such service\"/]"));
}

#[test]
fn several_ways_of_which_the_first_takes_everything_say_so() {
    let text = [
        service("shop", "web"),
        istio(
            "Gateway",
            "shop",
            "pass",
            "{selector: {istio: x}, servers: [{port: {number: 443, name: tls, protocol: TLS}, tls: {mode: PASSTHROUGH}, hosts: ['*.example.com']}]}",
        ),
        istio(
            "VirtualService",
            "shop",
            "tls",
            "{hosts: ['*.example.com'], gateways: [pass], tcp: [{route: [{destination: {host: web}}]}], \
             tls: [{match: [{sniHosts: [a.example.com, b.example.com, c.example.com]}], route: [{destination: {host: web}}]}]}",
        ),
    ];
    let graph = MeshGraph::of(&resolve(&text.concat()));
    assert_eq!(
        edges(&graph, EdgeKind::Route),
        ["pass > web [a.example.com,b.example.com,1 more and 1 more]"]
    );
    let mut edge = graph.edges.iter().find(|edge| edge.kind == EdgeKind::Route).unwrap().clone();
    edge.ways.reverse();
    assert_eq!(edge.label(), "everything and 1 more");
}

#[test]
fn what_was_made_has_the_name_of_what_was_written() {
    let text = [
        service("shop", "web"),
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gg, namespace: shop}\n\
         spec: {gatewayClassName: istio, listeners: [{name: h, port: 80, protocol: HTTP}]}\n"
            .to_owned(),
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: shop}\n\
         spec: {parentRefs: [{name: gg}], rules: [{backendRefs: [{name: web, port: 80}]}]}\n"
            .to_owned(),
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {name: i1, namespace: shop, annotations: {kubernetes.io/ingress.class: istio}}\n\
         spec: {rules: [{host: x.example.com, http: {paths: [{path: /none, pathType: Prefix, \
         backend: {service: {name: nothing, port: {number: 9080}}}}]}}]}\n"
            .to_owned(),
    ];
    let graph = MeshGraph::of(&resolve(&text.concat()));
    let routes = edges(&graph, EdgeKind::Route);
    assert_eq!(routes, ["i1 > nothing [/none*]", "gg (h) > web []"]);
    let told = facts(&graph, "gg (h)");
    assert!(told.contains(&"written as: Gateway shop/gg".to_owned()), "{told:?}");
    assert!(told.contains(&"routed by: HTTPRoute shop/r".to_owned()), "{told:?}");
    for picture in [dot(&graph), mermaid(&graph)] {
        assert!(!picture.contains("autogenerated"), "{picture}");
    }
    let names =
        graph.nodes.iter().flat_map(|node| node.facts.iter().map(|fact| &fact.value).chain([&node.name]));
    assert!(names.into_iter().all(|name| !name.contains("autogenerated")), "{graph:?}");
}

#[test]
fn workloads_hang_under_their_subsets_with_what_they_accept() {
    let graph = shop();
    let has: BTreeSet<String> = edges(&graph, EdgeKind::Has).into_iter().collect();
    for wanted in ["reviews > v1 []", "v1 > reviews v1 []", "v2 > reviews v2 []", "web > web v1 []"] {
        assert!(has.contains(wanted), "{wanted} not in {has:?}");
    }
    assert!(!has.contains("reviews > reviews v1 []"), "a workload of a subset hangs under the subset only");
    let modes: BTreeSet<_> = graph.nodes.iter().filter_map(|node| node.mtls).collect();
    assert_eq!(modes, ["STRICT"].into());
}

#[test]
fn policies_count_where_they_apply_and_draw_who_may_call() {
    let graph = shop();
    let count = |name: &str, kind| {
        graph.nodes.iter().find(|node| node.name == name && node.kind == kind).unwrap().policies
    };
    assert_eq!(count("reviews", NodeKind::Service), 1);
    assert_eq!(count("reviews v1", NodeKind::Workload), 1);
    assert_eq!(count("web", NodeKind::Service), 0);
    assert_eq!(
        edges(&graph, EdgeKind::Allow),
        ["web v1 > reviews v1 [reviews]", "web v1 > reviews v2 [reviews]"]
    );
}

#[test]
fn every_edge_ends_at_nodes_and_every_way_says_where_it_was_written() {
    let graph = shop();
    let ids: BTreeSet<_> = graph.nodes.iter().map(|node| &node.id).collect();
    assert_eq!(ids.len(), graph.nodes.len());
    for edge in &graph.edges {
        assert!(ids.contains(&edge.from) && ids.contains(&edge.to), "{edge:?}");
        assert!(
            edge.ways.iter().all(|way| way.origin.place().is_some_and(|(_, line, _)| line > 0)),
            "{edge:?}"
        );
    }
}

#[test]
fn a_namespace_is_drawn_with_its_neighbours() {
    let graph = shop().around(&["nowhere".to_owned()]);
    assert!(graph.nodes.is_empty() && graph.edges.is_empty());
    assert_eq!(shop().around(&["shop".to_owned()]).nodes.len(), shop().nodes.len());
}

#[test]
fn text_of_the_configuration_never_becomes_markup() {
    let evil = "</script><script>alert(1)</script>\"'&`|;]";
    let spec = format!(
        "{{hosts: [{}], http: [{{route: [{{destination: {{host: web}}}}]}}]}}",
        serde_json::to_string(evil).unwrap()
    );
    let snapshot =
        resolve(&[service("shop", "web"), istio("VirtualService", "shop", "evil", &spec)].concat());
    let graph = MeshGraph::of(&snapshot);
    assert!(graph.nodes.iter().any(|node| node.kind == NodeKind::Host), "{graph:?}");

    let page = html(&graph, "<b>shop</b>");
    assert_eq!(page.matches("<script").count(), 2, "the page's own two scripts");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<b>shop") && page.contains("&lt;b&gt;shop"));
    // The data survives the way into the page.
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let data: serde_json::Value = serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap();
    assert_eq!(data["nodes"].as_array().unwrap().len(), graph.nodes.len());
    assert!(data.to_string().contains("alert(1)"));

    assert!(!mermaid(&graph).contains("<script>"));
    let lines = dot(&graph);
    assert!(lines.contains("</script><script>alert(1)</script>\\\"'"), "{lines}");
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = html(&shop(), "shop");
    for foreign in ["src=", "href=", "@import", "url(http", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("<svg") && page.contains("\"use strict\""));
    assert!(!page.contains("innerHTML"), "text is shown as text");
}

#[test]
fn dot_and_mermaid_name_every_node_once() {
    let graph = shop();
    let (dot, mermaid) = (dot(&graph), mermaid(&graph));
    for number in 0..graph.nodes.len() {
        assert_eq!(dot.matches(&format!("    n{number} [")).count(), 1);
        assert!(mermaid.contains(&format!("    n{number}")), "{mermaid}");
    }
    assert!(mermaid.contains("90%") && dot.contains("90%"));
}
