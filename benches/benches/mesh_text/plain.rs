//! Plain derived structs of the workload's resources: what the peers decode into. One struct of optional fields, so
//! that no peer pays for looking at the kind first.
#![allow(dead_code, reason = "decoded, then dropped")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Spec,
}

#[derive(Debug, Deserialize)]
pub struct List {
    pub items: Vec<Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub creation_timestamp: String,
    pub resource_version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    pub r#type: Option<String>,
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<String>,
    pub selector: Option<BTreeMap<String, Value>>,
    pub ports: Vec<Port>,
    pub session_affinity: Option<String>,
    pub internal_traffic_policy: Option<String>,
    pub hosts: Vec<String>,
    pub export_to: Vec<String>,
    pub http: Vec<Route>,
    pub host: Option<String>,
    pub traffic_policy: Option<TrafficPolicy>,
    pub subsets: Vec<Subset>,
    pub action: Option<String>,
    pub rules: Vec<Rule>,
    pub location: Option<String>,
    pub resolution: Option<String>,
    pub endpoints: Vec<Endpoint>,
    pub servers: Vec<Server>,
    pub mtls: Option<Mtls>,
    pub port_level_mtls: BTreeMap<u32, Mtls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    pub name: String,
    pub port: Option<u32>,
    pub number: Option<u32>,
    pub target_port: Option<u32>,
    pub protocol: String,
    pub app_protocol: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Route {
    pub name: String,
    pub r#match: Vec<Match>,
    pub route: Vec<Weighted>,
    pub timeout: Option<String>,
    pub retries: Option<Retries>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Match {
    pub uri: Option<Text>,
    pub headers: BTreeMap<String, Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Text {
    pub exact: Option<String>,
    pub prefix: Option<String>,
    pub regex: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Weighted {
    pub destination: Destination,
    pub weight: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    pub host: String,
    pub subset: String,
    pub port: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Number {
    pub number: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retries {
    pub attempts: i32,
    pub per_try_timeout: String,
    pub retry_on: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicy {
    pub connection_pool: Option<ConnectionPool>,
    pub outlier_detection: Option<OutlierDetection>,
    pub load_balancer: Option<LoadBalancer>,
    pub tls: Option<Tls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConnectionPool {
    pub tcp: Option<TcpPool>,
    pub http: Option<HttpPool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpPool {
    pub max_connections: i32,
    pub connect_timeout: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPool {
    #[serde(rename = "http1MaxPendingRequests")]
    pub http1_max_pending_requests: i32,
    #[serde(rename = "http2MaxRequests")]
    pub http2_max_requests: i32,
    pub max_requests_per_connection: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlierDetection {
    #[serde(rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: i32,
    pub interval: String,
    pub base_ejection_time: String,
    pub max_ejection_percent: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    pub simple: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tls {
    pub mode: String,
    pub credential_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subset {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub traffic_policy: Option<TrafficPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rule {
    pub from: Vec<From>,
    pub to: Vec<To>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct From {
    pub source: Source,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    pub principals: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct To {
    pub operation: Operation,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Operation {
    pub methods: Vec<String>,
    pub paths: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    pub address: String,
    pub labels: BTreeMap<String, String>,
    pub locality: String,
    pub weight: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Server {
    pub port: Port,
    pub hosts: Vec<String>,
    pub tls: Option<Tls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Mtls {
    pub mode: String,
}
