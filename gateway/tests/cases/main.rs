//! The transcoding cases: each over real HTTP, against a gRPC upstream that keeps what it is sent, in process and
//! behind the proxy. A file for each section of the list; `ids.rs` says which cases there are.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod case;
mod expect;
mod http;
mod http2;
mod ids;
mod recorder;
mod reply;
mod run;
mod shapes;

mod a;
mod b;
mod c;
mod d;
mod e;
mod f;
mod g;
mod h;

#[test]
fn every_case_is_run_or_listed_with_its_reason() {
    use std::collections::BTreeSet;
    let sections = [
        a::cases(),
        b::cases(),
        c::cases(),
        d::cases(),
        e::cases(),
        f::cases(),
        g::cases(),
        h::cases(),
    ];
    let parts: BTreeSet<_> = sections.iter().flatten().map(|case| case.id).collect();
    let whole = |id: &&'static str| id.split('/').next().unwrap();
    let run: BTreeSet<_> = parts.iter().map(whole).collect();
    let later: BTreeSet<_> = ids::LATER.iter().map(|(id, _)| *id).collect();
    let all: BTreeSet<_> = ids::ALL.iter().flat_map(|section| section.split(' ')).collect();
    let known: BTreeSet<_> = run
        .iter()
        .chain(&later)
        .copied()
        .filter(|id| !id.contains('/'))
        .collect();
    assert_eq!(
        all.difference(&known).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "neither run nor listed"
    );
    assert_eq!(
        known.difference(&all).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "not in the list of all"
    );
    assert_eq!(
        parts.intersection(&later).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "run, and listed as later"
    );
    let pending: BTreeSet<_> = ids::PENDING.iter().map(|(id, _)| *id).collect();
    assert!(
        pending.is_subset(&parts),
        "pending, and not there: {:?}",
        pending.difference(&parts)
    );
}
