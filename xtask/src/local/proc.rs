//! What Linux knows about a process: the CPU time it used, to the nanosecond, and its memory.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};

/// CPU time of each thread of a process at one moment.
#[derive(Debug, Default)]
pub(crate) struct Cpu(BTreeMap<u64, u64>);

impl Cpu {
    /// Reads `schedstat` of every thread; its first number is nanoseconds on a CPU.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        let folder = format!("/proc/{pid}/task");
        let entries = fs::read_dir(&folder).with_context(|| format!("no process {pid}"))?;
        for entry in entries.flatten() {
            // A thread that ends while we look has no file any more.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
                continue;
            };
            let thread = entry.file_name().to_string_lossy().parse();
            let time = text.split_whitespace().next().map(str::parse);
            if let (Ok(thread), Some(Ok(time))) = (thread, time) {
                threads.insert(thread, time);
            }
        }
        Ok(Self(threads))
    }

    /// Nanoseconds used since an earlier moment. A thread that ended in between is not counted.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let used = self.0.iter().map(|(thread, time)| {
            let before = earlier.0.get(thread).copied().unwrap_or_default();
            time.saturating_sub(before)
        });
        used.sum()
    }
}

/// The only child of a process that waits for it: of a helper that has its work done by another.
pub(crate) fn only_child(pid: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .context("the kernel tells no children of a process")?;
    let mut children = children.split_whitespace();
    match (children.next(), children.next()) {
        (Some(child), None) => Ok(child.parse()?),
        _ => bail!("process {pid} has not one child"),
    }
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("no process {pid}"))?;
    field(&status, "VmRSS:")
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .context("the kernel tells no resident memory")
}

/// The CPUs that we may run on.
pub(crate) fn cpus() -> Result<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = field(&status, "Cpus_allowed_list:").context("the kernel tells no CPUs")?;
    parse_list(list).with_context(|| format!("not a list of CPUs: {list}"))
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    lines.find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// `0-2,5` as the kernel writes lists.
fn parse_list(list: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        all.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(parse_list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_list("1"), Some(vec![1]));
        assert_eq!(parse_list("x"), None);
    }

    #[test]
    fn new_threads_count_whole_and_old_ones_from_before() {
        let before = Cpu(BTreeMap::from([(1, 100), (2, 50)]));
        let after = Cpu(BTreeMap::from([(1, 130), (3, 7)]));
        assert_eq!(after.since(&before), 37);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn our_own_process_is_there() {
        let me = std::process::id();
        assert!(resident_kib(me).unwrap() > 0);
        assert!(!Cpu::of(me).unwrap().0.is_empty());
        assert!(!cpus().unwrap().is_empty());
    }
}
