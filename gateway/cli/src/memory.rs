//! What becomes of memory that a call has freed.

use std::hint::black_box;

/// Bytes of a block whose end tells glibc how much to keep: twice as many.
const LEARNT_BYTES: usize = 1 << 20;

/// Has glibc keep what is freed at the end of a heap, up to 2 MiB, where it would give back to the system all beyond 128
/// KiB: a call that needs more than that takes it anew each time, and the system has to fill it with zeros. It learns both
/// of its bounds from the large blocks that are freed (mallopt(3), `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD`): here, and not
/// whenever the first of them comes. From then on blocks of up to 1 MiB come from the heap too, instead of being mapped each by
/// itself. Of the block that teaches it only the first page is touched. Other allocators are none the wiser.
pub fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(LEARNT_BYTES)));
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// How often this thread met a page that was not there.
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // Behind the name, which may have spaces: the tenth field of all.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(7).unwrap().parse().unwrap()
    }

    #[test]
    fn what_a_call_has_freed_is_there_for_the_next() {
        let call = || drop(black_box((0..4_000).map(|_| vec![1_u8; 128]).collect::<Vec<_>>()));
        keep_freed_memory();
        call();
        let before = faults();
        (0..10).for_each(|_| call());
        let faults = faults() - before;
        assert!(
            faults < 100,
            "{faults} pages were taken anew, where all of a call are some 150"
        );
    }
}
