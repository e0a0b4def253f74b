//! Indented JSON, from JSON on one line.

/// Breaks the lines of the JSON value at the end of `out`, from `start` on. It has no white space outside its strings.
/// False, and nothing left of the value, if it has more than `bytes_max` bytes then: every line of one that is nested
/// deep begins with many blanks.
pub(crate) fn indent(out: &mut Vec<u8>, start: usize, bytes_max: usize) -> bool {
    let json = out.split_off(start);
    out.reserve(2 * json.len());
    let end_max = start.saturating_add(bytes_max);
    let mut depth: usize = 0;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        if out.len() > end_max {
            break;
        }
        match byte {
            b'"' => {
                let end = at + string_length(&json[at..]);
                out.extend_from_slice(&json[at..end]);
                at = end;
                continue;
            }
            b'{' | b'[' if matches!(json.get(at + 1), Some(b'}' | b']')) => {
                out.extend_from_slice(&json[at..at + 2]);
                at += 2;
                continue;
            }
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                line(out, depth);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(byte),
        }
        at += 1;
    }
    let fits = out.len() <= end_max;
    if !fits {
        out.truncate(start);
    }
    fits
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

/// Length of the string at the start of `json`, with its quotes.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_as_serde_does() {
        for json in [
            "null",
            "{}",
            "[]",
            r#"{"a":1,"b":[],"c":{},"d":[1,{"e":"x"}],"f":"a:b,{\"[\\"}"#,
            r#"[[[]],[{}],"é\\",-1.5,true]"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            let mut out = b"data: ".to_vec();
            out.extend_from_slice(json.as_bytes());
            let expected = format!("data: {}", serde_json::to_string_pretty(&value).unwrap());
            let mut cut = out.clone();
            assert!(!indent(&mut cut, 6, expected.len() - 7), "{json}");
            assert_eq!(cut, b"data: ", "{json}");
            assert!(indent(&mut out, 6, expected.len() - 6), "{json}");
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{json}");
        }
    }
}
