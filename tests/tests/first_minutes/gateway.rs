//! The README's section on the gateway alone, pasted as it stands before the server that it names, and each output that
//! it shows compared with what is printed. Addresses are the only thing that differs: here all are free ones.

use super::terminal::{Pasting, Terminal};
use super::{interrupted, section, start};

pub(super) const SECTION: &str = "## Put REST in front of your own gRPC server\n";

/// How the README runs the gateway at first, and what that is once it is built.
const BUILT: (&str, &str) = (
    "cargo run --release -p millrace-gateway --",
    "target/release/millrace-gateway",
);

/// The addresses in the README: of the server, of the gateway, of its admin listener.
const SERVER: &str = "127.0.0.1:8080";
const GATEWAY: &str = "127.0.0.1:8088";
const ADMIN: &str = "127.0.0.1:9488";

/// What a block of commands does.
enum Does {
    /// Serves, and says so to a person, until Ctrl-C.
    ServesOnTerminal,
    /// Serves, and logs it, until Ctrl-C.
    Serves,
    /// Ends by itself, with status 0.
    Ends,
    /// Goes on; it has printed this when Ctrl-C comes.
    GoesOn(&'static [&'static str]),
}

/// The blocks of the section: part of the commands, and what they do.
const BLOCKS: &[(&str, Does)] = &[
    ("cargo run --release", Does::ServesOnTerminal),
    ("colour=red", Does::Ends),
    (
        "orders:watch",
        Does::GoesOn(&["id: 1\n", "data: {\"number\":1,", "PLACED"]),
    ),
    ("explain", Does::Ends),
    ("-protoset-out", Does::Ends),
    ("--descriptors shop.binpb", Does::Serves),
    ("/shop/products/", Does::Ends),
];

/// The header that makes a stream SSE.
const SSE: &str = " -H 'Accept: text/event-stream'";

/// A block of commands, and the output that is shown after it.
struct Block {
    commands: String,
    shown: Option<String>,
}

#[tokio::test]
#[ignore = "needs grpcurl, and script of util-linux"]
async fn the_gateway_before_a_server_as_it_is_pasted() {
    let terminal = Terminal::new();
    let (_dev, _) = start(&terminal, "(new; seed 1)").await;
    terminal.paste(". .millrace/dev.env").await;
    let url = terminal.variable("MILLRACE_URL").await;
    let mut addresses = Addresses::new(url.trim_start_matches("http://"));
    let blocks = blocks();
    let found: Vec<_> = blocks.iter().map(|block| &block.commands).collect();
    assert_eq!(
        blocks.len(),
        BLOCKS.len(),
        "the README has other commands than this test knows: {found:#?}"
    );

    let mut running: Option<Pasting> = None;
    for (block, (part, does)) in blocks.iter().zip(BLOCKS) {
        let commands = &block.commands;
        assert!(
            commands.contains(part),
            "here the README has something else than {part}:\n{commands}"
        );
        let commands = addresses.here(&commands.replace(BUILT.0, BUILT.1));
        let printed = match does {
            Does::ServesOnTerminal => {
                // It runs on a terminal of its own.
                let mut gateway = terminal.run(&format!("exec script -qec '{commands}' /dev/null"));
                let printed = gateway.until(|text| text.contains("\n  Stop ")).await.to_owned();
                addresses.read_banner(&printed);
                running = Some(gateway);
                printed
            }
            Does::Serves => {
                let before = running.take().expect("one serves already");
                before.ctrl_c();
                before.ended().await;
                let mut gateway = terminal.run(&format!("exec {commands}"));
                let printed = gateway
                    .until(|text| text.contains("the gateway serves"))
                    .await
                    .to_owned();
                addresses.read_log(&printed);
                running = Some(gateway);
                printed
            }
            Does::Ends => {
                let pasted = terminal.paste(&commands).await;
                assert!(
                    pasted.status.success(),
                    "{} from\n{commands}\nwhich printed\n{}",
                    pasted.status,
                    pasted.text
                );
                pasted.text
            }
            Does::GoesOn(prints) => {
                goes_on(&terminal, &commands, prints).await;
                goes_on(&terminal, &commands.replace(SSE, ""), &["{\"number\":1,", "PLACED"]).await;
                continue;
            }
        };
        let (there, shown) = (addresses.there(&printed), block.shown.as_deref().unwrap_or_default());
        for line in shown.lines() {
            assert!(
                there.lines().any(|printed| printed == line),
                "no line {line:?} from\n{commands}\nwhich printed\n{there}"
            );
        }
    }
    let gateway = running.expect("one serves still");
    gateway.ctrl_c();
    let ended = gateway.ended().await;
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.text);
}

async fn goes_on(terminal: &Terminal, commands: &str, prints: &[&str]) {
    let pasted = terminal.paste_until(commands, prints).await;
    assert!(
        interrupted(pasted.status),
        "{} from\n{commands}\nwhich printed\n{}",
        pasted.status,
        pasted.text
    );
}

/// Which address here is which in the README.
struct Addresses {
    server: String,
    gateway: String,
    admin: String,
}

impl Addresses {
    /// Before the gateway has its own: any free port.
    fn new(server: &str) -> Self {
        let any = || "127.0.0.1:0".to_owned();
        Self {
            server: server.to_owned(),
            gateway: any(),
            admin: any(),
        }
    }

    fn here(&self, text: &str) -> String {
        // A gateway that starts takes free ports, whatever the one before it had.
        let text = text.replace(&format!("--listen {GATEWAY}"), "--listen 127.0.0.1:0");
        let text = text.replace(&format!("--admin-listen {ADMIN}"), "--admin-listen 127.0.0.1:0");
        text.replace(SERVER, &self.server).replace(GATEWAY, &self.gateway)
    }

    fn there(&self, text: &str) -> String {
        text.replace(&self.server, SERVER)
            .replace(&self.gateway, GATEWAY)
            .replace(&self.admin, ADMIN)
    }

    /// Finds the gateway's addresses in what it says to a person.
    fn read_banner(&mut self, text: &str) {
        let after = |mark: &str| {
            let (_, rest) = text
                .split_once(mark)
                .unwrap_or_else(|| panic!("no {mark:?} in\n{text}"));
            rest.split(['/', ' ', '\n']).next().unwrap_or_default().to_owned()
        };
        self.gateway = after("OpenAPI http://");
        self.admin = after("Admin      http://");
    }

    /// Finds them in its log.
    fn read_log(&mut self, text: &str) {
        let mut lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let serves = lines.rfind(|line| line["message"] == "the gateway serves");
        let serves = serves.unwrap_or_else(|| panic!("it does not say where it serves:\n{text}"));
        self.gateway = serves["listen"].as_str().unwrap().to_owned();
        self.admin = serves["admin_listen"].as_str().unwrap().to_owned();
    }
}

/// The section's blocks in order, each with the output that follows it.
fn blocks() -> Vec<Block> {
    let section = section(SECTION);
    let mut blocks: Vec<Block> = Vec::new();
    for fence in section.split("\n```").skip(1).step_by(2) {
        let (language, text) = fence.split_once('\n').unwrap_or((fence, ""));
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block {
                commands: text.to_owned(),
                shown: None,
            }),
            ("text" | "json", Some(block)) => block.shown = Some(text.to_owned()),
            _ => panic!("a block of {language:?} that no command prints:\n{text}"),
        }
    }
    blocks
}
