//! The program `gateway` in a control group that bounds its memory, under clients that want more of it than there is.
//! Skipped where it was not built; without the right to make groups the bound is the program's own (`--memory-max`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::get;
use crate::fixture::door;
use crate::http2_attacks::{DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS, fields, frame};
use crate::process::Process;
use crate::shim::Shim;

const ROUTE: &str = "  - match: [{uri: {prefix: /wait}}]
    fault: {delay: {fixedDelay: 60s, percentage: {value: 100}}}
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
  - match: [{uri: {prefix: /body}}]
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
  - directResponse: {status: 200, body: {string: here}}
";

/// A control group of a bound.
struct Room {
    folder: PathBuf,
    is_first: bool,
}

impl Room {
    /// `None`: this machine or user cannot make one.
    fn new(mebibytes: u64) -> Option<Self> {
        let first = Path::new("/sys/fs/cgroup/memory");
        let is_first = first.join("memory.limit_in_bytes").exists();
        let folder = if is_first { first } else { Path::new("/sys/fs/cgroup") };
        let folder = folder.join(format!("mesh-test-{mebibytes}-{}", std::process::id()));
        std::fs::create_dir(&folder).ok()?;
        let room = Self { folder, is_first };
        let (limit, swap) = if is_first {
            ("memory.limit_in_bytes", "memory.swappiness")
        } else {
            ("memory.max", "memory.swap.max")
        };
        std::fs::write(room.folder.join(limit), (mebibytes << 20).to_string()).ok()?;
        let _ = std::fs::write(room.folder.join(swap), "0");
        Some(room)
    }

    /// What a shell does to go in.
    fn enter(&self) -> String {
        format!("echo $$ > {}/cgroup.procs && ", self.folder.display())
    }

    /// How many were killed for want of memory.
    fn killed(&self) -> u64 {
        let file = if self.is_first { "memory.oom_control" } else { "memory.events" };
        let told = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.map_or(0, |count| count.trim().parse().unwrap())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for _ in 0..50 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Bytes of memory that a process has now, and the most that it had.
fn memory(process: &Process) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// What a client says, piece by piece and without end; every connection takes some memory for as long as it is open.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Bodies that nobody takes from the proxy.
    Bodies,
    /// Heads that do not end.
    Heads,
    /// Streams with large heads that wait.
    Streams,
}

impl Flood {
    /// Connections at once that want twice the bound and more.
    fn connections(self, mebibytes: u64) -> u64 {
        match self {
            Self::Bodies => mebibytes * 2,
            Self::Heads => mebibytes * 36,
            Self::Streams => mebibytes,
        }
    }

    async fn say(self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Self::Bodies => {
                let opening: [(&[u8], &[u8]); 4] = [
                    (b":method", b"POST"),
                    (b":scheme", b"http"),
                    (b":path", b"/body"),
                    (b":authority", b"a"),
                ];
                let mut said = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
                for at in 0..20 {
                    said.extend(frame(HEADERS, END_HEADERS, 2 * at + 1, &fields(&opening)));
                }
                stream.write_all(&said).await?;
                // As much as the window of a connection lets through.
                for at in 0..60 {
                    stream.write_all(&frame(DATA, 0, 2 * (at % 20) + 1, &[b'x'; 16_384])).await?;
                }
            }
            Self::Heads => {
                stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await?;
                for at in 0..14 {
                    stream.write_all(format!("x-{at}: {}\r\n", "y".repeat(4000)).as_bytes()).await?;
                }
            }
            Self::Streams => {
                stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await?;
                let fill = vec![b'z'; 15_000];
                let waiting: [(&[u8], &[u8]); 5] = [
                    (b":method", b"GET"),
                    (b":scheme", b"http"),
                    (b":path", b"/wait"),
                    (b":authority", b"a"),
                    (b"x-fill", &fill),
                ];
                let fields = fields(&waiting);
                for at in 0..100 {
                    stream.write_all(&frame(HEADERS, END_HEADERS, 2 * at + 1, &fields)).await?;
                }
            }
        }
        Ok(())
    }
}

/// Keeps a connection open that floods, and makes another where it is cut, until it is told to stop.
async fn flood(flood: Flood, address: SocketAddr, stop: Arc<AtomicBool>, cut: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else { return };
        let said = flood.say(&mut stream).await;
        let mut answer = [0; 4096];
        while said.is_ok() && matches!(stream.read(&mut answer).await, Ok(1..)) {}
        if !stop.load(Ordering::Relaxed) {
            cut.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The status of an honest client's request; 0: it was cut or waited for too long.
async fn honest(address: SocketAddr) -> u16 {
    let asking = tokio::spawn(async move { get(address, "a", "/").await.status });
    tokio::time::timeout(Duration::from_secs(2), asking).await.map_or(0, |answer| answer.unwrap_or(0))
}

/// Floods a gateway of a bound with everything in turn.
async fn floods(mebibytes: u64) {
    let unread = Shim::start(|heard| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(heard);
    })
    .await;
    let room = Room::new(mebibytes);
    let own = mebibytes.to_string();
    let (limit, more) = match &room {
        Some(room) => (room.enter(), vec!["--memory-max", "group"]),
        None => {
            eprintln!("no control group can be made here: the bound is the program's own");
            (String::new(), vec!["--memory-max", &*own])
        }
    };
    let name = format!("x03-{mebibytes}");
    let Some(mut process) = Process::start_with(&name, &door(ROUTE), unread.address, &limit, &more) else {
        return;
    };
    for _ in 0..200 {
        assert_eq!(honest(process.address).await, 200);
    }
    let bound = mebibytes << 20;
    let (baseline, _) = memory(&process);
    println!("{mebibytes} MiB: {} KiB before", baseline >> 10);
    for kind in [Flood::Heads, Flood::Streams, Flood::Bodies] {
        let (stop, cut) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..kind.connections(mebibytes))
            .map(|_| tokio::spawn(flood(kind, process.address, Arc::clone(&stop), Arc::clone(&cut))))
            .collect();
        let started = Instant::now();
        let mut answered = Vec::new();
        while started.elapsed() < Duration::from_secs(4) {
            answered.push(honest(process.address).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.store(true, Ordering::Relaxed);
        clients.iter().for_each(tokio::task::JoinHandle::abort);
        let shed = cut.load(Ordering::Relaxed);
        let ended = Instant::now();
        assert!(process.child.try_wait().unwrap().is_none(), "{kind:?}: it ended");
        assert_eq!(room.as_ref().map_or(0, Room::killed), 0, "{kind:?}: something was killed");
        let (_, most) = memory(&process);
        // All of it is given back, and requests are served; a thread gives back what it has when it has something to do.
        let mut now = memory(&process).0;
        while now > baseline + baseline / 10 && ended.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            honest(process.address).await;
            now = memory(&process).0;
        }
        println!(
            "{mebibytes} MiB, {kind:?}: {shed} connections cut, {} KiB at most, {} KiB {:?} after; honest: {answered:?}",
            most >> 10,
            now >> 10,
            ended.elapsed()
        );
        assert!(shed > 0, "{kind:?}: nothing was shed: there was no need to");
        // Pages of the program itself may be counted against another group: the group has its own account.
        assert!(room.is_some() || most < bound, "{kind:?}: {most} bytes");
        assert!(now <= baseline + baseline / 10, "{kind:?}: {now} bytes are kept of {baseline}");
        assert_eq!(honest(process.address).await, 200, "{kind:?}: afterwards");
    }
    process.signal("-TERM");
    assert_eq!(process.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x03_floods_never_take_more_memory_than_there_is_and_leave_nothing() {
    for mebibytes in [64, 128, 256] {
        floods(mebibytes).await;
    }
}
