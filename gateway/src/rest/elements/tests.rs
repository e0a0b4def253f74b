//! Bodies cut at every place, and bodies that are wrong.

use proptest::prelude::*;

use super::*;

/// What comes of a body in these chunks: elements with their places, or what stopped them.
fn cut(notation: Notation, chunks: &[&[u8]]) -> (Vec<(String, usize)>, Option<String>) {
    let mut elements = Elements::new(notation, 1_000);
    let mut found = Vec::new();
    let mut take = |element: Element| {
        assert_eq!(element.number, found.len() as u64);
        found.push((
            String::from_utf8_lossy(&element.json).into_owned(),
            element.start.offset,
        ));
    };
    for chunk in chunks {
        elements.push(Bytes::copy_from_slice(chunk));
        loop {
            match elements.next() {
                Ok(Some(element)) => take(element),
                Ok(None) => break,
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }
    let last = elements.finish();
    if let Ok(Some(element)) = last {
        take(element);
        assert_eq!(elements.finish(), Ok(None));
        return (found, None);
    }
    (found, last.err().map(|error| error.to_string()))
}

#[test]
fn elements_come_whole_however_the_body_is_cut() {
    let array = "\n[ {\"a\":\"]},\\\"\\\\\"},[[1],{}] ,1.5e3,\"é\\u0022,]\",true\t, null,{}]\r\n ";
    let of_array = [
        ("{\"a\":\"]},\\\"\\\\\"}", 3),
        ("[[1],{}]", 19),
        ("1.5e3", 29),
        ("\"é\\u0022,]\"", 35),
        ("true", 48),
        ("null", 55),
        ("{}", 60),
    ];
    let lines = "{\"a\":1}\n\n \t\r\n  [1]  \r\n\"é\"\n2";
    let of_lines = [("{\"a\":1}", 0), ("  [1]  \r", 13), ("\"é\"", 22), ("2", 27)];
    for (notation, body, expected) in [
        (Notation::Array, array, &of_array[..]),
        (Notation::Lines, lines, &of_lines[..]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(json, at)| ((*json).to_owned(), *at)).collect();
        let body = body.as_bytes();
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let chunks = [&body[..first], &body[first..second], &body[second..]];
                assert_eq!(
                    cut(notation, &chunks),
                    (expected.clone(), None),
                    "cut at {first} and {second}"
                );
            }
        }
    }
}

#[test]
fn an_empty_array_and_no_body_at_all_have_no_elements() {
    for (notation, body) in [
        (Notation::Array, "[]"),
        (Notation::Array, " [ \n ] "),
        (Notation::Array, ""),
        (Notation::Array, " \n"),
        (Notation::Lines, ""),
        (Notation::Lines, "\n\n"),
    ] {
        assert_eq!(cut(notation, &[body.as_bytes()]), (Vec::new(), None), "{body:?}");
    }
}

#[test]
fn what_is_wrong_between_elements_has_its_place_wherever_the_body_is_cut() {
    let deep = format!("[{}", "[".repeat(DEPTH_MAX + 1));
    let table = [
        (
            "{\"theme\":\"x\"}",
            0,
            "expected `[`",
            "found '{' at line 1, column 1 (byte 0)",
        ),
        ("\n \"x\"", 0, "expected `[`", "found '\"' at line 2, column 2 (byte 2)"),
        (
            "[1 2]",
            1,
            "expected `,` or `]`",
            "found '2' at line 1, column 4 (byte 3)",
        ),
        (
            "[1,]",
            1,
            "expected a JSON value",
            "found ']' at line 1, column 4 (byte 3)",
        ),
        (
            "[,1]",
            0,
            "expected a JSON value",
            "found ',' at line 1, column 2 (byte 1)",
        ),
        (
            "[{}}",
            1,
            "expected `,` or `]`",
            "found '}' at line 1, column 4 (byte 3)",
        ),
        (
            "[1]\n[2]",
            1,
            "expected the end of the body",
            "found '[' at line 2, column 1 (byte 4)",
        ),
        (
            "[1",
            0,
            "the body ended inside an element",
            "at line 1, column 3 (byte 2)",
        ),
        ("[{\"a\":\"", 0, "the body ended inside an element", "(byte 7)"),
        (
            "[{}",
            1,
            "expected the rest of the array",
            "found the end at line 1, column 4 (byte 3)",
        ),
        (
            "[{},\n",
            1,
            "expected the rest of the array",
            "line 2, column 1 (byte 5)",
        ),
        ("[", 0, "expected the rest of the array", "(byte 1)"),
        (
            "\u{feff}[]",
            0,
            "expected `[`",
            "found byte 239 at line 1, column 1 (byte 0)",
        ),
        (&deep, 0, "nested deeper than 100 levels", "column 102 (byte 101)"),
    ];
    for (body, count, problem, place) in table {
        let body = body.as_bytes();
        for first in 0..=body.len() {
            let (found, error) = cut(Notation::Array, &[&body[..first], &body[first..]]);
            let error = error.unwrap();
            assert!(
                found.len() == count && error.starts_with(problem) && error.ends_with(place),
                "{body:?} at {first}: {found:?}, {error}"
            );
        }
    }
}

#[test]
fn an_element_has_a_limit_and_the_body_none() {
    let large = format!("[\"{}\"]", "x".repeat(999));
    let many = format!("[{}1]", "\"0123456789\",".repeat(1_000));
    for size in [1, 7, 100_000] {
        let chunks: Vec<&[u8]> = large.as_bytes().chunks(size).collect();
        let (found, error) = cut(Notation::Array, &chunks);
        assert!(found.is_empty());
        assert_eq!(error.unwrap(), "element 0 of the body is larger than 1000 bytes");
        let chunks: Vec<&[u8]> = many.as_bytes().chunks(size).collect();
        assert_eq!(cut(Notation::Array, &chunks).0.len(), 1_001);
    }
    let line = "1".repeat(1_001);
    assert!(cut(Notation::Lines, &[line.as_bytes()]).1.is_some());
}

proptest! {
    #[test]
    fn any_bytes_are_cut_the_same_in_any_chunks(
        body in "[\\[\\]{}:,\"a0\\\\ \n]{0,40}",
        size in 1..12_usize,
        lines: bool,
    ) {
        let notation = if lines { Notation::Lines } else { Notation::Array };
        let chunks: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
        prop_assert_eq!(cut(notation, &chunks), cut(notation, &[body.as_bytes()]));
    }

    #[test]
    fn any_values_survive_any_chunks(texts: Vec<String>, size in 1..20_usize) {
        let values: Vec<_> = texts.iter().map(|text| serde_json::json!([text, {"a": text}]).to_string()).collect();
        for (notation, body) in [
            (Notation::Array, format!("[{}]", values.join(","))),
            (Notation::Lines, values.join("\n")),
        ] {
            let chunks: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
            let (found, error) = cut(notation, &chunks);
            let found: Vec<_> = found.into_iter().map(|(json, _)| json).collect();
            prop_assert_eq!((&found, error), (&values, None));
        }
    }
}
