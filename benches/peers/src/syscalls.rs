//! System calls of a unit, counted by the kernel's tracepoint with `perf`: apart from all else, since counting costs.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::measure::Load;

/// Long enough for a mean.
const DURATION: Duration = Duration::from_millis(300);

/// System calls of each call.
///
/// # Errors
///
/// There is no `perf`, or it may not count.
pub(crate) fn per_call(load: &Load<'_>, work: &Path) -> Result<f64, String> {
    let file = work.join("perf.csv");
    let pid = load.pid.to_string();
    let words = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", &pid, "-o"];
    let mut before: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    before.extend([file.clone().into_os_string(), "--".into()]);
    let told = |error: std::io::Error| error.to_string();
    let counts = load.generate_under(&before, DURATION).map_err(told)?;
    if let Some(failure) = &counts.first_failure {
        return Err(failure.lines().next().unwrap_or_default().to_owned());
    }
    let text = fs::read_to_string(&file).map_err(told)?;
    let counted = counted(&text).ok_or("perf counted nothing")?;
    Ok(counted / counts.calls.max(1) as f64)
}

fn counted(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("raw_syscalls:sys_enter"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_first_field() {
        let text = "# started on Sat\n\n123456,,raw_syscalls:sys_enter,301000000,100.00,,\n";
        assert_eq!(counted(text), Some(123_456.0));
        assert_eq!(counted("<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
        assert_eq!(counted(""), None);
    }
}
