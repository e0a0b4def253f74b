//! JSON to wire: what is read decodes, and is read again the same after it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::{schema, sink};
use millrace_transcode::codec::Target;
use prost_reflect::DynamicMessage;

fuzz_target!(|json: &[u8]| {
    let codec = schema().codec();
    let target = Target::message(sink());
    let Ok(wire) = codec.json_to_wire(&target, json) else {
        return;
    };
    assert!(std::str::from_utf8(json).is_ok(), "text that is not UTF-8 was read");
    let first = DynamicMessage::decode(sink().clone(), wire.as_ref()).expect("what was read decodes");
    let mut written = Vec::new();
    codec
        .wire_to_json(sink(), None, &wire, &mut written)
        .expect("what was read can be written");
    let again = codec
        .json_to_wire(&target, &written)
        .expect("what was written can be read");
    let second = DynamicMessage::decode(sink().clone(), again.as_ref()).expect("what was read again decodes");
    // NaN does not equal itself, nor do the bytes of an Any whose maps have been put in order: as JSON they do.
    if first != second {
        let mut rewritten = Vec::new();
        codec
            .wire_to_json(sink(), None, &again, &mut rewritten)
            .expect("what was read again can be written");
        assert_eq!(String::from_utf8(written), String::from_utf8(rewritten));
    }
    // With a part bound elsewhere, and a mask to fill.
    for (method, path) in [("POST", "/shelves/7/books"), ("PATCH", "/shelves/7/books")] {
        if let Ok(matched) = schema().find(method, path) {
            let _ = matched.bind(Some("request_id=a"), json, &Default::default());
        }
    }
});
