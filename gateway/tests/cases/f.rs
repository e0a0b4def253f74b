//! F: streams of the client's.

use crate::case::{Call, Case, Setup, ask, case, post, rule};
use crate::http::Piece;
use crate::reply::many;

#[tokio::test]
async fn client_streams() {
    crate::run::section(cases()).await;
}

fn bulk(body: &str) -> Setup {
    rule("BulkShelves", "POST /bulk/shelves", body).into()
}

fn send(body: &str) -> Call {
    post("/bulk/shelves", body).answered(many(&["id: 1", "id: 2"]))
}

fn bytes(text: &str) -> Piece {
    Piece::Bytes(text.as_bytes().to_vec())
}

pub(crate) fn cases() -> Vec<Case> {
    let step_by_step = vec![
        bytes(r#"[{"theme":"A"}"#),
        Piece::Seen(1),
        bytes(r#",{"theme":"B"},"#),
        Piece::Seen(2),
        bytes(r#"{"theme":"C"}]"#),
    ];
    let hung_up = vec![bytes(r#"[{"theme":"A"},{"the"#), Piece::Seen(1), Piece::HangUp];
    let bad_third = vec![
        bytes(r#"[{"theme":"A"},{"theme":"B"},"#),
        Piece::Seen(2),
        bytes(r#"{"theme":3},{"theme":"D"}]"#),
    ];
    let thousand: Vec<_> = (1..=1_000).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
    let all = (1..=1_000).map(|id| format!("shelf {{ id: {id} }}"));
    vec![
        case(
            "F01",
            bulk("shelf"),
            [
                send(r#"[{"theme":"A"},{"theme":"B"}]"#).sends_all(["shelf { theme: 'A' }", "shelf { theme: 'B' }"]),
                ask("POST", "/bulk/shelves")
                    .pieces(step_by_step)
                    .answered(many(&["id: 1"]))
                    .sends_all(["shelf { theme: 'A' }", "shelf { theme: 'B' }", "shelf { theme: 'C' }"]),
            ],
        ),
        case(
            "F03",
            bulk("shelf"),
            [send(r#"[{},{"theme":"C"},{}]"#).sends_all(["shelf {}", "shelf { theme: 'C' }", "shelf {}"])],
        ),
        case("F04", bulk("shelf"), [send(r#"{"theme":"x"}"#).refused(400, "array")]),
        case(
            "F06",
            bulk("theme"),
            [send(r#"["Classic","Fiction"]"#).sends_all(["theme: 'Classic'", "theme: 'Fiction'"])],
        ),
        case(
            "F07",
            bulk("shelves"),
            [send(r#"[[{"id":1},{"id":2}],[{"id":3}]]"#)
                .sends_all(["shelves { id: 1 } shelves { id: 2 }", "shelves { id: 3 }"])],
        ),
        case(
            "F09",
            bulk("shelf"),
            [send(&format!("[{}]", thousand.join(","))).sends_all(all)],
        ),
        case(
            "F10",
            bulk("shelf"),
            [ask("POST", "/bulk/shelves")
                .pieces(bad_third)
                .fails(400, 3)
                .sends_all(["shelf { theme: 'A' }", "shelf { theme: 'B' }"])
                .cancelled()],
        ),
        case(
            "F12",
            bulk("shelf"),
            [ask("POST", "/bulk/shelves")
                .pieces(hung_up)
                .sends("shelf { theme: 'A' }")
                .cancelled()],
        ),
        case(
            "F13",
            rule("CreateShelf", "POST /shelf", "shelf"),
            [post("/shelf", r#"[{"theme":"A"},{"theme":"B"}]"#).refuses_field("shelf")],
        ),
    ]
}
