//! The allocator, and how it is told to give memory back.

use mesh::proxy_core::runtime::options::Memory;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Begins again with the allocator told to give freed memory back at once, to look often for what other threads have freed,
/// and to take memory in small pages (a huge one is a thirtieth of 64 MiB), where there is a bound to keep to: it reads its
/// settings before anything of the program runs.
pub(super) fn set(memory: Memory) {
    use std::os::unix::process::CommandExt;
    const SETTINGS: [(&str, &str); 3] =
        [("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_GENERIC_COLLECT", "1000"), ("MIMALLOC_ALLOW_THP", "0")];
    if memory.bound().is_some()
        && SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_none())
        && let Ok(own) = std::env::current_exe()
    {
        // It comes back only where it failed: then freed memory is kept longer.
        let _ = std::process::Command::new(own).args(std::env::args_os().skip(1)).envs(SETTINGS).exec();
    }
}
