//! What `gateway` and `sidecar` are told on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use mesh::proxy_core::runtime::options::{Memory, PortMap};

/// Serve the traffic of one proxy of the mesh.
#[derive(Debug, Parser)]
#[command(
    after_help = "The configuration is read again whenever its files change; what cannot be read keeps its last good \
                  version. SIGTERM or SIGINT drains: not ready, answers tell clients to connect elsewhere, after two \
                  seconds no new connections, requests in flight finish. A second signal ends that (exit code 3).\n\n\
                  The shop's door on loopback, with a web tier that listens on port 19080:\n  \
                  gateway --config examples/shop --proxy gateway:istio-system/ingress-0 \\\n    \
                  --port-map 8080=127.0.0.1:18080 --endpoint 10.0.1.10:8080=127.0.0.1:19080\n  \
                  curl -i -H 'Host: shop.example.com' http://127.0.0.1:18080/"
)]
pub(crate) struct Args {
    /// Files and directories of Istio and Kubernetes YAML or JSON. May be repeated.
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub(super) config: Vec<PathBuf>,
    /// The proxy: a `proxy.json`, or a Pod of the configuration as `gateway:NAMESPACE/POD` or `sidecar:NAMESPACE/POD`.
    #[arg(long, value_name = "FILE")]
    pub(super) proxy: String,
    /// MeshConfig as a bare message; what it leaves out has Istio's defaults.
    #[arg(long, value_name = "FILE")]
    pub(super) mesh_config: Option<PathBuf>,
    /// The workload's certificate: a directory with `cert-chain.pem`, `key.pem` and `root-cert.pem`.
    #[arg(long, value_name = "DIR")]
    pub(super) identity: Option<PathBuf>,
    /// Listen at these addresses instead, each for a port of the configuration: `80=127.0.0.1:18080`,
    /// `in:8080=127.0.0.1:18081`, `out:10.96.0.30:5432=127.0.0.1:15432`. May be repeated, or separated by commas.
    #[arg(long, value_name = "MAP", value_delimiter = ',', value_parser = PortMap::parse)]
    pub(super) port_map: Vec<PortMap>,
    /// Serve readiness, configuration, metrics, explanations and drain at this loopback address.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) admin: Option<SocketAddr>,
    /// Append a line for every request and connection to this file; `/dev/stdout` is one.
    #[arg(long, value_name = "FILE")]
    pub(super) access_log: Option<PathBuf>,
    /// `text` or `json` (Istio's defaults), or a format string with Envoy's operators.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) access_log_format: String,
    /// Name decisions in answers (`x-mesh-decision`), for `GET /explain/ID` of the admin address.
    #[arg(long)]
    pub(super) name_decisions: bool,
    /// Take files that say nothing any more for what they say. Without it everything stays when a directory is empty all at
    /// once.
    #[arg(long)]
    pub(super) allow_empty: bool,
    /// Refuse a change that takes more than so many percent of the objects away, until `POST /confirm` at the admin address.
    /// Without it such a change is taken, and told of in the log where more than half of them go.
    #[arg(long, value_name = "PERCENT")]
    pub(super) drop_max: Option<u8>,
    /// Keep the objects in force in this file (no Secrets): a start while the files are broken or gone begins with them.
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Listen where another process does that says so too: one version then takes over from another that drains.
    #[arg(long)]
    pub(super) share_ports: bool,
    /// Give requests in flight so many seconds once a drain takes no connections any more. Without it the whole drain takes no
    /// longer than `terminationDrainDuration` of the proxy's settings (five seconds).
    #[arg(long, value_name = "SECONDS")]
    pub(super) drain: Option<u64>,
    /// Refuse requests and cut connections before the process has so many MiB of memory, or (`group`) before its control
    /// group has what it may have.
    #[arg(long, value_name = "MIB", value_parser = memory)]
    pub(super) memory_max: Option<Memory>,
    /// Reach an endpoint of the mesh elsewhere: `10.0.1.10:8080=127.0.0.1:19080`. May be repeated.
    #[arg(long, value_name = "ADDRESS=ADDRESS", value_delimiter = ',', value_parser = endpoint)]
    pub(super) endpoint: Vec<(String, String)>,
}

fn memory(text: &str) -> Result<Memory, String> {
    match text.parse::<u64>() {
        Ok(mebibytes @ 16..) => Ok(Memory::Process(mebibytes.saturating_mul(1 << 20))),
        Ok(_) => Err("less than 16 MiB is too little to run in".to_owned()),
        Err(_) if text == "group" => Ok(Memory::ControlGroup),
        Err(_) => Err("expected a number of MiB, or `group`".to_owned()),
    }
}

fn endpoint(text: &str) -> Result<(String, String), String> {
    let (mesh, local) = text.split_once('=').ok_or("expected ADDRESS=ADDRESS")?;
    local.parse::<SocketAddr>().map_err(|error| format!("`{local}`: {error}"))?;
    Ok((mesh.to_owned(), local.to_owned()))
}
