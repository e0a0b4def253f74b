//! The servers of `tests/foreign` and the stand-alone gateway before them, as child processes on free loopback ports. A
//! process is killed by its id when its value is dropped.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use millrace_tests::parts;
use millrace_tests::platform::{binary, clean};
use millrace_tests::rest::Rest;
use serde_json::Value;

/// What a server is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// grpcio: reflection v1alpha alone, without HTTP rules.
    Python,
    /// grpc-go: both versions of reflection, with HTTP rules.
    Go,
    /// grpc-js: both versions of reflection, which knows no options.
    Node,
}

/// A gRPC server that is not ours.
pub(super) struct Server {
    child: Child,
    language: Language,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(language: Language) -> Self {
        Self::on(language, 0)
    }

    /// Kills it at once; the value says where it was.
    pub(super) fn kill(mut self) -> (Language, u16) {
        self.end();
        (self.language, self.port)
    }

    /// Starts it where it was before.
    pub(super) fn again((language, port): (Language, u16)) -> Self {
        Self::on(language, port)
    }

    fn on(language: Language, port: u16) -> Self {
        let mut child = command(language)
            .arg(format!("127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the {language:?} server cannot be started: {error}"));
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        // Kept before anything can fail, so that the process ends in any case.
        let mut server = Self { child, language, port };
        let said = line.trim().strip_prefix("listening ");
        server.port = said
            .and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("the {language:?} server said: {line}"));
        server
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn command(language: Language) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
    match language {
        Language::Python => {
            let mut python = Command::new(parts::variable("MILLRACE_FOREIGN_PYTHON"));
            python.arg(folder.join("python/server.py")).arg(descriptors());
            python
        }
        Language::Go => {
            let mut go = Command::new(parts::variable("MILLRACE_FOREIGN_GO"));
            go.arg(descriptors());
            go
        }
        Language::Node => {
            let mut node = Command::new("node");
            node.env("FOREIGN_MODULES", parts::variable("MILLRACE_FOREIGN_NODE_MODULES"));
            node.arg(folder.join("node/server.mjs")).arg(folder.join("shelf.proto"));
            node
        }
    }
}

/// The file with the descriptors of `shelf.proto`, which Python and Go read instead of generated code.
fn descriptors() -> PathBuf {
    static FILE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let file = FILE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut compiler = protox::Compiler::new([root.join("foreign"), root.join("../proto")]).unwrap();
        compiler.include_imports(true).include_source_info(true);
        compiler.open_files(["shelf.proto"]).unwrap();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign-shelf.binpb");
        std::fs::write(&file, compiler.encode_file_descriptor_set()).unwrap();
        file
    });
    file.clone()
}

/// The stand-alone gateway before one server.
pub(super) struct Gateway {
    child: Child,
    /// Its public door.
    pub(super) rest: Rest,
    /// Its admin door.
    pub(super) admin: Rest,
}

impl Gateway {
    /// Starts it without descriptors, with a settings file or none.
    pub(super) fn start(server: &Server, settings: Option<&Path>) -> Self {
        let mut command = clean(Command::new(binary().with_file_name("millrace-gateway")));
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--log-format", "json", "--upstream"]);
        command.arg(format!("http://127.0.0.1:{}", server.port));
        if let Some(settings) = settings {
            command.arg("--config").arg(settings);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("millrace-gateway cannot be started: {error}"));
        let mut printed = BufReader::new(child.stderr.take().unwrap());
        let (listen, admin) = match addresses(&mut printed) {
            Ok(addresses) => addresses,
            Err(said) => {
                let _ = child.wait();
                panic!("millrace-gateway did not start:\n{said}");
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
        Self {
            child,
            rest: Rest::new(listen),
            admin: Rest::new(admin),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads up to the line that says where it listens; the error is all that was printed instead.
fn addresses(printed: &mut BufReader<impl Read>) -> Result<(SocketAddr, SocketAddr), String> {
    let mut all = String::new();
    loop {
        let start = all.len();
        if printed.read_line(&mut all).unwrap() == 0 {
            return Err(all);
        }
        let Ok(line) = serde_json::from_str::<Value>(&all[start..]) else {
            continue;
        };
        if line["message"] == "the gateway serves" {
            let address = |key: &str| line[key].as_str().unwrap().parse().unwrap();
            return Ok((address("listen"), address("admin_listen")));
        }
    }
}
