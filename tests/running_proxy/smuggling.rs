//! The hostile messages of `http1_attacks` through the gateway to three kinds of server: each hears of as many requests as
//! the gateway sent, and never of the one that hides. nginx and HAProxy are skipped where they are not installed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh::proxy_core::runtime::Options;
use tokio::net::TcpStream;

use crate::client::say_and_end;
use crate::fixture::{GATEWAY, config, door, start_with};
use crate::http1_attacks;
use crate::upstream::Upstream;

/// A server that is not ours, and the log that it writes a line into for every request.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    fn start(name: &str, command: impl FnOnce(&PathBuf, SocketAddr) -> Command) -> Option<Self> {
        if !Command::new(name).arg("-v").output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: {name} is not installed");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("mesh-smuggling-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let address = free();
        let mut command = command(&folder, address);
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let server =
            Self { child: command.stdout(log).stderr(Stdio::null()).spawn().unwrap(), address, folder };
        for _ in 0..200 {
            if std::net::TcpStream::connect(address).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("{name} does not listen");
    }

    fn nginx() -> Option<Self> {
        Self::start("nginx", |folder, address| {
            let at = folder.display();
            let text = format!(
                "daemon off; master_process off; user root; pid {at}/pid; error_log {at}/error;\nevents {{}}\nhttp {{\n\
                 log_format plain '$request'; access_log {at}/log plain;\n\
                 client_body_temp_path {at}; proxy_temp_path {at}; fastcgi_temp_path {at}; uwsgi_temp_path {at}; scgi_temp_path {at};\n\
                 server {{ listen {address}; location / {{ return 200 'nginx'; }} }}\n}}\n"
            );
            let file = folder.join("nginx.conf");
            std::fs::write(&file, text).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-e").arg(folder.join("error")).arg("-p").arg(folder).arg("-c").arg(file);
            command
        })
    }

    fn haproxy() -> Option<Self> {
        Self::start("haproxy", |folder, address| {
            let text = format!(
                "global\n  log stdout format raw local0\ndefaults\n  mode http\n  log global\n  timeout client 5s\n  timeout server 5s\n  \
                 timeout connect 5s\nfrontend f\n  bind {address}\n  log-format \"%{{+Q}}r\"\n  \
                 http-request return status 200 content-type text/plain string haproxy\n"
            );
            let file = folder.join("haproxy.cfg");
            std::fs::write(&file, text).unwrap();
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(file);
            command
        })
    }

    /// Request lines, once nothing more comes; those of connections without a request are left out.
    async fn heard(&self) -> Vec<String> {
        let read = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let mut before = read();
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = read();
            if now == before {
                let lines = now.lines().map(|line| line.trim_matches('"').to_owned());
                return lines
                    .filter(|line| !line.is_empty() && line != "<BADREQ>" && !line.contains("started"))
                    .collect();
            }
            before = now;
        }
    }
}

/// Sends every message; how many requests the gateway sent on, and how many of these were answered as good ones. The others
/// broke off within their bodies: the server may have heard of them, or not yet.
async fn sent_on(upstream: SocketAddr) -> (usize, usize) {
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    let text = door(
        "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n",
    );
    let running =
        start_with(config(&text, GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder).await;
    for (_, bytes, _) in http1_attacks::all() {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let _ = say_and_end(&mut stream, &bytes).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let records = running.records.take();
    let sent = records.iter().filter(|record| record.attempts > 0);
    (sent.clone().count(), sent.filter(|record| record.status < 400).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m17_a_server_hears_of_as_many_requests_as_were_sent_on() {
    let upstream = Upstream::start("reviews").await;
    let (sent, good) = sent_on(upstream.address).await;
    let heard = upstream.take();
    assert!((good..=sent).contains(&heard.len()), "hyper: {} of {sent}, {good} good", heard.len());
    let whole = heard.iter().filter(|seen| !seen.body.starts_with("broken")).count();
    assert_eq!(whole, good, "hyper");
    assert!(good > 20, "{good}");
    assert!(!heard.iter().any(|seen| seen.target.contains("hidden")));
    for (name, server) in [("nginx", Server::nginx()), ("haproxy", Server::haproxy())] {
        let Some(server) = server else { continue };
        let (sent, good) = sent_on(server.address).await;
        let heard = server.heard().await;
        assert!(
            (good..=sent).contains(&heard.len()),
            "{name}: {} of {sent}, {good} good: {heard:#?}",
            heard.len()
        );
        assert!(!heard.iter().any(|line| line.contains("hidden")), "{name}: {heard:#?}");
    }
}
