//! Path templates: parsing never panics, and what parses describes only segments that are there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_transcode::template::Template;

fuzz_target!(|text: &str| {
    match Template::parse(text) {
        Ok(template) => {
            for capture in &template.captures {
                assert!(
                    capture.start < capture.end && capture.end <= template.segments.len(),
                    "{text}"
                );
                assert!(!capture.field_path.is_empty(), "{text}");
            }
        }
        Err(error) => assert!(error.offset <= text.len(), "{text}: {error}"),
    }
});
