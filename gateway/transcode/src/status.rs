//! Failures over HTTP: the only table of gRPC codes and HTTP statuses, and the bodies that carry a failure.
//!
//! The HTTP status is the code's, unless the reason in `ErrorInfo` declares another one in the schema. A body is
//! `google.rpc.Status` as JSON, or a problem document (RFC 9457) for those who ask for it. `DebugInfo` never leaves; at
//! most 20 violations, 4 KiB of details and 4 KiB of a message do, since clients and proxies limit headers and bodies of failures.

mod detail;
mod failure;

pub use detail::Detail;
pub use failure::{DETAILS_BYTES_MAX, Failure, JSON, PROBLEM_JSON, VIOLATIONS_MAX};

/// Code, name and HTTP status, by code.
const TABLE: [(i32, &str, u16); 17] = [
    (0, "OK", 200),
    (1, "CANCELLED", 499),
    (2, "UNKNOWN", 500),
    (3, "INVALID_ARGUMENT", 400),
    (4, "DEADLINE_EXCEEDED", 504),
    (5, "NOT_FOUND", 404),
    (6, "ALREADY_EXISTS", 409),
    (7, "PERMISSION_DENIED", 403),
    (8, "RESOURCE_EXHAUSTED", 429),
    (9, "FAILED_PRECONDITION", 400),
    (10, "ABORTED", 409),
    (11, "OUT_OF_RANGE", 400),
    (12, "UNIMPLEMENTED", 501),
    (13, "INTERNAL", 500),
    (14, "UNAVAILABLE", 503),
    (15, "DATA_LOSS", 500),
    (16, "UNAUTHENTICATED", 401),
];

/// The row of a code; `UNKNOWN` for what is none.
fn row(code: i32) -> (i32, &'static str, u16) {
    let index = usize::try_from(code).ok();
    index
        .and_then(|index| TABLE.get(index))
        .copied()
        .unwrap_or((2, "UNKNOWN", 500))
}

/// The HTTP status of a gRPC code; 500 for a code that is none.
pub fn http_status(code: i32) -> u16 {
    row(code).2
}

/// The name of a gRPC code; `UNKNOWN` for a code that is none.
pub fn code_name(code: i32) -> &'static str {
    row(code).1
}

/// The gRPC code for a refusal that only HTTP knows: 404, 405, 406, 408, 411, 413, 414, 415, 421, 431.
pub fn code_of_refusal(http_status: u16) -> i32 {
    match http_status {
        404 => 5,
        405 => 12,
        408 => 4,
        413 | 431 => 8,
        400..=499 => 3,
        _ => 13,
    }
}

/// The gRPC code of an HTTP answer that carries none (a proxy's own page), by gRPC's `http-grpc-status-mapping`.
pub fn code_of_foreign_answer(http_status: u16) -> i32 {
    match http_status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let expected = [
            200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        let found: Vec<_> = (0..17).map(http_status).collect();
        assert_eq!(found, expected);
        for (index, (code, _, _)) in TABLE.iter().enumerate() {
            assert_eq!(usize::try_from(*code), Ok(index));
        }
        for code in [-1, 17, i32::MAX, i32::MIN] {
            assert_eq!((http_status(code), code_name(code)), (500, "UNKNOWN"));
        }
        let refusals = [
            (404, 5),
            (405, 12),
            (406, 3),
            (408, 4),
            (411, 3),
            (413, 8),
            (414, 3),
            (415, 3),
            (421, 3),
            (431, 8),
        ];
        for (status, code) in refusals {
            assert_eq!(code_of_refusal(status), code, "{status}");
        }
    }
}
