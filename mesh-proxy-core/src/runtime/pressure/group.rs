//! The control group of the process: what its members may have together, and what they have.

use std::path::{Path, PathBuf};

/// A control group that bounds the memory of its members, of either version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn bound(self) -> &'static str {
        if self == Self::One { "memory.limit_in_bytes" } else { "memory.max" }
    }

    fn used(self) -> &'static str {
        if self == Self::One { "memory.usage_in_bytes" } else { "memory.current" }
    }

    /// Pages of files: all of them, in two parts, and those among them that some program has in its address space.
    fn of_files(self) -> [&'static str; 3] {
        match self {
            Self::One => ["total_inactive_file", "total_active_file", "total_mapped_file"],
            Self::Two => ["inactive_file", "active_file", "file_mapped"],
        }
    }
}

impl Group {
    /// The one with the lowest bound among the process's group and those around it; `None`: nothing bounds it.
    pub(super) fn of_this_process() -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        Self::lowest(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?, Path::new("/"))
    }

    /// The same, by what the process is told (cgroups(7), proc_pid_mountinfo(5)). `root`: where mount points are.
    pub(super) fn lowest(groups: &str, mounts: &str, root: &Path) -> Option<Self> {
        let mut found: Option<(u64, Self)> = None;
        for (version, path) in groups.lines().filter_map(line) {
            let Some((mount, within)) = mounts.lines().find_map(|line| mounted(line, version, path)) else {
                continue;
            };
            let mount = root.join(mount.trim_start_matches('/'));
            let own = mount.join(within.trim_start_matches('/'));
            for folder in own.ancestors().take_while(|folder| folder.starts_with(&mount)) {
                let group = Self { folder: folder.to_owned(), version };
                if let Some(bound) = group.bound()
                    && found.as_ref().is_none_or(|(lowest, _)| bound < *lowest)
                {
                    found = Some((bound, group));
                }
            }
        }
        found.map(|(_, group)| group)
    }

    fn number(&self, file: &str) -> Option<u64> {
        std::fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
    }

    /// Bytes that the members may have; `None`: as many as there are.
    pub(super) fn bound(&self) -> Option<u64> {
        // The first version writes the largest number of whole pages for "no bound".
        const NONE: u64 = 1 << 60;
        self.number(self.version.bound()).filter(|bound| (1..NONE).contains(bound))
    }

    /// Bytes that they have and cannot do without.
    ///
    /// Pages of files are given away before anybody is killed, but those that are mapped are the members' own programs: a
    /// program that must read itself from disk again and again comes to nothing, not even to cutting connections.
    pub(super) fn used(&self) -> Option<u64> {
        let used = self.number(self.version.used())?;
        let told = std::fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
        let [inactive, active, mapped] = self.version.of_files().map(|wanted| {
            let mut lines = told.lines().filter_map(|line| line.split_once(' '));
            let found = lines.find(|(name, _)| *name == wanted);
            found.and_then(|(_, bytes)| bytes.trim().parse::<u64>().ok()).unwrap_or(0)
        });
        Some(used.saturating_sub(inactive.saturating_add(active).saturating_sub(mapped)))
    }
}

/// A group that says something about memory, of `NUMBER:CONTROLLERS:PATH`.
fn line(line: &str) -> Option<(Version, &str)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    match controllers {
        "" => Some((Version::Two, path)),
        _ if controllers.split(',').any(|name| name == "memory") => Some((Version::One, path)),
        _ => None,
    }
}

/// Where a hierarchy is mounted, and where in it the group is; `None`: the line is about something else, or about a part
/// of it that the group is not in.
fn mounted<'l>(line: &'l str, version: Version, path: &'l str) -> Option<(&'l str, &'l str)> {
    let (place, kind) = line.split_once(" - ")?;
    let (mut place, mut kind) = (place.split(' ').skip(3), kind.split(' '));
    let (top, mount) = (place.next()?, place.next()?);
    let is_wanted = match version {
        Version::Two => kind.next()? == "cgroup2",
        Version::One => kind.next()? == "cgroup" && kind.nth(1)?.split(',').any(|name| name == "memory"),
    };
    let within = if top == "/" { path } else { path.strip_prefix(top).unwrap_or("/") };
    is_wanted.then_some((mount, within))
}
