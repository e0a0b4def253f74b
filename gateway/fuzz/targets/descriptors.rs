//! Loading: any bytes as descriptors, and the shapes with bytes changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::descriptors;
use millrace_transcode::{Options, Schema, openapi};

// libFuzzer's own hook ends the process at any panic; one that loading catches is no fault. The others still end it.
fuzz_target!(init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))), |changes: Vec<(u16, u8)>| {
    let mut bytes = descriptors().to_vec();
    for (at, byte) in changes {
        let at = usize::from(at) % bytes.len();
        bytes[at] = byte;
    }
    if let Ok(schema) = Schema::builder().descriptors(&bytes).options(Options::default()).build() {
        let _ = schema.openapi(&openapi::Info::default());
    }
});
