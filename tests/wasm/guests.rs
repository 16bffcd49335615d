//! Modules as text, and proxies that run them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::wasm::WasmState;

use crate::fixture::{GATEWAY, Running, config, door, start_with};
use crate::upstream::Upstream;

/// What modules of these tests have: memory, an allocator, and some functions of the proxy.
const PRELUDE: &str = r#"
(import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
(import "env" "proxy_set_buffer_bytes" (func $set_body (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_send_local_response" (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_effective_context" (func $on (param i32) (result i32)))
(import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
(import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
(memory (export "memory") 2)
(global $free (mut i32) (i32.const 65536))
(func (export "proxy_on_memory_allocate") (param i32) (result i32)
    (if (i32.gt_u (i32.add (global.get $free) (local.get 0)) (i32.const 131072))
        (then (global.set $free (i32.const 65536))))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get 0))))
(func (export "proxy_abi_version_0_2_1"))
(func $must (param i32) (if (local.get 0) (then unreachable)))
"#;

/// A module; `texts` are put into its memory, one every 256 bytes.
pub fn module(texts: &[&str], code: &str) -> Vec<u8> {
    let data: String = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            format!("(data (i32.const {}) \"{escaped}\")\n", at * 256)
        })
        .collect();
    wat::parse_str(format!("(module {PRELUDE} {data} {code})")).unwrap()
}

/// Code that says something to a request's headers, and goes on.
pub fn on_request(code: &str) -> String {
    format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {code} (i32.const 0))"
    )
}

/// Adds a line `x-order: NAME` to requests and answers.
pub fn marking(name: &str) -> Vec<u8> {
    let add = |map: u32| {
        format!(
            "(call $must (call $add (i32.const {map}) (i32.const 0) (i32.const 7) (i32.const 256) (i32.const {})))",
            name.len()
        )
    };
    let code = format!(
        "{}
        (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) {} (i32.const 0))",
        on_request(&add(0)),
        add(2)
    );
    module(&["x-order", name], &code)
}

/// A module in a file of its own.
pub struct File(pub PathBuf);

impl File {
    pub fn new(bytes: &[u8]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("mesh-wasm-{}-{}.wasm", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    /// A resource of the gateway that names it.
    pub fn plugin(&self, name: &str, more: &str) -> String {
        format!(
            "---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n\
             metadata: {{name: {name}, namespace: edge}}\nspec:\n  url: file://{}\n{more}\n",
            self.0.display()
        )
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Everything to `reviews`.
pub const ROUTE: &str = "  - retries: {attempts: 0}
    route: [{destination: {host: reviews.shop.svc.cluster.local, subset: v1}}]\n";

/// Calls may take long where a test runs beside many others.
pub fn options() -> Options {
    let mut options = Options::default();
    options.wasm.call = Duration::from_millis(500);
    options.wasm.start = Duration::from_secs(10);
    options.wasm.compile = Duration::from_secs(60);
    options.wasm.instances = 2;
    options
}

/// A gateway with plugins, which it has tried to load.
pub async fn gateway(plugins: &str, upstream: &Upstream) -> Running {
    let text = format!("{}\n{plugins}", door(ROUTE));
    let endpoints = [("10.0.1.1:9080", upstream.address)];
    let running = start_with(config(&text, GATEWAY), &["80"], &endpoints, options(), |it| it).await;
    settled(&running, |states| states.iter().all(|it| it.is_current || it.problem.is_some())).await;
    running
}

/// Waits until plugins stand as they should.
pub async fn settled(running: &Running, are: impl Fn(&[WasmState]) -> bool) {
    for _ in 0..600 {
        if are(&running.proxy.wasm_states()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?}", running.proxy.wasm_states());
}
