//! Files that change faster than they can be read, and files that are lost.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mesh::proxy_core::runtime::drop_guard::DropGuard;
use mesh::proxy_core::runtime::files::Files;
use mesh::proxy_core::runtime::options::{Listen, PortMap};
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::config_source::ConfigSource;
use mesh::proxy_core::seam::dial::SystemDial;

use crate::alone::{is_alone, peak_memory};
use crate::client::get;
use crate::fixture::{SIDECAR, reviews};

fn answering(text: &str) -> String {
    reviews(&format!("  - directResponse: {{status: 200, body: {{string: \"{text}\"}}}}\n"))
}

/// A folder that is gone with the test.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("mesh-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("config")).unwrap();
    std::fs::write(folder.join("proxy.txt"), SIDECAR).unwrap();
    folder
}

fn open(folder: &Path) -> Files {
    let proxy = folder.join("proxy.txt").display().to_string();
    Files::open(vec![folder.join("config")], None, &proxy, None).unwrap()
}

/// Writes a file over and over, each time in one step, until told to stop; when each version was there.
fn flap(file: &Path, stop: &AtomicBool) -> Vec<Instant> {
    let beside = file.with_extension("new");
    let mut written = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        std::fs::write(&beside, answering(&written.len().to_string())).unwrap();
        std::fs::rename(&beside, file).unwrap();
        written.push(Instant::now());
    }
    written
}

/// One object flaps as fast as a disk takes it: what is served is never much older than what is there, the last version
/// wins, and memory does not grow with their number.
#[test]
fn c02_a_file_that_never_rests_is_followed_and_costs_no_memory() {
    const VERSIONS: usize = 10_000;
    /// A second is wanted; a machine that builds beside it may be late.
    const STALE_MAX: Duration = Duration::from_secs(4);
    if !is_alone("storm::c02_a_file_that_never_rests_is_followed_and_costs_no_memory", &[]) {
        return;
    }
    let folder = folder("c02");
    let file = folder.join("config/mesh.yaml");
    std::fs::write(&file, answering("0")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut files = open(&folder);
        let mut options = Options::default();
        options.listen = Listen::Mapped(vec![PortMap::parse("9080=127.0.0.1:0").unwrap()]);
        let loaded = files.load().unwrap();
        let proxy = Proxy::builder(options).dial(SystemDial::default()).build(loaded.config);
        let address = proxy.listen().await.unwrap()[0];
        let following = tokio::spawn({
            let proxy = proxy.clone();
            async move { proxy.follow(files).await }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let writing = std::thread::spawn({
            let (file, stop) = (file.clone(), Arc::clone(&stop));
            move || flap(&file, &stop)
        });
        let started = Instant::now();
        let mut seen: Vec<(usize, Instant)> = Vec::new();
        let mut warm = 0;
        // As long as ten thousand versions take, and five seconds at least.
        while started.elapsed() < Duration::from_secs(5)
            || (seen.last().is_none_or(|last| last.0 < VERSIONS)
                && started.elapsed() < Duration::from_secs(40))
        {
            let asked = Instant::now();
            let version = get(address, "reviews", "/").await.body.parse().unwrap();
            seen.push((version, asked));
            if warm == 0 && started.elapsed() > Duration::from_secs(2) {
                warm = peak_memory();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.store(true, Ordering::Relaxed);
        let written = writing.join().unwrap();
        let served_after = Instant::now();
        assert!(written.len() > VERSIONS, "{} versions", written.len());
        // How long the version that was served had been replaced when it was asked for.
        let stale = |(version, asked): &(usize, Instant)| {
            written.get(version + 1).map_or(Duration::ZERO, |next| asked.saturating_duration_since(*next))
        };
        let mut ages: Vec<Duration> = seen.iter().map(stale).collect();
        ages.sort_unstable();
        let (median, worst) = (ages[ages.len() / 2], *ages.last().unwrap());
        let kinds: std::collections::BTreeSet<usize> = seen.iter().map(|it| it.0).collect();
        println!(
            "{} versions, {} were served, {median:?} old, {worst:?} at worst",
            written.len(),
            kinds.len()
        );
        assert!(worst <= STALE_MAX, "{worst:?} old");
        // Debounced: most versions were never read.
        assert!(kinds.len() * 100 < written.len(), "{} of {} were read", kinds.len(), written.len());
        let last = (written.len() - 1).to_string();
        while get(address, "reviews", "/").await.body != last {
            assert!(served_after.elapsed() < STALE_MAX, "the last version is not served");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let grown = peak_memory().saturating_sub(warm);
        assert!(grown <= 4 << 20, "{grown} bytes more than after two seconds");
        following.abort();
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A directory that is empty all at once is rather lost than meant: nothing is taken away but where that was asked for.
#[test]
fn c03_files_that_say_nothing_any_more_take_nothing_away_unless_they_may() {
    let policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: none, namespace: shop}\n\
                  spec: {}\n";
    for (may_be_empty, name) in [(false, "c03-kept"), (true, "c03-emptied")] {
        let folder = folder(name);
        let (mesh, denial) = (folder.join("config/mesh.yaml"), folder.join("config/policy.yaml"));
        std::fs::write(&mesh, answering("one")).unwrap();
        std::fs::write(&denial, policy).unwrap();
        let mut files = open(&folder).allow_empty(may_be_empty);
        let tables = |files: &mut Files| files.load().map(|loaded| loaded.config.route_tables.len());
        let before = tables(&mut files).unwrap();
        // One file that goes is meant: the others are there.
        std::fs::remove_file(&denial).unwrap();
        assert_eq!(tables(&mut files), Ok(before));
        std::fs::remove_file(&mesh).unwrap();
        let after = tables(&mut files);
        if may_be_empty {
            assert!(after.is_ok_and(|tables| tables < before));
        } else {
            assert!(after.is_err_and(|told| told.contains("say nothing any more")));
        }
        // They come again, and everything is as it was.
        std::fs::write(&mesh, answering("one")).unwrap();
        assert_eq!(tables(&mut files), Ok(before));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

/// Most files are gone and some are left: nothing goes before somebody says that it is meant.
#[tokio::test]
async fn s02_a_change_that_takes_most_objects_away_waits_for_a_confirmation() {
    let folder = folder("s02");
    let (mesh, denial) = (folder.join("config/mesh.yaml"), folder.join("config/other.yaml"));
    let other = "apiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: shop}\n\
                 spec: {ports: [{name: http, port: 9080}]}\n";
    std::fs::write(&mesh, answering("one")).unwrap();
    std::fs::write(&denial, other).unwrap();
    let has_route = |loaded: Result<mesh::proxy_core::seam::config_source::Loaded, String>| {
        loaded.map(|loaded| format!("{:?}", loaded.config.route_tables).contains("reviews"))
    };
    // By itself such a change is told of, and taken.
    let mut warned = open(&folder);
    let mut guarded = open(&folder).drop_guard(DropGuard::Refuse(50));
    assert_eq!((has_route(warned.load()), has_route(guarded.load())), (Ok(true), Ok(true)));
    std::fs::remove_file(&mesh).unwrap();
    assert_eq!(has_route(warned.load()), Ok(false));
    assert!(has_route(guarded.load()).is_err_and(|told| told.contains("stay until that is confirmed")));
    // What is confirmed is one change.
    guarded.confirm();
    assert_eq!(has_route(guarded.load()), Ok(false));
    std::fs::write(&mesh, answering("one")).unwrap();
    assert_eq!(has_route(guarded.load()), Ok(true));
    std::fs::remove_file(&mesh).unwrap();
    assert!(has_route(guarded.load()).is_err());

    // The same of a proxy that runs, by its administration address.
    std::fs::write(&mesh, answering("one")).unwrap();
    let mut files = open(&folder).drop_guard(DropGuard::Refuse(50));
    let mut options = Options::default();
    options.listen = Listen::Mapped(vec![PortMap::parse("9080=127.0.0.1:0").unwrap()]);
    let loaded = files.load().unwrap();
    let proxy = Proxy::builder(options).dial(SystemDial::default()).build(loaded.config);
    let address = proxy.listen().await.unwrap()[0];
    let admin = proxy.administer("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let following = tokio::spawn({
        let proxy = proxy.clone();
        async move { proxy.follow(files).await }
    });
    std::fs::remove_file(&mesh).unwrap();
    let begun = Instant::now();
    while proxy.follow_counts().failed == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(address, "reviews", "/").await.body, "one");
    let told = crate::client::request(admin, "POST /confirm", &[("host", "localhost")], "").await;
    assert_eq!(told.status, 202);
    while get(address, "reviews", "/").await.body == "one" {
        assert!(begun.elapsed() < Duration::from_secs(40), "it was confirmed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    following.abort();
    std::fs::remove_dir_all(&folder).unwrap();
}
