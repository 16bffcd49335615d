//! `mesh explain`: one decision with the road it took.

use std::borrow::Cow;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use mesh_compile::compiler::compile;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy_identity::{Proxy, ProxyKind};
use mesh_compile::view::View;
use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::nearest;
use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
use mesh_proxy_core::decide::explain;
use mesh_proxy_core::query::Query;
use serde_json::json;

use crate::Unusable;
use crate::args::{Explain, Format};
use crate::load::resolve;
use crate::report::human;
use crate::{files, road, shadows, target};

/// A URL in the pieces that matter here.
struct Url<'a> {
    scheme: &'a str,
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

pub fn run(command: &Explain) -> Result<ExitCode, Unusable> {
    let (snapshot, mut read) = resolve(&command.config)?;
    let proxy = target::proxy(&command.proxy, &read.config)?;
    let view = View::new(&snapshot, &proxy);
    let (config, report) = compile(&view);
    read.report.merge(report);
    human::findings(&mut anstream::stderr().lock(), &read.report, &mut read.texts)?;

    let url = parse(&command.url)?;
    let headers = headers(command)?;
    let direction = match (proxy.kind, command.inbound) {
        (ProxyKind::Gateway, _) => Direction::Gateway,
        (ProxyKind::Sidecar, true) => Direction::Inbound,
        (ProxyKind::Sidecar, false) => Direction::Outbound,
    };
    let query = Query {
        direction,
        connection: connection(command, &url, direction, &proxy, &view),
        request: (command.method != "TCP").then(|| request(command, &url, &headers)),
        now: command.now.unwrap_or_else(jiff::Timestamp::now).as_second(),
    };
    let is_unknown = command.to.is_none() && resolve_host(url.host, &view).is_none();
    if direction == Direction::Outbound && is_unknown {
        writeln!(anstream::stderr(), "{}", unknown_host(url.host, &read.config))?;
    }
    let (decision, trace) = explain(&config, &query);
    let layers = shadows::of_decision(&view, &config, &query, &decision);
    let mut out = anstream::stdout().lock();
    match command.format {
        Format::Json => {
            let all = json!({"decision": decision, "steps": trace.steps, "layers": layers});
            writeln!(out, "{all:#}")?;
        }
        Format::Human => {
            road::steps(&mut out, &trace.steps)?;
            shadows::print(&mut out, &layers)?;
            let decision = serde_json::to_value(&decision).map_err(std::io::Error::from)?;
            road::decision(&mut out, &decision)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(text: &str) -> Result<Url<'_>, Unusable> {
    let unusable = |message: &str| Unusable::Input { what: text.to_owned(), message: message.to_owned() };
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| unusable("write it as http://host:port/path"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        "tcp" => 0,
        _ => return Err(unusable("schemes are http, https and tcp")),
    };
    let split = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => Some(authority.split_at(at)),
        _ => None,
    };
    let (host, port) = match split {
        Some((host, port)) => {
            (host, port[1..].parse().map_err(|_| unusable("the port is not a number up to 65535"))?)
        }
        None if default == 0 => return Err(unusable("a tcp URL names its port")),
        None => (authority, default),
    };
    Ok(Url { scheme, authority, host, port, path: if path.is_empty() { "/" } else { path } })
}

/// What a client that asks for this name does not know.
fn unknown_host(host: &str, config: &ConfigSet) -> String {
    let names = config.services.iter().map(|service| &*service.meta.name);
    let meant = match nearest(host.split('.').next().unwrap_or(host), names) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => ", and it is asked at an address that stands for any".to_owned(),
    };
    format!(
        "note: the proxy sees no service with an address called `{host}`{meant} (--to IP:PORT names an address)\n"
    )
}

fn headers(command: &Explain) -> Result<Vec<(String, String)>, Unusable> {
    let mut headers = Vec::new();
    for header in &command.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| Unusable::Input {
            what: header.clone(),
            message: "write a header as `name: value`".to_owned(),
        })?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    if let Some(path) = &command.jwt {
        let token = String::from_utf8_lossy(&files::read(path)?).trim().to_owned();
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    Ok(headers)
}

fn request<'a>(command: &'a Explain, url: &Url<'a>, headers: &'a [(String, String)]) -> RequestFacts<'a> {
    RequestFacts {
        version: if command.http2 { HttpVersion::Http2 } else { HttpVersion::Http11 },
        method: Cow::Borrowed(&command.method),
        scheme: Cow::Borrowed(if url.scheme == "https" { "https" } else { "http" }),
        authority: Cow::Borrowed(url.authority),
        path: Cow::Borrowed(url.path),
        headers: Headers {
            entries: headers
                .iter()
                .map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_bytes())))
                .collect(),
        },
    }
}

/// The connection that such a request arrives on.
fn connection<'a>(
    command: &'a Explain,
    url: &Url<'a>,
    direction: Direction,
    proxy: &Proxy,
    view: &View<'_>,
) -> ConnectionFacts<'a> {
    let unknown = IpAddr::V4(Ipv4Addr::new(1, 3, 3, 7));
    let (dst_ip, dst_port) = match (command.to, direction) {
        (Some(to), _) => (to.ip(), to.port()),
        (None, Direction::Outbound) => (resolve_host(url.host, view).unwrap_or(unknown), url.port),
        (None, _) => (proxy.ip.unwrap_or(unknown), workload_port(url.port, view)),
    };
    let mutual = command.from.as_deref();
    let tls = (url.scheme == "https" || mutual.is_some()).then(|| TlsFacts {
        sni: Some(Cow::Borrowed(url.host)),
        alpn: match (mutual, command.http2) {
            (Some(_), false) => vec!["istio-http/1.1".into(), "istio".into(), "http/1.1".into()],
            (Some(_), true) => vec!["istio-h2".into(), "istio".into(), "h2".into()],
            (None, false) => vec!["http/1.1".into()],
            (None, true) => vec!["h2".into()],
        },
        peer: mutual.map(Cow::Borrowed),
    });
    ConnectionFacts {
        src_ip: command.source.unwrap_or(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))),
        dst_ip,
        dst_port,
        tls,
        proxied_ip: None,
    }
}

/// The address DNS would give for a host: its own where it is one, else the service's.
fn resolve_host(host: &str, view: &View<'_>) -> Option<IpAddr> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
        return Some(ip);
    }
    let namespace = &view.proxy().namespace;
    let candidates = [
        host.to_owned(),
        format!("{host}.{namespace}.svc.cluster.local"),
        format!("{host}.svc.cluster.local"),
        format!("{host}.cluster.local"),
    ];
    let service = candidates.iter().find_map(|candidate| view.service(candidate))?;
    view.addresses(service)
        .iter()
        .find_map(|address| address.parse().ok())
        .filter(|ip: &IpAddr| !ip.is_unspecified())
}

/// Service port to workload port, where a service of this workload has it.
fn workload_port(port: u16, view: &View<'_>) -> u16 {
    view.service_targets()
        .iter()
        .find(|target| target.port.number == port)
        .map_or(port, |target| target.target_port)
}
