//! The workload `mesh N` as text, a pure function of its size, and time on the processor.

use std::fmt::Write;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// Namespaces that the services of [`mesh_text`] are spread over.
const NAMESPACES: usize = 100;

/// The workload `mesh N`: N ServiceEntries (one HTTP port, an address, endpoints `v1` and `v2`) in 100 namespaces, N
/// VirtualServices of five routes (exact, prefix and header, prefix, regex, weighted default), N DestinationRules (two
/// subsets, connection pool, outlier detection). One YAML text per kind.
pub fn mesh_text(n: usize) -> [String; 3] {
    let mut texts = [String::new(), String::new(), String::new()];
    for index in 0..n {
        let [entries, virtual_services, rules] = &mut texts;
        entries.push_str(&service_entry(index));
        virtual_services.push_str(&virtual_service(index, 0));
        rules.push_str(&destination_rule(index, 0));
    }
    texts
}

/// The namespace of service `index`.
pub fn namespace(index: usize) -> String {
    format!("ns-{}", index % NAMESPACES)
}

/// The host of service `index`.
pub fn host(index: usize) -> String {
    format!("svc-{index}.{}.mesh.example", namespace(index))
}

/// ServiceEntry `index`.
pub fn service_entry(index: usize) -> String {
    let (host, namespace) = (host(index), namespace(index));
    let (high, low) = (index / 250, index % 250 + 1);
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: svc-{index}
  namespace: {namespace}
  creationTimestamp: \"2024-01-01T00:00:00Z\"
spec:
  hosts:
  - {host}
  addresses:
  - 240.1.{high}.{low}
  ports:
  - number: 80
    name: http
    protocol: HTTP
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:
  - address: 10.1.{high}.{low}
    labels:
      version: v1
  - address: 10.2.{high}.{low}
    labels:
      version: v2
"
    )
}

/// VirtualService `index`; `edit` changes a path, nothing else.
pub fn virtual_service(index: usize, edit: usize) -> String {
    let (host, namespace) = (host(index), namespace(index));
    let mut text = format!(
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: svc-{index}
  namespace: {namespace}
  creationTimestamp: \"2024-01-01T00:00:00Z\"
spec:
  hosts:
  - {host}
  http:
"
    );
    let matches = [
        format!("    - uri:\n        exact: /api/v1/items-{index}/{edit}\n"),
        "    - uri:\n        prefix: /api/v2\n      headers:\n        x-canary:\n          exact: \"true\"\n"
            .to_owned(),
        "    - uri:\n        prefix: /api/v2\n".to_owned(),
        "    - uri:\n        regex: /static/[a-z0-9]+/[a-z.]+\n".to_owned(),
    ];
    for (position, condition) in matches.iter().enumerate() {
        let subset = if position % 2 == 0 { "v1" } else { "v2" };
        let _ = write!(
            text,
            "  - match:\n{condition}    route:\n    - destination:\n        host: {host}\n        subset: {subset}\n"
        );
    }
    let _ = write!(
        text,
        "  - route:
    - destination:
        host: {host}
        subset: v1
      weight: 90
    - destination:
        host: {host}
        subset: v2
      weight: 10
"
    );
    text
}

/// DestinationRule `index`; `edit` changes a limit, nothing else.
pub fn destination_rule(index: usize, edit: usize) -> String {
    let (host, namespace) = (host(index), namespace(index));
    let connections = 100 + edit;
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: svc-{index}
  namespace: {namespace}
  creationTimestamp: \"2024-01-01T00:00:00Z\"
spec:
  host: {host}
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: {connections}
      http:
        http2MaxRequests: 1000
    outlierDetection:
      consecutive5xxErrors: 5
      interval: 10s
      baseEjectionTime: 30s
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
"
    )
}

/// Time on the processor, as far as the system tells it; for stages of some milliseconds on machines that others use too.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessorTime;

impl ProcessorTime {
    fn now() -> Duration {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanos = text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default();
        Duration::from_nanos(nanos)
    }
}

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        // Criterion cannot do with nothing at all.
        Self::now().saturating_sub(start).max(Duration::from_nanos(1))
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
