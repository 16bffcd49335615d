use mesh_model::resolved::Level;

use super::*;
use crate::testing::{gateway, resolve_with, service, sidecar};

const PROVIDERS: &str = r#""extensionProviders": [
    {"name": "logs", "envoyFileAccessLog": {"path": "/logs", "logFormat": {"text": "%PROTOCOL%"}}},
    {"name": "json", "envoyFileAccessLog": {"logFormat": {"labels": {}}}},
    {"name": "als", "envoyHttpAls": {"service": "web.shop.svc.cluster.local", "port": 80}},
    {"name": "lost", "envoyTcpAls": {"service": "nobody.example", "port": 80}},
    {"name": "Zip", "zipkin": {"service": "shop/web.shop.svc.cluster.local", "port": 80, "maxTagLength": 9}},
    {"name": "sky", "skywalking": {"service": "web.shop.svc.cluster.local", "port": 80}},
    {"name": "scraped", "prometheus": {}}
]"#;

fn resource(namespace: &str, name: &str, minute: u32, spec: &str) -> String {
    format!(
        "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: {name}, namespace: {namespace}, \
         creationTimestamp: \"2024-01-01T00:{minute:02}:00Z\"}}\nspec: {spec}\n"
    )
}

/// What the sidecar `shop/web` records, with `mesh` (JSON fields) beside the providers above.
fn of(mesh: &str, yaml: &str) -> TelemetryConfig {
    let comma = if mesh.is_empty() { "" } else { ", " };
    let (snapshot, _) =
        resolve_with(&format!("{{{PROVIDERS}{comma}{mesh}}}"), &format!("{}{yaml}", service("shop", "web")));
    compile(&View::new(&snapshot, &sidecar("shop", "web")))
}

fn logs(side: &SideTelemetry) -> Vec<&str> {
    side.access_logs.iter().map(|log| &*log.provider).collect()
}

fn log<'t>(side: &'t SideTelemetry, name: &str) -> &'t AccessLog {
    side.access_logs.iter().find(|log| &*log.provider == name).unwrap()
}

const ROOT: &str = "istio-system";

#[test]
fn nothing_is_logged_where_nobody_asks() {
    let found = of("", "");
    assert!(found.server.access_logs.is_empty() && found.client.metrics.is_empty());
    assert!(found.listener_log && found.applied.is_empty() && found.ignored.is_empty());
    assert!(!of(r#""disableEnvoyListenerLog": true"#, "").listener_log);
}

#[test]
fn the_file_of_the_mesh_is_written_where_no_telemetry_speaks() {
    let found = of(r#""accessLogFile": "/dev/stdout""#, "");
    let AccessLogSink::File { path, line, .. } = &log(&found.client, "accessLogFile").sink else { panic!() };
    assert_eq!((&**path, line), ("/dev/stdout", &LogLine::Text(ISTIO_TEXT.into())));

    let format = |fields: &str| {
        let found = of(&format!(r#""accessLogFile": "/f", {fields}"#), "");
        let AccessLogSink::File { line, .. } = found.server.access_logs[0].sink.clone() else { panic!() };
        line
    };
    assert_eq!(format(r#""accessLogFormat": "%PROTOCOL%""#), LogLine::Text("%PROTOCOL%\n".into()));
    let json = format(r#""accessLogEncoding": "JSON", "accessLogFormat": "{\"a\": \"%PROTOCOL%\"}""#);
    assert_eq!(json, LogLine::Json(serde_json::from_str(r#"{"a": "%PROTOCOL%"}"#).unwrap()));
    // A format that is no object is as none.
    let LogLine::Json(map) = format(r#""accessLogEncoding": "JSON", "accessLogFormat": "nothing""#) else {
        panic!()
    };
    assert_eq!((map.len(), map.get("route_name").unwrap().as_str()), (24, Some("%ROUTE_NAME%")));

    // A Telemetry that asks for nothing leaves it alone; one that names a log takes its place.
    let kept = of(r#""accessLogFile": "/f""#, &resource("shop", "t", 1, "{}"));
    assert_eq!(logs(&kept.client), ["accessLogFile"]);
    let named = resource("shop", "t", 1, "{accessLogging: [{providers: [{name: logs}]}]}");
    assert_eq!(logs(&of(r#""accessLogFile": "/f""#, &named).client), ["logs"]);
}

#[test]
fn the_service_of_the_bootstrap_gets_requests_and_connections_apart() {
    let found = of(r#""enableEnvoyAccessLogService": true"#, "");
    let kinds: Vec<_> = found.client.access_logs.iter().map(|log| log.traffic).collect();
    assert_eq!(kinds, [Traffic::Http, Traffic::Tcp]);
}

#[test]
fn the_providers_of_the_nearest_level_that_names_any_are_used() {
    let all = [
        resource(ROOT, "mesh", 1, "{accessLogging: [{providers: [{name: logs}]}]}"),
        resource("shop", "ns", 2, "{accessLogging: [{providers: [{name: json}]}]}"),
        resource(
            "shop",
            "wl",
            3,
            "{selector: {matchLabels: {app: web}}, accessLogging: [{disabled: false}]}",
        ),
    ]
    .concat();
    let found = of(r#""defaultProviders": {"accessLogging": ["envoy"]}"#, &all);
    assert_eq!(logs(&found.client), ["json"]);
    let on = &log(&found.client, "json").on;
    assert_eq!((on.level(), on.origin().field()), (Level::Workload, "spec.accessLogging[0]"));
    let shadowed: Vec<_> = on.shadowed().iter().map(|it| it.level).collect();
    assert_eq!(shadowed, [Level::Namespace]);
    let applied: Vec<_> = found.applied.iter().map(|it| it.level).collect();
    assert_eq!(applied, [Level::RootNamespace, Level::Namespace, Level::Workload]);

    let AccessLogSink::File { path, line: LogLine::Json(map), .. } = &log(&found.client, "json").sink else {
        panic!()
    };
    assert_eq!((&**path, map.len()), ("/dev/stdout", 24));
}

#[test]
fn of_one_namespace_the_oldest_speaks_and_of_one_workload_the_newest() {
    let section = |name: &str| format!("accessLogging: [{{providers: [{{name: {name}}}]}}]");
    let two = [
        resource("shop", "b", 1, &format!("{{{}}}", section("logs"))),
        resource("shop", "a", 2, &format!("{{{}}}", section("json"))),
    ]
    .concat();
    assert_eq!(logs(&of("", &two).client), ["logs"]);
    let selected = |name, minute, provider: &str| {
        resource(
            "shop",
            name,
            minute,
            &format!("{{selector: {{matchLabels: {{app: web}}}}, {}}}", section(provider)),
        )
    };
    let two = [selected("b", 1, "logs"), selected("a", 2, "json")].concat();
    assert_eq!(logs(&of("", &two).client), ["json"]);
    // One of another workload, or of the root namespace with a selector, is not for it.
    let others = [
        resource(
            "shop",
            "c",
            3,
            &format!("{{selector: {{matchLabels: {{app: other}}}}, {}}}", section("json")),
        ),
        resource(ROOT, "d", 1, &format!("{{selector: {{matchLabels: {{app: web}}}}, {}}}", section("json"))),
    ]
    .concat();
    assert!(of("", &others).applied.is_empty());
}

#[test]
fn sides_are_set_apart_and_a_log_can_be_switched_off() {
    let yaml = [
        resource(
            ROOT,
            "mesh",
            1,
            "{accessLogging: [{providers: [{name: logs}], filter: {expression: 'true'}}]}",
        ),
        resource("shop", "ns", 2, "{accessLogging: [{match: {mode: SERVER}, disabled: true}]}"),
    ]
    .concat();
    let found = of("", &yaml);
    assert_eq!(logs(&found.client), ["logs"]);
    assert_eq!(&**log(&found.client, "logs").filter.as_ref().unwrap().value(), "true");
    assert!(found.server.access_logs.is_empty());
    let off = &found.server.logs_off[0].on;
    assert_eq!((off.level(), off.origin().field()), (Level::Namespace, "spec.accessLogging[0].disabled"));
    assert_eq!(off.shadowed().len(), 1);
    // What is off stays off although MeshConfig names a file.
    assert!(of(r#""accessLogFile": "/f""#, &yaml).server.access_logs.is_empty());
}

/// Spec: istio pilot/pkg/model/telemetry.go, mergeLogs: `disabled` is said of providers, and nothing said of any is
/// nothing said at all.
#[test]
fn disabled_of_no_provider_leaves_the_file_of_the_mesh() {
    let file = r#""accessLogFile": "/f""#;
    let disabled = |providers: &str| {
        resource("shop", "ns", 1, &format!("{{accessLogging: [{{disabled: true{providers}}}]}}"))
    };
    assert_eq!(logs(&of(file, &disabled("")).server), ["accessLogFile"]);
    assert_eq!(logs(&of(file, &disabled(", providers: [{name: nobody}]")).server), ["accessLogFile"]);
    assert!(logs(&of(file, &disabled(", providers: [{name: logs}]")).server).is_empty());
    let by_default = format!(r#"{file}, "defaultProviders": {{"accessLogging": ["logs"]}}"#);
    assert!(logs(&of(&by_default, &disabled("")).server).is_empty());
    let client = disabled(", match: {mode: CLIENT}, providers: [{name: logs}]");
    assert_eq!(logs(&of(file, &client).server), ["accessLogFile"]);
}

#[test]
fn a_filter_counts_with_the_providers_beside_it_only() {
    let inherited = resource("shop", "ns", 2, "{accessLogging: [{filter: {expression: 'false'}}]}");
    let found = of(r#""defaultProviders": {"accessLogging": ["logs"]}"#, &inherited);
    assert_eq!(log(&found.client, "logs").filter, None);
    let yaml = [
        resource(
            ROOT,
            "mesh",
            1,
            "{accessLogging: [{providers: [{name: logs}], filter: {expression: 'a'}}]}",
        ),
        resource(
            "shop",
            "ns",
            2,
            "{accessLogging: [{providers: [{name: logs}], filter: {expression: 'b'}}]}",
        ),
    ]
    .concat();
    let found = of("", &yaml);
    let filter = log(&found.client, "logs").filter.as_ref().unwrap();
    assert_eq!((&**filter.value(), &*filter.shadowed()[0].value), ("b", "a"));
}

#[test]
fn providers_that_cannot_be_used_are_told_of() {
    let names = "{accessLogging: [{providers: [{name: nobody}, {name: lost}, {name: Zip}, {name: ALS}]}]}";
    let found = of("", &resource("shop", "t", 1, names));
    assert_eq!(logs(&found.client), ["als"]);
    let AccessLogSink::HttpGrpc(GrpcLog { target: Some(target), .. }) = &log(&found.client, "als").sink
    else {
        panic!()
    };
    assert_eq!(&*target.cluster, "outbound|80||web.shop.svc.cluster.local");
    let ignored: Vec<_> = found.ignored.iter().map(|it| it.provider.as_str()).collect();
    assert_eq!(ignored, ["Zip", "lost", "nobody"]);
}

#[test]
fn metrics_are_merged_metric_by_metric_and_label_by_label() {
    let yaml = [
        resource(
            ROOT,
            "mesh",
            1,
            "{metrics: [{providers: [{name: scraped}], reportingInterval: 3s, overrides: [\
             {match: {metric: REQUEST_COUNT}, tagOverrides: {a: {value: '1'}, b: {operation: REMOVE}}}]}]}",
        ),
        resource(
            "shop",
            "ns",
            2,
            "{metrics: [{overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT}, disabled: true, \
             tagOverrides: {a: {value: '2'}}}, {match: {customMetric: mine}, disabled: true}]}]}",
        ),
    ]
    .concat();
    let found = of(r#""defaultProviders": {"metrics": ["prometheus"]}"#, &yaml);
    let [metrics] = &found.client.metrics[..] else { panic!("{:?}", found.client.metrics) };
    assert_eq!((metrics.provider.as_str(), *metrics.enabled.value()), ("scraped", true));
    assert_eq!(metrics.reporting_interval.as_ref().unwrap().value().as_millis(), 3000);
    let [count, mine] = &metrics.overrides[..] else { panic!() };
    assert_eq!((count.metric.reported(), count.is_dropped()), ("requests_total", true));
    assert_eq!(count.tags["a"].value(), &TagChange::Set("2".into()));
    assert_eq!(count.tags["a"].shadowed()[0].level, Level::RootNamespace);
    assert_eq!(count.tags["b"].value(), &TagChange::Remove);
    assert_eq!((mine.metric.reported(), mine.is_dropped()), ("mine", true));
    let server = &found.server.metrics[0].overrides[0];
    assert_eq!((server.is_dropped(), server.tags["a"].value()), (false, &TagChange::Set("1".into())));
}

#[test]
fn all_metrics_go_off_at_once_and_come_back_with_any_change() {
    let off = "{metrics: [{providers: [{name: scraped}], overrides: [{disabled: true}]}]}";
    let found = of("", &resource(ROOT, "mesh", 1, off));
    assert!(!found.client.metrics[0].enabled.value() && found.client.metrics[0].overrides.is_empty());
    let on = "{metrics: [{overrides: [{match: {mode: SERVER}, disabled: false}]}]}";
    let found = of("", &[resource(ROOT, "mesh", 1, off), resource("shop", "ns", 2, on)].concat());
    assert!(!found.client.metrics[0].enabled.value());
    let enabled = &found.server.metrics[0].enabled;
    assert_eq!((enabled.value(), enabled.level()), (&true, Level::Namespace));
    assert_eq!(found.server.metrics[0].overrides.len(), 10);
    // A provider that is not scraped keeps no metrics.
    let other = of(r#""defaultProviders": {"metrics": ["stackdriver", "prometheus"]}"#, "");
    assert_eq!((other.client.metrics.len(), other.ignored.len()), (1, 1));
}

#[test]
fn spans_follow_the_proxys_settings_where_nobody_else_speaks() {
    let found = of("", "");
    let spans = found.client.spans.unwrap();
    assert_eq!((spans.provider, *spans.sampling_percent.value()), (None, 1.0));
    let own =
        r#""defaultConfig": {"tracing": {"sampling": 20, "customTags": {"t": {"literal": {"value": "v"}}}}}"#;
    let spans = of(own, "").client.spans.unwrap();
    assert_eq!((*spans.sampling_percent.value(), spans.sampling_percent.level()), (20.0, Level::Mesh));
    assert_eq!(spans.tags.value()["t"], SpanTag::Literal("v".into()));
    let off = of(r#""enableTracing": false"#, "");
    assert!(off.client.spans.is_none() && off.client.spans_off.is_some());
}

#[test]
fn spans_are_set_field_by_field_for_each_side() {
    let yaml = [
        resource(ROOT, "mesh", 1, "{tracing: [{providers: [{name: zip}], randomSamplingPercentage: 5}]}"),
        resource(
            "shop",
            "ns",
            2,
            "{tracing: [{match: {mode: CLIENT}, randomSamplingPercentage: 99.5, customTags: {\
             h: {header: {name: x, defaultValue: none}}}}, {match: {mode: SERVER}, disableSpanReporting: true}]}",
        ),
    ]
    .concat();
    let found = of("", &yaml);
    let spans = found.client.spans.unwrap();
    assert_eq!(spans.provider.as_ref().unwrap().value(), "zip");
    assert_eq!(&*spans.target.unwrap().cluster, "outbound|80||web.shop.svc.cluster.local");
    assert_eq!((*spans.sampling_percent.value(), spans.path_tag_bytes_max), (99.5, Some(9)));
    let shadowed: Vec<_> = spans.sampling_percent.shadowed().iter().map(|it| (it.level, it.value)).collect();
    assert_eq!(shadowed, [(Level::RootNamespace, 5.0), (Level::Default, 1.0)]);
    assert_eq!(spans.tags.value()["h"], SpanTag::Header { name: "x".into(), default: "none".into() });
    assert!(!spans.upstream_span);
    assert!(found.server.spans.is_none());
    assert_eq!(found.server.spans_off.unwrap().field(), "spec.tracing[1].disableSpanReporting");
}

#[test]
fn a_tracing_provider_that_is_not_there_takes_the_default_away() {
    let yaml = resource("shop", "ns", 2, "{tracing: [{providers: [{name: nobody}]}]}");
    let found = of(r#""defaultProviders": {"tracing": ["sky"]}"#, &yaml);
    assert!(found.client.spans.is_none());
    assert_eq!(found.client.spans_off.unwrap().field(), "spec.tracing[0].providers");
    let sky = of(r#""defaultProviders": {"tracing": ["sky"]}"#, "").client.spans.unwrap();
    assert!(sky.upstream_span);
}

#[test]
fn a_gateway_has_the_clients_side_alone() {
    let mesh = format!("{{{PROVIDERS}, \"defaultProviders\": {{\"accessLogging\": [\"logs\"]}}}}");
    let (snapshot, _) = resolve_with(&mesh, "");
    let found = compile(&View::new(&snapshot, &gateway("edge", "gw")));
    assert_eq!(found.side(Direction::Gateway).access_logs.len(), 1);
    assert_eq!(found.server, SideTelemetry::default());
}

#[test]
fn a_gateway_of_the_gateway_api_is_named_by_reference() {
    let spec = |name: &str| {
        format!(
            "{{targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: {name}}}], \
             accessLogging: [{{providers: [{{name: logs}}]}}]}}"
        )
    };
    let yaml =
        [resource("edge", "mine", 1, &spec("mine")), resource("edge", "other", 1, &spec("other"))].concat();
    let (snapshot, _) = resolve_with(&format!("{{{PROVIDERS}}}"), &yaml);
    let mut proxy = gateway("edge", "gw");
    assert!(compile(&View::new(&snapshot, &proxy)).applied.is_empty());
    proxy.labels.insert("gateway.networking.k8s.io/gateway-name", "mine");
    let found = compile(&View::new(&snapshot, &proxy));
    assert_eq!((found.applied.len(), logs(&found.client)), (1, vec!["logs"]));
}
