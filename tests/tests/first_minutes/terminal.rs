//! A newcomer's terminal: bash in the folder of a clone, in which one command is pasted after another, and Ctrl-C ends
//! what does not end by itself.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use millrace_tests::parts;
use millrace_tests::platform::{binary, clean};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// No step takes longer on a busy machine, not even the one that builds.
const STEP_MAX: Duration = Duration::from_secs(600);

/// A folder with the programs in `target/release`, as after `cargo run --release`, and the variables that commands have
/// set.
pub(super) struct Terminal {
    folder: TempDir,
}

/// What a command printed to either output, and how it ended.
pub(super) struct Pasted {
    pub(super) text: String,
    pub(super) status: ExitStatus,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("millrace-").tempdir().unwrap();
        let release = folder.path().join("target/release");
        std::fs::create_dir_all(&release).unwrap();
        for program in ["millrace", "millrace-gateway"] {
            symlink(binary().with_file_name(program), release.join(program)).unwrap();
        }
        Self { folder }
    }

    /// Pastes a command, waits for its end, and keeps the variables that it set.
    pub(super) async fn paste(&self, command: &str) -> Pasted {
        self.run(command).ended().await
    }

    /// Pastes a command that goes on, and presses Ctrl-C once it has printed all of these.
    pub(super) async fn paste_until(&self, command: &str, printed: &[&str]) -> Pasted {
        let mut running = self.run(command);
        running
            .until(|text| printed.iter().all(|part| text.contains(part)))
            .await;
        running.ctrl_c();
        running.ended().await
    }

    /// The value of a variable of the shell.
    pub(super) async fn variable(&self, name: &str) -> String {
        self.paste(&format!("echo \"${name}\"")).await.text.trim().to_owned()
    }

    /// Starts a command. Each runs in a shell of its own, whose process group is its own, so that Ctrl-C reaches it
    /// alone; a file hands the variables on. Such a group outlives a test that is killed, so it ends itself when the
    /// pipe from the test is closed.
    pub(super) fn run(&self, command: &str) -> Pasting {
        let variables = self.folder.path().join("variables");
        let variables = variables.display();
        let script = format!(
            "exec 3<&0 </dev/null 2>&1\n(read -r _ <&3; kill -TERM 0) >/dev/null 2>&1 &\n[[ ! -e '{variables}' ]] || . '{variables}' 2>/dev/null\n\
             set -e -o pipefail\n{command}\ndeclare -p >'{variables}'\n"
        );
        // A terminal's programs hear Ctrl-C; those of a run in the background inherit that they do not.
        let mut shell = Command::from(clean(std::process::Command::new("env")));
        shell.args(["--default-signal=INT", "bash"]);
        shell
            .args(["-c", &script])
            .env("PATH", path())
            .current_dir(self.place_of(command));
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = shell.spawn().expect("bash is there");
        let held = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Pasting {
            child,
            _held: held,
            lines,
            text: String::new(),
        }
    }

    /// Cargo needs the sources, which only the repository has; all else needs the data.
    fn place_of(&self, command: &str) -> PathBuf {
        match command.starts_with("cargo ") {
            true => Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
            false => self.folder.path().to_owned(),
        }
    }
}

/// The PATH with the grpcurl that `tests/run` installed.
fn path() -> std::ffi::OsString {
    let grpcurl = PathBuf::from(parts::variable("MILLRACE_GRPCURL"));
    let mut folders = vec![grpcurl.parent().expect("it is in a folder").to_owned()];
    folders.extend(std::env::split_paths(&parts::optional("PATH").unwrap_or_default()));
    std::env::join_paths(folders).unwrap()
}

/// A command that runs.
pub(super) struct Pasting {
    child: Child,
    /// Closed with this value.
    _held: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    text: String,
}

impl Pasting {
    /// Reads on until what was printed is enough, and returns it.
    ///
    /// # Panics
    /// It never is.
    pub(super) async fn until(&mut self, enough: impl Fn(&str) -> bool) -> &str {
        while !enough(&self.text) {
            assert!(self.next_line().await, "it ended after it printed:\n{}", self.text);
        }
        &self.text
    }

    /// Whether there was another line.
    async fn next_line(&mut self) -> bool {
        let line = timeout(STEP_MAX, self.lines.next_line()).await;
        match line.unwrap_or_else(|_| panic!("it printed no more for {STEP_MAX:?}:\n{}", self.text)) {
            Ok(Some(line)) => self.text += &format!("{line}\n"),
            Ok(None) => return false,
            Err(error) => panic!("{error} after:\n{}", self.text),
        }
        true
    }

    /// Sends SIGINT to all that the command started, as a terminal does.
    pub(super) fn ctrl_c(&self) {
        let id = self.child.id().expect("it is running");
        let sent = parts::run(std::process::Command::new("bash").args(["-c", &format!("kill -INT -- -{id}")]));
        assert!(sent.success, "{}", sent.err);
    }

    pub(super) async fn ended(mut self) -> Pasted {
        while self.next_line().await {}
        let status = timeout(STEP_MAX, self.child.wait()).await;
        Pasted {
            status: status.expect("it closed its output").expect("the child is ours"),
            text: self.text,
        }
    }
}
