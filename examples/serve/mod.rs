//! What `gateway` and `sidecar` share: a proxy put together of the shipped parts, as the arguments say.

#[cfg(feature = "mimalloc")]
mod allocator;
mod args;

use std::process::ExitCode;
use std::time::Duration;

use args::Args;
use clap::Parser;
use mesh::proxy_core::runtime::files::Files;
use mesh::proxy_core::runtime::log_writer::LogWriter;
use mesh::proxy_core::runtime::metrics::Metrics;
use mesh::proxy_core::runtime::options::{Listen, Memory};
use mesh::proxy_core::runtime::{Options, Proxy, process};
use mesh::proxy_core::seam::config_source::ConfigSource;
use mesh::proxy_core::seam::dial::SystemDial;
use mesh::proxy_core::seam::resolve::SystemResolver;
use mesh::proxy_core::telemetry::access_log::LineFormat;

/// Runs until a signal has drained the proxy.
pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    #[cfg(feature = "mimalloc")]
    allocator::set(args.memory_max.unwrap_or(Memory::Unbounded));
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match process::run(|| run(args)).unwrap_or_else(|error| Err(error.to_string())) {
        Ok(process::Drained::Whole) => ExitCode::SUCCESS,
        Ok(process::Drained::CutShort) => ExitCode::from(3),
        Err(problem) => {
            tracing::error!("{problem}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> Result<process::Drained, String> {
    let files =
        Files::open_with_state(args.config, args.mesh_config, &args.proxy, args.identity, args.state)?;
    let mut files = files.allow_empty(args.allow_empty).drop_guard(args.drop_max);
    let loaded = files.load()?;
    let mut options = Options::default();
    options.name_decisions = args.name_decisions;
    options.mesh_logs = true;
    options.share_ports = args.share_ports;
    options.limits.memory = args.memory_max.unwrap_or(Memory::Unbounded);
    options.patience.drain_notice = Duration::from_secs(2);
    options.patience.drain = args.drain.map(Duration::from_secs);
    if !args.port_map.is_empty() {
        options.listen = Listen::Mapped(args.port_map);
    }
    let metrics = Metrics::new(files.proxy());
    let except = args.endpoint.iter().filter_map(|(of, _)| Some(of.rsplit_once(':')?.0.to_owned())).collect();
    let mut builder = Proxy::builder(options)
        .resolver(SystemResolver { except })
        .dial(SystemDial { instead: args.endpoint.into_iter().collect() })
        .certificates(files.certificates())
        .metrics(metrics.clone())
        .workload(files.proxy().clone());
    if let Some(path) = &args.access_log {
        let log = LogWriter::open(path, LineFormat::named(&args.access_log_format));
        builder = builder.sink(log.map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let proxy = builder.build_loaded(loaded);
    if let Some(address) = args.admin {
        let address = proxy.administer(address, Some(metrics)).await.map_err(|error| error.to_string())?;
        tracing::info!(%address, "administration");
    }
    for address in proxy.listen().await.map_err(|error| error.to_string())? {
        tracing::info!(%address, "listening");
    }
    proxy.serve_until_signalled(files).await.map_err(|error| error.to_string())
}
