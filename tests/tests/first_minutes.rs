//! A newcomer's first minutes: `millrace dev` in an empty folder, the three commands of its banner, and every command
//! of the README's section on them, as they stand there, in order. `gateway.rs` does the same with the section on the
//! gateway alone.

mod gateway;
mod terminal;

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use millrace_tests::parts;

use terminal::{Pasting, Terminal};

const SECTION: &str = "## The first five minutes\n";

/// What a block of commands prints, and how it ends. `$user` stands for that variable of the shell.
enum Step {
    /// By itself, with status 0.
    Ends(&'static [&'static str]),
    /// By Ctrl-C, after it has printed this.
    GoesOn(&'static [&'static str]),
}

use Step::{Ends, GoesOn};

/// The README's blocks: part of the commands, and what they do.
const README: &[(&str, Step)] = &[
    ("dev.env", Ends(&[])),
    (
        "/apiKeys",
        Ends(&["\"name\":\"products/", "\n$user has the key mr_dev_"]),
    ),
    (
        "/orders?pageSize=1",
        Ends(&["\"name\":\"$user/orders/", "forest-apple-vinegar", "{\"orders\":["]),
    ),
    ("/orders:watch", GoesOn(&["id: 1\n", "data: {", "PLACED"])),
    (
        "describe",
        Ends(&["grpc.health.v1.Health\n", "rpc CreateOrder (", "//"]),
    ),
    (
        "/CreateOrder",
        Ends(&["\"name\": \"$user/orders/", "forest-apple-vinegar", "\"orders\": ["]),
    ),
    ("/WatchOrders", GoesOn(&["\"number\": 1", "PLACED"])),
    ("--example place_order", Ends(&["/orders/", " Placed\n"])),
    ("load --rate", GoesOn(&["placing 2 orders a second"])),
];

#[tokio::test]
#[ignore = "needs grpcurl"]
async fn the_banner_and_the_readme_work_as_they_are_pasted() {
    let terminal = Terminal::new();
    let (dev, commands) = start(&terminal, "(new; seed 1)").await;
    let banner = [
        Ends(&["{\"orders\":[{\"name\":\"users/"]),
        Ends(&["\"orders\": [", "\"name\": \"users/"]),
        GoesOn(&["placing 2 orders a second"]),
    ];
    assert_eq!(commands.len(), banner.len(), "{commands:#?}");
    for (command, step) in commands.iter().zip(&banner) {
        follow(&terminal, command, step).await;
    }

    let blocks = blocks(SECTION);
    assert_eq!(
        blocks.len(),
        README.len(),
        "the README has other commands than this test knows: {blocks:#?}"
    );
    for (block, (part, step)) in blocks.iter().zip(README) {
        assert!(
            block.contains(part),
            "here the README has something else than {part}:\n{block}"
        );
        follow(&terminal, block, step).await;
    }

    // Stopped by Ctrl-C and started again, it has the same data.
    dev.ctrl_c();
    let ended = dev.ended().await;
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.text);
    let (_dev, commands) = start(&terminal, "(there already; seed 1)").await;
    follow(&terminal, &commands[0], &banner[0]).await;
}

/// Starts `millrace` as `cargo run --release` does, but on free ports, and returns the commands of its banner.
async fn start(terminal: &Terminal, samples: &str) -> (Pasting, Vec<String>) {
    let mut dev = terminal.run("exec target/release/millrace --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0");
    let banner = dev.until(|text| text.contains("\n  Stop ")).await;
    assert!(banner.contains(samples), "{banner}");
    let (_, commands) = banner.split_once("\n  Try ").expect("the banner has commands to try");
    let (commands, _) = commands.split_once("\n  Stop ").expect("it was waited for");
    let commands = commands.lines().map(|line| line.trim().to_owned()).collect();
    (dev, commands)
}

/// Pastes commands, and compares what they print with what they should.
async fn follow(terminal: &Terminal, commands: &str, step: &Step) {
    let (pasted, prints) = match step {
        Ends(prints) => (terminal.paste(commands).await, prints),
        GoesOn(prints) => (terminal.paste_until(commands, prints).await, prints),
    };
    let (status, text) = (pasted.status, pasted.text);
    let expected = match step {
        Ends(_) => status.success(),
        GoesOn(_) => interrupted(status),
    };
    assert!(expected, "{status} from\n{commands}\nwhich printed\n{text}");
    let user = terminal.variable("user").await;
    for part in *prints {
        let part = part.replace("$user", &user);
        assert!(
            text.contains(&part),
            "no {part:?} from\n{commands}\nwhich printed\n{text}"
        );
    }
}

/// Whether a shell ended as one does whose command was interrupted.
fn interrupted(status: ExitStatus) -> bool {
    const SIGINT: i32 = 2;
    status.signal() == Some(SIGINT) || status.code() == Some(128 + SIGINT)
}

/// A section of the README, without its heading.
fn section(heading: &str) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, section) = readme.split_once(heading).expect("the README has the section");
    section.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The blocks of commands in a section of the README, in order.
fn blocks(heading: &str) -> Vec<String> {
    section(heading)
        .split("\n```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .map(str::to_owned)
        .collect()
}

/// Where `sh` is not bash, and in zsh, which takes `#` on a command line for a word, the commands are the same.
#[test]
fn the_readmes_commands_are_plain() {
    for block in [SECTION, gateway::SECTION].into_iter().flat_map(blocks) {
        let parsed = parts::run(std::process::Command::new("sh").args(["-n", "-c", &block]));
        assert!(parsed.success, "{}\n{block}", parsed.err);
        assert!(!block.contains(" #"), "a comment in\n{block}");
    }
}
