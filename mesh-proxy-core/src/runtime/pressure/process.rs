//! What the process has of the machine's memory.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The process's own account at the system, held open.
#[derive(Debug)]
pub(super) struct Process {
    account: File,
    page_bytes: u64,
}

impl Process {
    /// `None`: this system keeps no such account (it is Linux's).
    pub(super) fn open() -> Option<Self> {
        let page_bytes = page_bytes(&std::fs::read("/proc/self/auxv").ok()?)?;
        let process = Self { account: File::open("/proc/self/statm").ok()?, page_bytes };
        process.resident()?;
        Some(process)
    }

    /// Bytes that are in memory (proc_pid_statm(5), `resident`).
    pub(super) fn resident(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.account.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(pages.saturating_mul(self.page_bytes))
    }
}

/// The size of a page in what the system tells every program (getauxval(3), `AT_PAGESZ`): pairs of words.
pub(super) fn page_bytes(told: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    const PAGE_SIZE: usize = 6;
    let words: Vec<usize> = told
        .chunks_exact(WORD)
        .filter_map(|word| Some(usize::from_ne_bytes(word.try_into().ok()?)))
        .collect();
    let pair = words.chunks_exact(2).find(|pair| pair.first() == Some(&PAGE_SIZE))?;
    u64::try_from(*pair.get(1)?).ok().filter(|bytes| *bytes > 0)
}
