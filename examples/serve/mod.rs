//! What `gateway` and `sidecar` share: arguments, assembly, signals.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mesh::proxy_core::runtime::files::Files;
use mesh::proxy_core::runtime::log_writer::LogWriter;
use mesh::proxy_core::runtime::metrics::Metrics;
use mesh::proxy_core::runtime::options::{Listen, PortMap};
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::config_source::ConfigSource;
use mesh::proxy_core::seam::dial::SystemDial;
use mesh::proxy_core::seam::resolve::SystemResolver;
use mesh::proxy_core::telemetry::access_log::LineFormat;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    config: Vec<PathBuf>,
    /// The proxy: a `proxy.json`, or a Pod of the configuration as `gateway:NAMESPACE/POD` or `sidecar:NAMESPACE/POD`.
    #[arg(long, value_name = "FILE")]
    proxy: String,
    /// MeshConfig as a bare message; what it leaves out has Istio's defaults.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// The workload's certificate: a directory with `cert-chain.pem`, `key.pem` and `root-cert.pem`.
    #[arg(long, value_name = "DIR")]
    identity: Option<PathBuf>,
    /// Listen at these addresses instead, each for a port of the configuration: `80=127.0.0.1:18080`,
    /// `in:8080=127.0.0.1:18081`, `out:10.96.0.30:5432=127.0.0.1:15432`. May be repeated, or separated by commas.
    #[arg(long, value_name = "MAP", value_delimiter = ',', value_parser = PortMap::parse)]
    port_map: Vec<PortMap>,
    /// Serve readiness, configuration, metrics, explanations and drain at this loopback address.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Append a line for every request and connection to this file; `/dev/stdout` is one.
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// `text` or `json` (Istio's defaults), or a format string with Envoy's operators.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    access_log_format: String,
    /// Name decisions in answers (`x-mesh-decision`), for `GET /explain/ID` of the admin address.
    #[arg(long)]
    name_decisions: bool,
    /// Listen where another process does that says so too: one version then takes over from another that drains.
    #[arg(long)]
    share_ports: bool,
    /// Reach an endpoint of the mesh elsewhere: `10.0.1.10:8080=127.0.0.1:19080`. May be repeated.
    #[arg(long, value_name = "ADDRESS=ADDRESS", value_delimiter = ',', value_parser = endpoint)]
    endpoint: Vec<(String, String)>,
}

fn endpoint(text: &str) -> Result<(String, String), String> {
    let (mesh, local) = text.split_once('=').ok_or("expected ADDRESS=ADDRESS")?;
    local.parse::<SocketAddr>().map_err(|error| format!("`{local}`: {error}"))?;
    Ok((mesh.to_owned(), local.to_owned()))
}

/// Stack of every thread, in bytes, whatever limit the program was started with: what is nested deepest of all that is read
/// fits several times.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// Runs until a signal has drained the proxy.
pub(crate) fn main() -> ExitCode {
    let main = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(serve);
    main.ok().and_then(|main| main.join().ok()).unwrap_or(ExitCode::FAILURE)
}

fn serve() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // On one core there is nobody to hand work to.
    let mut runtime = match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match runtime.enable_all().thread_stack_size(STACK_BYTES).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(Args::parse()));
    // A configuration that is being read is of no use any more: nobody waits for it.
    runtime.shutdown_background();
    match ended {
        Ok(Drained::Whole) => ExitCode::SUCCESS,
        Ok(Drained::CutShort) => ExitCode::from(3),
        Err(problem) => {
            tracing::error!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// How a drain ended.
enum Drained {
    Whole,
    CutShort,
}

async fn run(args: Args) -> Result<Drained, String> {
    let mut files = Files::open(args.config, args.mesh_config, &args.proxy, args.identity)?;
    let loaded = files.load()?;
    for problem in &loaded.report {
        tracing::warn!("{problem}");
    }
    let mut options = Options::default();
    options.name_decisions = args.name_decisions;
    options.mesh_logs = true;
    options.share_ports = args.share_ports;
    options.patience.drain_notice = Duration::from_secs(2);
    if !args.port_map.is_empty() {
        options.listen = Listen::Mapped(args.port_map);
    }
    let metrics = Metrics::new(files.proxy());
    let host = |(address, _): &(String, String)| Some(address.rsplit_once(':')?.0.to_owned());
    let except = args.endpoint.iter().filter_map(host).collect();
    let mut builder = Proxy::builder(options)
        .resolver(SystemResolver { except })
        .dial(SystemDial { instead: args.endpoint.into_iter().collect() })
        .certificates(files.certificates())
        .metrics(metrics.clone())
        .workload(files.proxy().clone());
    if let Some(path) = &args.access_log {
        let format = match args.access_log_format.as_str() {
            "text" => LineFormat::text(""),
            "json" => LineFormat::json(None),
            format => LineFormat::text(&format!("{format}\n")),
        };
        let log = LogWriter::open(path, format).map_err(|error| format!("{}: {error}", path.display()))?;
        builder = builder.sink(log);
    }
    let proxy = builder.build(loaded.config);
    if let Some(address) = args.admin {
        let address = proxy.administer(address, Some(metrics)).await.map_err(|error| error.to_string())?;
        tracing::info!(%address, "administration");
    }
    for address in proxy.listen().await.map_err(|error| error.to_string())? {
        tracing::info!(%address, "listening");
    }
    let following = tokio::spawn({
        let proxy = proxy.clone();
        async move { proxy.follow(files).await }
    });
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    signals.next().await;
    tracing::info!("draining");
    let drained = tokio::select! {
        () = proxy.drain() => Drained::Whole,
        () = signals.next() => Drained::CutShort,
    };
    following.abort();
    Ok(drained)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
