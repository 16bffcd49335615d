use mesh_model::diagnostic::Code;
use mesh_model::part::StringMatch;

use super::*;
use crate::testing::{aged, istio, resolve, resolve_with};

fn only(yaml: &str) -> Arc<MergedVirtualService> {
    let snapshot = resolve(yaml);
    assert_eq!(snapshot.virtual_services.len(), 1);
    Arc::clone(&snapshot.virtual_services[0])
}

fn uris(found: &MergedVirtualService) -> Vec<Vec<String>> {
    let uri = |matched: &mesh_model::networking::virtual_service::spec::HttpMatchRequest| {
        matched.uri.as_ref().and_then(StringMatch::text).unwrap_or("-").to_owned()
    };
    found.spec.http.iter().map(|route| route.r#match.iter().map(uri).collect()).collect()
}

#[test]
fn t_021_names_are_completed_with_the_namespace_of_their_object() {
    let found = only(&istio(
        "VirtualService",
        "shop",
        "a",
        "{hosts: [reviews, a.b], gateways: [mesh, edge], http: [{match: [{gateways: [./edge]}], \
         route: [{destination: {host: reviews}}], mirror: {host: old}, mirrors: [{destination: {host: x.org}}]}], \
         tcp: [{route: [{destination: {host: db}}]}], tls: [{match: [{sniHosts: [a], gateways: [infra/edge]}], \
         route: [{destination: {host: '*'}}]}]}",
    ));
    let spec = &found.spec;
    assert_eq!(spec.hosts, ["reviews.shop.svc.cluster.local", "a.b"]);
    assert_eq!(spec.gateways, ["mesh", "shop/edge"]);
    let route = &spec.http[0];
    assert_eq!(route.r#match[0].gateways, ["shop/edge"]);
    assert_eq!(route.route[0].destination.as_ref().unwrap().host, "reviews.shop.svc.cluster.local");
    assert_eq!(route.mirror.as_ref().unwrap().host, "old.shop.svc.cluster.local");
    assert_eq!(route.mirrors[0].destination.as_ref().unwrap().host, "x.org");
    assert_eq!(spec.tcp[0].route[0].destination.as_ref().unwrap().host, "db.shop.svc.cluster.local");
    assert_eq!(spec.tls[0].route[0].destination.as_ref().unwrap().host, "*");
    // T-022: names that are matched, not looked up, stay.
    assert_eq!(spec.tls[0].r#match[0].sni_hosts, ["a"]);
}

const ROOT: &str = "{hosts: [h.org], http: [\
    {name: first, match: [{uri: {exact: /first}}], route: [{destination: {host: a}}]}, \
    {name: root, match: [{uri: {prefix: /api}}], delegate: {name: part, namespace: team}, timeout: 3s, \
     headers: {request: {set: {x: root}}}}, \
    {name: last, route: [{destination: {host: z}}]}]}";

const PART: &str = "{http: [\
    {name: one, match: [{uri: {prefix: /api/v1}}, {uri: {exact: /api/x}}], route: [{destination: {host: one}}]}, \
    {match: [{uri: {prefix: /other}}], route: [{destination: {host: other}}]}, \
    {timeout: 9s, route: [{destination: {host: two}}]}]}";

#[test]
fn t_129_a_delegate_takes_the_place_of_its_entry() {
    let yaml = istio("VirtualService", "shop", "root", ROOT) + &istio("VirtualService", "team", "part", PART);
    let (snapshot, report) = resolve_with("{}", &yaml);
    let found = &snapshot.virtual_services[0];
    let names: Vec<_> = found.spec.http.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["first", "root-one", "root", "last"]);
    assert_eq!(uris(found), [vec!["/first"], vec!["/api/v1", "/api/x"], vec!["/api"], vec![]]);
    let seconds: Vec<_> =
        found.spec.http.iter().map(|route| route.timeout.map(|timeout| timeout.to_string())).collect();
    assert_eq!(seconds, [None, Some("3s".to_owned()), Some("9s".to_owned()), None]);
    assert!(found.spec.http[1].headers.is_some());
    // T-021: a delegate's short names are of its own namespace.
    let host = &found.spec.http[1].route[0].destination.as_ref().unwrap().host;
    assert_eq!(host, "one.team.svc.cluster.local");
    let codes: Vec<_> = report.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::DelegateConflict]);
}

#[test]
fn origins_lead_to_the_object_that_holds_the_entry() {
    let yaml = istio("VirtualService", "shop", "root", ROOT) + &istio("VirtualService", "team", "part", PART);
    let found = only(&yaml);
    assert_eq!(found.http_origins.len(), found.spec.http.len());
    let places: Vec<_> = found
        .http_origins
        .iter()
        .map(|origin| {
            let matches: Vec<_> =
                origin.matches.iter().map(|(object, path)| format!("{} {path}", object.name)).collect();
            format!("{} {} [{}]", origin.object.name, origin.path, matches.join(", "))
        })
        .collect();
    assert_eq!(
        places,
        [
            "root spec.http[0] [root spec.http[0].match[0]]",
            "part spec.http[0] [part spec.http[0].match[0], part spec.http[0].match[1]]",
            // The delegate has no match of its own: the root's counts.
            "part spec.http[2] [root spec.http[1].match[0]]",
            "root spec.http[2] []",
        ]
    );
}

#[test]
fn t_126_a_hidden_or_missing_delegate_takes_only_its_entry_along() {
    let hidden = PART.replace("{http:", "{exportTo: [.], http:");
    let yaml =
        istio("VirtualService", "shop", "root", ROOT) + &istio("VirtualService", "team", "part", &hidden);
    for yaml in [yaml, istio("VirtualService", "shop", "root", ROOT)] {
        let (snapshot, report) = resolve_with("{}", &yaml);
        assert_eq!(uris(&snapshot.virtual_services[0]), [vec!["/first"], vec![]]);
        assert_eq!(report.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::DelegateUnknown]);
    }
    let default = r#"{"defaultVirtualServiceExportTo": ["."]}"#;
    let yaml = istio("VirtualService", "shop", "root", ROOT) + &istio("VirtualService", "team", "part", PART);
    assert_eq!(resolve_with(default, &yaml).0.virtual_services[0].spec.http.len(), 2);
}

#[test]
fn t_130_t_131_matches_unite_or_conflict() {
    let merged = |root: &str, part: &str| {
        let root = format!("{{hosts: [h.org], http: [{{match: {root}, delegate: {{name: part}}}}]}}");
        let part = format!("{{http: [{{match: {part}, route: [{{destination: {{host: a.b}}}}]}}]}}");
        let found = only(
            &(istio("VirtualService", "ns", "root", &root) + &istio("VirtualService", "ns", "part", &part)),
        );
        found.spec.http.first().map(|route| route.r#match.clone())
    };
    for (root, part) in [
        ("[{uri: {regex: /a}}]", "[{uri: {regex: /a}}]"),
        ("[{uri: {exact: /a}}]", "[{uri: {prefix: /a}}]"),
        ("[{uri: {prefix: /a/b}}]", "[{uri: {prefix: /a}}]"),
        ("[{headers: {x: {}}}]", "[{headers: {x: {exact: a}}}]"),
        ("[{port: 80}]", "[{port: 81}]"),
        ("[{sourceNamespace: a}]", "[{port: 81}]"),
        ("[{sourceLabels: {a: b}}]", "[{sourceLabels: {a: c}}]"),
        ("[{ignoreUriCase: true}]", "[{uri: {exact: /a}}]"),
        // One match without a partner drops the whole entry.
        ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a/b}}, {uri: {prefix: /c}}]"),
    ] {
        assert_eq!(merged(root, part), None, "{root} {part}");
    }
    let found = merged(
        "[{name: r, uri: {prefix: /a}, headers: {x: {exact: '1'}}, port: 80, statPrefix: s}]",
        "[{name: d, uri: {exact: /ab}, headers: {x: {exact: '1'}, z: {}}}, {method: {exact: GET}}]",
    );
    let found = found.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].name, "r-d");
    assert_eq!(found[0].uri, Some(StringMatch::Exact("/ab".to_owned())));
    assert_eq!(found[0].headers.keys().collect::<Vec<_>>(), ["x", "z"]);
    assert_eq!((found[0].port, found[0].stat_prefix.as_str()), (80, "s"));
    assert_eq!(found[1].uri, Some(StringMatch::Prefix("/a".to_owned())));
}

#[test]
fn delegation_cannot_multiply_without_bound() {
    let matches =
        |key: &str| (0..400).map(|i| format!("{{{key}: {{exact: v{i}}}}}")).collect::<Vec<_>>().join(", ");
    let entry = format!("{{match: [{}], delegate: {{name: part}}}}", matches("method"));
    let root = format!("{{hosts: [h.org], http: [{}]}}", vec![entry; 4].join(", "));
    let part =
        format!("{{http: [{{match: [{}], route: [{{destination: {{host: a.b}}}}]}}]}}", matches("uri"));
    let yaml = istio("VirtualService", "ns", "root", &root) + &istio("VirtualService", "ns", "part", &part);
    let (snapshot, report) = resolve_with("{}", &yaml);
    assert!(report.iter().any(|finding| finding.code == Code::BudgetExceeded));
    let size: usize = snapshot.virtual_services[0].spec.http.iter().map(|route| route.r#match.len()).sum();
    assert!(size < 400_000, "{size}");
}

#[test]
fn t_004_older_comes_first_then_name() {
    let spec = "{hosts: [h.org], http: [{route: [{destination: {host: a.b}}]}]}";
    let yaml = aged("VirtualService", "ns", "b", 2, spec)
        + &aged("VirtualService", "ns", "c", 1, spec)
        + &aged("VirtualService", "ns", "a", 2, spec)
        + &format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: z, namespace: ns}}\nspec: {spec}\n"
        );
    let snapshot = resolve(&yaml);
    let names: Vec<_> = snapshot.virtual_services.iter().map(|found| found.name.to_string()).collect();
    assert_eq!(names, ["z", "c", "a", "b"]);
}
