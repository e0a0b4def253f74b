//! Routing: any method and raw path, and what is found answers for the methods that are said to be there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::schema;

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "DELETE", "PROPFIND", ""];

fuzz_target!(|input: (u8, &str)| {
    let (method, path) = (METHODS[usize::from(input.0) % METHODS.len()], input.1);
    let methods = schema().methods_at(path);
    let Ok(matched) = schema().find(method, path) else {
        return;
    };
    assert!(methods.is_some(), "{method} {path} is found, and has no methods");
    for (field, value) in matched.captures() {
        assert!(!value.contains('\0'), "{field} of {path}");
    }
    let _ = matched.bind(None, b"", &Default::default());
});
