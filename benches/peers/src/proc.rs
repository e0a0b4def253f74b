//! What `/proc` says of processes and of the machine, read and parsed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

/// Linux counts in `/proc/*/stat` in hundredths of a second, whatever its own tick is.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProcessTime {
    /// Of each thread that is there, by the scheduler's account, in nanoseconds.
    threads: BTreeMap<u32, u64>,
    /// Of all threads, gone ones too, in steps of a tick.
    ticks: u64,
}

impl ProcessTime {
    /// Reads it.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let process = format!("/proc/{pid}");
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("{process}/task"))? {
            let thread = thread?;
            let id = thread.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
            // A thread may end while the folder is read.
            if let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) {
                threads.insert(id, first_number(&text)?);
            }
        }
        let times = stat_times(&fs::read_to_string(format!("{process}/stat"))?)?;
        let ticks = times.user + times.system;
        Ok(Self { threads, ticks })
    }

    /// What was used between an earlier reading and this one: exact, unless a thread ended meanwhile.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let ended = earlier.threads.keys().any(|thread| !self.threads.contains_key(thread));
        if ended || self.threads.is_empty() {
            return ticks(self.ticks.saturating_sub(earlier.ticks));
        }
        let used = self.threads.iter().map(|(thread, now)| {
            let before = earlier.threads.get(thread).copied().unwrap_or_default();
            now.saturating_sub(before)
        });
        Duration::from_nanos(used.sum())
    }
}

/// CPU time of this process and of all of its children that were waited for.
pub(crate) fn own_time() -> io::Result<Duration> {
    let times = stat_times(&fs::read_to_string("/proc/self/stat")?)?;
    Ok(ticks(times.user + times.system + times.children))
}

struct StatTimes {
    user: u64,
    system: u64,
    children: u64,
}

fn stat_times(text: &str) -> io::Result<StatTimes> {
    // The second field is a name in parentheses, which may hold anything.
    let rest = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    // `rest` begins with the third field.
    let field = |number: usize| {
        let text = rest.split_whitespace().nth(number - 3).unwrap_or_default();
        text.parse::<u64>().map_err(io::Error::other)
    };
    Ok(StatTimes {
        user: field(14)?,
        system: field(15)?,
        children: field(16)? + field(17)?,
    })
}

/// Time of all of the machine's processors together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MachineTime {
    /// Nothing to do, or waiting for a disk.
    pub(crate) idle: Duration,
    /// Taken by the machine's host.
    pub(crate) steal: Duration,
}

impl MachineTime {
    /// Reads it.
    pub(crate) fn read() -> io::Result<Self> {
        Self::parse(&fs::read_to_string("/proc/stat")?)
    }

    fn parse(text: &str) -> io::Result<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "));
        let line = line.ok_or_else(|| io::Error::other("/proc/stat without a line of all processors"))?;
        let fields: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let fields = fields.map_err(io::Error::other)?;
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        Ok(Self {
            idle: ticks(field(3) + field(4)),
            steal: ticks(field(7)),
        })
    }
}

/// Resident memory of a process in KiB: now, and at most so far.
pub(crate) fn resident_kib(pid: u32) -> io::Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok((status_kib(&text, "VmRSS:")?, status_kib(&text, "VmHWM:")?))
}

fn status_kib(text: &str, name: &str) -> io::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    first_number(line.unwrap_or_default())
}

/// Model of the processor, and the kernel.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = status_kib(&memory, "MemTotal:").unwrap_or_default() / 1024 / 1024;
    format!(
        "{}, {} processors, {memory} GiB, Linux {}",
        model.map_or("processor without a name", |(_, name)| name.trim()),
        processors(),
        kernel.trim()
    )
}

/// Files that this process may have open, and so its children.
pub(crate) fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(usize::MAX)
}

/// Processors of the machine, all that are online.
pub(crate) fn processors() -> usize {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let of_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    stat.lines().filter(of_one).count().max(1)
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text.split_whitespace().next().unwrap_or_default();
    number.parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_the_documented_ones() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 20 10 20 0 3 0 99";
        let times = stat_times(stat).unwrap();
        assert_eq!((times.user, times.system, times.children), (150, 50, 30));
        let machine = MachineTime::parse("cpu  10 0 20 400 5 1 2 30 0 0\ncpu0 5 0 10 200 2 0 1 15 0 0\n").unwrap();
        assert_eq!(machine.idle, Duration::from_millis(4_050));
        assert_eq!(machine.steal, Duration::from_millis(300));
        assert_eq!(status_kib("VmHWM:\t  12 kB\nVmRSS:\t  10 kB\n", "VmRSS:").unwrap(), 10);
    }

    #[test]
    fn a_thread_that_ended_is_counted_in_ticks() {
        let time = |threads: &[(u32, u64)], ticks| ProcessTime {
            threads: threads.iter().copied().collect(),
            ticks,
        };
        let before = time(&[(1, 1_000), (2, 5_000)], 4);
        assert_eq!(
            time(&[(1, 3_000), (2, 5_500), (3, 10)], 9).since(&before),
            Duration::from_nanos(2_510)
        );
        assert_eq!(time(&[(1, 3_000)], 9).since(&before), Duration::from_millis(50));
    }

    #[test]
    fn this_process_has_used_something() {
        let pid = std::process::id();
        assert!(ProcessTime::of(pid).unwrap().since(&ProcessTime::default()) > Duration::ZERO);
        assert!(resident_kib(pid).unwrap().0 > 0);
        assert!(!machine().is_empty());
        assert!(open_files() > 0);
    }
}
