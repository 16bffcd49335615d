//! Where modules come from, and from where they do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh_model::extensions::traffic_extension::spec::WasmConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::limits;
use crate::runtime::tls::pins::sha256_hex;
use crate::runtime::wasm::fetch::ModuleFetch;
use crate::runtime::wasm::limits::WasmLimits;
use crate::runtime::wasm::module::Refusal;

/// A server that gives each connection the same answer; how many there were.
async fn server(head: &str, body: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (head, asked) = (head.to_owned(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    (address, asked)
}

fn config(url: String, sha256: &str) -> WasmConfig {
    WasmConfig { url, sha256: sha256.to_owned(), ..WasmConfig::default() }
}

async fn fetch(fetch: &ModuleFetch, url: String, sha256: &str) -> Result<Vec<u8>, Refusal> {
    fetch.fetch("shop", &config(url, sha256), &WasmLimits { module_bytes: 1000, ..limits() }).await
}

#[tokio::test]
async fn a_module_comes_over_http_and_once_where_its_checksum_is_known() {
    let (address, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"\0asm".to_vec()).await;
    let sha256 = sha256_hex(b"\0asm").unwrap();
    let own = ModuleFetch::default().allow_loopback();
    for _ in 0..3 {
        let module = fetch(&own, format!("http://{address}/a.wasm"), &sha256).await;
        assert_eq!(module.unwrap(), b"\0asm");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Without a checksum nobody knows whether it is still the same.
    for _ in 0..2 {
        fetch(&own, format!("http://{address}/a.wasm"), "").await.unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn w05_another_checksum_is_refused() {
    let (address, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"\0asm".to_vec()).await;
    let own = ModuleFetch::default().allow_loopback();
    let other = sha256_hex(b"another").unwrap();
    let found = sha256_hex(b"\0asm").unwrap();
    let refused = fetch(&own, format!("http://{address}/a.wasm"), &other).await;
    assert_eq!(refused, Err(Refusal::Checksum(found.clone())));
    let file = std::env::temp_dir().join(format!("mesh-fetched-{}.wasm", std::process::id()));
    std::fs::write(&file, b"\0asm").unwrap();
    let url = || format!("file://{}", file.display());
    assert_eq!(fetch(&own, url(), &other).await, Err(Refusal::Checksum(found.clone())));
    assert_eq!(fetch(&own, url(), &found).await.unwrap(), b"\0asm");
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(fetch(&own, url(), "").await, Err(Refusal::Fetch(_))));
    assert!(matches!(fetch(&own, "file:///dev/zero".to_owned(), "").await, Err(Refusal::Fetch(_))));
}

#[tokio::test]
async fn w05_addresses_of_this_machine_and_of_its_link_are_not_asked() {
    let (address, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"\0asm".to_vec()).await;
    for url in [
        format!("http://{address}/"),
        format!("http://[::ffff:127.0.0.1]:{}/", address.port()),
        format!("http://localhost:{}/", address.port()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[fe80::1]/".to_owned(),
        "http://0.0.0.0:15000/".to_owned(),
        "https://127.0.0.1:15000/".to_owned(),
        "gopher://10.0.0.1/".to_owned(),
    ] {
        let refused = fetch(&ModuleFetch::default(), url.clone(), "").await;
        assert!(matches!(refused, Err(Refusal::Fetch(_))), "{url}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn w05_a_redirect_leads_to_no_address_that_is_not_asked() {
    for target in ["http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "file:///etc/passwd"] {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let (address, asked) = server(&head, Vec::new()).await;
        let own = ModuleFetch::default().allow_loopback();
        let refused = fetch(&own, format!("http://{address}/"), "").await;
        assert!(matches!(refused, Err(Refusal::Fetch(_))), "{target}: {refused:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    // One that leads round and round ends.
    let (address, asked) =
        server("HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n", Vec::new()).await;
    let own = ModuleFetch::default().allow_loopback();
    assert!(fetch(&own, format!("http://{address}/"), "").await.is_err());
    assert!(asked.load(Ordering::SeqCst) <= 6);
}

#[tokio::test]
async fn w05_what_is_too_long_is_not_read_to_its_end() {
    // It says that it is a gigabyte, or says nothing and goes on.
    for head in ["HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let (address, _) = server(head, vec![0; 4 << 20]).await;
        let own = ModuleFetch::default().allow_loopback();
        let refused = fetch(&own, format!("http://{address}/"), "").await;
        assert_eq!(refused, Err(Refusal::TooLarge(1000)), "{head}");
    }
}

#[tokio::test]
async fn w05_who_is_slow_is_not_waited_for() {
    use crate::runtime::wasm::table::Wasm;
    use crate::seam::clock::SystemClock;
    let (address, _) = server("", Vec::new()).await;
    let quick = WasmLimits { fetch: Duration::from_millis(200), ..limits() };
    let modules = ModuleFetch::default().allow_loopback();
    let wasm = Wasm::new(quick, modules, Arc::new(SystemClock::default()));
    wasm.want(&wanted(&format!("http://{address}/")));
    let loading = wasm.load_all();
    tokio::time::timeout(Duration::from_secs(60), loading).await.expect("it is given up");
    let state = wasm.states().remove(0);
    assert!(matches!(state.problem, Some(Refusal::Fetch(_))), "{state:?}");
}

/// A plugin of this address.
fn wanted(url: &str) -> mesh_compile::proxy::extensions::Extensions {
    use mesh_compile::proxy::extensions::{ChainKind, Extension, Extensions, Phase};
    use mesh_model::extensions::traffic_extension::spec::ExtensionCode;
    let code = ExtensionCode::Wasm(Box::new(config(url.to_owned(), "")));
    let one = Extension {
        name: "shop.guest".into(),
        phase: Phase::Authn,
        priority: None,
        chain: ChainKind::Http,
        matches: Vec::new(),
        code,
        origin: mesh_model::origin::Origin::built_in("test"),
    };
    Extensions { all: vec![one] }
}
