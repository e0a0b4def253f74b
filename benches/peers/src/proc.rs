//! What `/proc` says of processes and of the machine, read and parsed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::clock::now;

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

/// Who had the machine's processors until a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MachineTime {
    at: Instant,
    clock: Clock,
    /// What processes used, ended ones too; `None` where not all can be seen.
    processes: Option<Duration>,
}

/// What `/proc/stat` says of all processors together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    /// Nothing to do, or waiting for a disk.
    idle: Duration,
    /// Taken by the machine's host.
    steal: Duration,
}

/// The same between two moments, in seconds of one processor.
pub(crate) struct MachineUse {
    /// All there was.
    pub(crate) machine: f64,
    /// What processes used, whoever's.
    pub(crate) used: f64,
    /// What the machine's host took.
    pub(crate) steal: f64,
}

impl MachineTime {
    /// Reads it.
    pub(crate) fn read() -> io::Result<Self> {
        Ok(Self {
            at: now(),
            clock: Clock::parse(&fs::read_to_string("/proc/stat")?)?,
            processes: of_processes()?,
        })
    }

    /// What happened between an earlier moment and this one. Where not all processes can be seen, as in a container, all
    /// that was not idle counts as used: too much by what a processor takes to fall asleep and to wake, which was seen to be
    /// 8 % of a machine.
    pub(crate) fn since(&self, earlier: &Self) -> MachineUse {
        let machine = self.at.duration_since(earlier.at).as_secs_f64() * processors() as f64;
        let steal = self.clock.steal.saturating_sub(earlier.clock.steal).as_secs_f64();
        let idle = self.clock.idle.saturating_sub(earlier.clock.idle).as_secs_f64();
        let used = match (self.processes, earlier.processes) {
            (Some(now), Some(before)) => now.saturating_sub(before).as_secs_f64(),
            _ => machine - idle - steal,
        };
        MachineUse { machine, used, steal }
    }
}

impl Clock {
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

/// What all processes have used, in steps of a tick each. What a process has used moves to its parent when it ends, so
/// none is lost, but of those whose parents do not wait for them. `None` where not all can be seen: kernel threads cannot
/// be from within a container, nor by those to whom others' processes are hidden.
fn of_processes() -> io::Result<Option<Duration>> {
    let (mut used, mut sees_kernel) = (0, false);
    for process in fs::read_dir("/proc")? {
        let process = process?;
        let is_process = process
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit());
        // One may end while they are read.
        let Some(stat) = is_process
            .then(|| fs::read_to_string(process.path().join("stat")).ok())
            .flatten()
        else {
            continue;
        };
        sees_kernel |= stat.starts_with("2 (kthreadd) ");
        let times = stat_times(&stat)?;
        used += times.user + times.system + times.children;
    }
    Ok(sees_kernel.then(|| ticks(used)))
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
        let clock = Clock::parse("cpu  10 0 20 400 5 1 2 30 0 0\ncpu0 5 0 10 200 2 0 1 15 0 0\n").unwrap();
        assert_eq!(clock.idle, Duration::from_millis(4_050));
        assert_eq!(clock.steal, Duration::from_millis(300));
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
    fn what_processes_used_counts_if_all_can_be_seen_and_else_what_was_not_idle() {
        let moment = |at, idle, processes| MachineTime {
            at,
            clock: Clock {
                idle: Duration::from_secs(idle),
                steal: Duration::ZERO,
            },
            processes,
        };
        let (begin, second) = (now(), Duration::from_secs(1));
        let end = begin + 10 * second;
        let seen = moment(end, 1, Some(5 * second)).since(&moment(begin, 0, Some(2 * second)));
        assert_eq!((seen.used, seen.machine), (3.0, 10.0 * processors() as f64));
        let hidden = moment(end, 1, None).since(&moment(begin, 0, None));
        assert_eq!(hidden.used, hidden.machine - 1.0);
        assert!(of_processes().unwrap().is_none_or(|used| used > Duration::ZERO));
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
