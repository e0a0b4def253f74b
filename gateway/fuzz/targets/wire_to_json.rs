//! Wire to JSON: what is written is JSON that any parser takes, and a message that is well-formed is written unless it
//! has no JSON form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::{schema, sink};
use millrace_transcode::RenderError;
use prost::Message;
use prost_reflect::DynamicMessage;

fuzz_target!(|wire: &[u8]| {
    let _ = written(wire);
    // Well-formed for certain: prost-reflect takes more than the wire allows.
    if let Ok(message) = DynamicMessage::decode(sink().clone(), wire)
        && let Err(error) = written(&message.encode_to_vec())
    {
        assert!(matches!(error, RenderError::NoForm { .. }), "{error}");
    }
});

fn written(wire: &[u8]) -> Result<(), RenderError> {
    let mut out = b"before".to_vec();
    let written = schema().codec().wire_to_json(sink(), None, wire, &mut out);
    match &written {
        Ok(()) => {
            let parsed = serde_json::from_slice::<serde_json::Value>(&out[6..]);
            assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&out));
        }
        Err(_) => assert_eq!(out, b"before"),
    }
    written
}
