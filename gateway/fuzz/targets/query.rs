//! Query parameters: any text binds to a message that can be decoded, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::{schema, sink};
use prost_reflect::DynamicMessage;

fuzz_target!(|query: &str| {
    let Ok(matched) = schema().find("GET", "/sink") else {
        panic!("the sink has a route");
    };
    match matched.bind(Some(query), b"", &Default::default()) {
        Ok(wire) => {
            let decoded = DynamicMessage::decode(sink().clone(), wire.as_ref());
            assert!(decoded.is_ok(), "{query}");
        }
        Err(error) => assert_eq!(error.code, 3, "{query}: {error}"),
    }
});
