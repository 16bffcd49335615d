use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::process::page_bytes;
use super::*;

/// A bound, and a thousandth of what is left of it without the part that is never given away.
const BOUND: u64 = 40_000 << 20;
const THOUSANDTH: u64 = 39 << 20;

fn bounded(bound: u64) -> Arc<Pressure> {
    let pressure = Pressure::new(Memory::Process(bound));
    assert!(pressure.is_bounded(), "this system keeps no account of memory");
    Arc::new(pressure)
}

proptest! {
    /// By the table of the page: what is done depends on the use, and for what is shed on whether it was shed before.
    #[test]
    fn levels_are_those_of_the_table(used in 0_u64..1100, was in 0_u8..5) {
        let was = Level::of(was);
        let now = was.after(used * THOUSANDTH, BOUND);
        prop_assert_eq!(now == Level::Paused, used >= 970);
        prop_assert_eq!(now >= Level::Over, used >= 950 || used >= 900 && was >= Level::Over);
        prop_assert_eq!(now >= Level::Full, used >= 900);
        prop_assert_eq!(now >= Level::Near, used >= 800);
        let is_cut = |level: Level| level.cut_every().map(|every| every.as_millis());
        let wanted = [None, None, Some(1000), Some(100), Some(100)];
        prop_assert_eq!(is_cut(now), wanted[usize::from(now as u8)]);
    }
}

#[test]
fn what_the_process_has_is_seen_to_grow_and_to_shrink() {
    let process = Process::open().unwrap();
    let before = process.resident().unwrap();
    assert!((1 << 20..1 << 40).contains(&before), "{before}");
    let much = vec![1_u8; 64 << 20];
    let taken = process.resident().unwrap();
    assert!(taken >= before + (48 << 20), "{before}, then {taken}");
    drop(much);
    assert!(process.resident().unwrap() < taken - (48 << 20));
    assert_eq!(page_bytes(&[]), None);
    let words = |words: &[usize]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    assert_eq!(page_bytes(&words(&[3, 6, 6, 65536, 0, 0])), Some(65536));
    assert_eq!(page_bytes(&words(&[3, 6, 9])), None);
}

/// Without waiting for the timer: the bytes themselves make it look.
#[test]
fn much_that_is_read_is_looked_at_at_once() {
    let (small, large) = (bounded(1 << 20), bounded(1 << 50));
    for pressure in [&small, &large] {
        pressure.grew(1000);
        assert_eq!(pressure.level(), Level::Calm);
        pressure.grew(64 * 1024);
    }
    assert!(small.refuses() && small.level() == Level::Paused);
    assert!(!large.refuses());
    assert_eq!((small.counts().refused, large.counts().refused), (1, 0));
    let unbounded = Pressure::new(Memory::Unbounded);
    unbounded.grew(usize::MAX);
    assert!(!unbounded.refuses());
    assert_eq!(unbounded.counts(), MemoryCounts::default());
}

#[tokio::test]
async fn nothing_is_read_while_there_is_no_memory_and_reading_goes_on() {
    let pressure = bounded(1 << 50);
    let (mut far, near) = duplex(64);
    let mut near = Metered::new(near, &pressure);
    far.write_all(b"one").await.unwrap();
    let mut read = [0; 3];
    near.read_exact(&mut read).await.unwrap();
    for _ in 0..100 {
        pressure.set(980 * THOUSANDTH, BOUND);
        far.write_all(b"two").await.unwrap();
        let waiting = tokio::spawn(async move {
            let mut read = [0; 3];
            near.read_exact(&mut read).await.unwrap();
            (near, read)
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        pressure.set(if fastrand::bool() { 960 * THOUSANDTH } else { 1 }, BOUND);
        let (stream, read) = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert_eq!(&read, b"two");
        near = stream;
    }
}

#[tokio::test]
async fn connections_wait_and_some_of_them_are_cut() {
    let pressure = bounded(1 << 50);
    pressure.takes_connections().await;
    pressure.set(900 * THOUSANDTH, BOUND);
    let waiting = tokio::spawn({
        let pressure = Arc::clone(&pressure);
        async move { pressure.takes_connections().await }
    });
    let cut: Vec<_> = (0..16)
        .map(|number| {
            let pressure = Arc::clone(&pressure);
            tokio::spawn(async move { pressure.is_cut(|| number).await })
        })
        .collect();
    tokio::task::yield_now().await;
    pressure.cut.notify_waiters();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(cut.iter().filter(|cut| cut.is_finished()).count(), 2);
    assert_eq!(pressure.counts().cut, 2);
    assert!(!waiting.is_finished());
    pressure.set(899 * THOUSANDTH, BOUND);
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    cut.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A folder with these files.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("mesh-groups-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const BOTH: &str = "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
    31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
    32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
    33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

#[test]
fn the_lowest_bound_of_the_groups_around_counts() {
    let files = Files::new(
        "both",
        &[
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "300000000\n"),
            ("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "1\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "200000000\n"),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "150000000\n"),
            (
                "sys/fs/cgroup/memory/a/memory.stat",
                "cache 9\ntotal_inactive_file 50000000\ntotal_active_file 9\ntotal_mapped_file 10000009\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
    );
    let group = Group::lowest("5:cpu:/\n4:memory:/a/b\n0::/\n", BOTH, &files.0).unwrap();
    assert_eq!((group.bound(), group.used()), (Some(200_000_000), Some(110_000_000)));
    assert_eq!(Group::lowest("4:memory:/\n0::/\n", BOTH, &files.0), None);
    assert_eq!(Group::lowest("4:memory:/a/b\n", "nothing is mounted", &files.0), None);
}

#[test]
fn a_container_sees_its_own_part_of_the_hierarchy() {
    let files = Files::new(
        "two",
        &[
            ("sys/fs/cgroup/memory.max", "max\n"),
            ("sys/fs/cgroup/in/memory.max", "67108864\n"),
            ("sys/fs/cgroup/in/memory.current", "1000\n"),
            ("sys/fs/cgroup/in/memory.stat", "anon 1\nfile_mapped 4\ninactive_file 2000\nactive_file 3\n"),
        ],
    );
    let mounts = |top: &str| format!("40 39 0:50 {top} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n");
    for (top, path) in [("/", "/in"), ("/pods/p", "/pods/p/in")] {
        let group = Group::lowest(&format!("0::{path}\n"), &mounts(top), &files.0).unwrap();
        // What is spare is more than what there is: files of the moment are not one picture.
        assert_eq!((group.bound(), group.used()), (Some(64 << 20), Some(0)), "{top}");
    }
    assert_eq!(Group::lowest("0::/elsewhere\n", &mounts("/pods/p"), &files.0), None);
    assert_eq!(Group::lowest("0::/in\n", &mounts("/"), Path::new("/nonexistent")), None);
}
