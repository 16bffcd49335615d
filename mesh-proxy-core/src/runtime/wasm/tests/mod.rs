//! Hostile modules, as text. What each row of the fault matrix asks of a proxy is in `docs/hardening.md`.

mod calls;
mod fetched;
mod hostile;
mod images;
mod refused;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use mesh_compile::proxy::listener::Direction as Way;
use tokio::sync::Notify;

use super::fields::{Fields, Whose};
use super::host::Stream;
use super::limits::WasmLimits;
use super::machine::Machine;
use super::module::{Refusal, compile};
use super::properties::{Asked, Facts};
use super::shared::Shared;
use super::vm::Vm;
use crate::seam::clock::SystemClock;

/// Bounds whose times are wide enough for busy machines; what is cut is cut all the same.
fn limits() -> WasmLimits {
    WasmLimits {
        call: Duration::from_millis(200),
        start: Duration::from_secs(2),
        compile: Duration::from_secs(60),
        instances: 1,
        ..WasmLimits::default()
    }
}

/// A module: what every one has, and `more`. `imports`: functions of the proxy, by their parameters.
fn guest(imports: &[(&str, &str)], more: &str) -> String {
    let imports: String = imports
        .iter()
        .map(|(name, parameters)| {
            format!("(import \"env\" \"{name}\" (func ${name} (param {parameters}) (result i32)))\n")
        })
        .collect();
    format!(
        "(module\n{imports}
        (memory (export \"memory\") 2)
        (global $free (mut i32) (i32.const 65536))
        (func (export \"proxy_abi_version_0_2_1\"))
        (func (export \"proxy_on_memory_allocate\") (param i32) (result i32)
            (global.get $free)
            (global.set $free (i32.add (global.get $free) (local.get 0))))
        {more})"
    )
}

/// A module that does something when it is told of a request's headers.
fn on_request(imports: &[(&str, &str)], code: &str) -> String {
    guest(
        imports,
        &format!("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {code})"),
    )
}

fn shared(limits: WasmLimits, configuration: &str) -> Arc<Shared> {
    let clock = Arc::new(SystemClock::default());
    let environment = vec![("MODE".to_owned(), "test".to_owned())];
    let shared = Shared::new(
        "shop.guest".into(),
        "root".to_owned(),
        configuration.into(),
        environment,
        limits,
        clock,
        Arc::default(),
    );
    Arc::new(shared)
}

fn start_with(limits: WasmLimits, wat: &str, configuration: &str) -> Result<Vm, Refusal> {
    let machine = Arc::new(Machine::new(limits).unwrap());
    let compiled = compile(&machine, wat::parse_str(wat).unwrap())?;
    Vm::start(&compiled, &shared(limits, configuration))
}

fn start(wat: &str) -> Vm {
    start_with(limits(), wat, "{}").unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn facts() -> Arc<Facts> {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Arc::new(Facts {
        client: address("10.0.0.7:4000"),
        destination: address("10.0.0.9:8080"),
        direction: Way::Inbound,
        protocol: "HTTP/1.1",
        server_name: None,
        peer: Some("spiffe://cluster.local/ns/shop/sa/web".to_owned()),
        has_certificate: true,
        began: SystemTime::UNIX_EPOCH + Duration::from_secs(7),
        request: Asked::default(),
    })
}

/// A stream whose request has a few headers.
fn stream() -> Stream {
    let mut lines = HeaderMap::new();
    lines.insert("x-user", "ann".parse().unwrap());
    lines.insert("content-length", "5".parse().unwrap());
    let pseudo = vec![
        (":authority", "reviews".to_owned()),
        (":path", "/a?b=1".to_owned()),
        (":method", "GET".to_owned()),
        (":scheme", "http".to_owned()),
    ];
    let mut stream = Stream::new(facts(), Arc::new(Notify::new()));
    stream.request.headers = Some(Fields::new(Whose::Request, pseudo, lines));
    stream
}

/// Text at a place of the memory.
fn data(at: u32, text: &str) -> String {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{escaped}\")")
}
