//! The platform under test: the binary `millrace` as a child process, on free ports, with its data in a temporary
//! folder. When the value is dropped the process is killed by its id, and the folder is removed with its last owner.

mod folder;
mod program;

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::parts;
use program::{command, command_after, free_address};

pub use folder::{Folder, Keys};
pub use program::{binary, clean, millrace, millrace_after, millrace_command, millrace_in_shell, small_disk};

/// How long the platform may take to its first answer, or to a log line; a debug build on a busy machine is slow.
const START_MAX: Duration = Duration::from_secs(60);

/// A running platform.
pub struct TestPlatform {
    child: Child,
    /// Address of all doors.
    pub public: SocketAddr,
    /// Address of metrics, health and readiness.
    pub admin: SocketAddr,
    folder: Folder,
    is_dev: bool,
    output: Output,
}

/// What the process wrote to its two outputs, as far as it has come.
#[derive(Default)]
struct Output {
    text: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Output {
    fn collect(&mut self, mut from: impl Read + Send + 'static) {
        let text = Arc::clone(&self.text);
        self.readers.push(std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let piece = String::from_utf8_lossy(&buffer[..read]);
                text.lock().expect("no reader panics").push_str(&piece);
            }
        }));
    }

    fn text(&self) -> String {
        self.text.lock().expect("no reader panics").clone()
    }

    /// Waits until all has arrived that the process wrote, which must have ended.
    fn finish(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
    }
}

impl TestPlatform {
    /// Starts `millrace dev` on a fresh folder with sample data.
    ///
    /// # Panics
    /// It does not start.
    pub async fn dev() -> Self {
        Self::dev_with(&Folder::new(), &[]).await
    }

    /// Starts `millrace dev` on a folder, with more flags.
    ///
    /// # Panics
    /// It does not start.
    pub async fn dev_with(folder: &Folder, flags: &[&str]) -> Self {
        let data = folder.path().to_string_lossy().into_owned();
        let mut arguments = vec!["dev", "--data-dir", &data];
        arguments.extend(flags);
        Self::start(folder, &arguments, &[]).await
    }

    /// Starts `millrace dev` where no file can grow beyond a number of blocks of 1,024 bytes.
    ///
    /// # Panics
    /// It does not start.
    pub async fn dev_on_small_disk(folder: &Folder, blocks: u32) -> Self {
        Self::dev_after(folder, &small_disk(blocks)).await
    }

    /// Starts `millrace dev` from a shell that has run some commands before.
    ///
    /// # Panics
    /// It does not start.
    pub async fn dev_after(folder: &Folder, commands: &str) -> Self {
        let shell = command_after(commands);
        let data = folder.path().to_string_lossy().into_owned();
        let mut platform = Self::spawn(folder, shell, &["dev", "--data-dir", &data, "--no-sample-data"], &[]);
        platform
            .until_ready()
            .await
            .unwrap_or_else(|text| panic!("millrace dev did not start:\n{text}"));
        platform
    }

    /// Starts `millrace` with a subcommand that serves, and waits until it is ready. The addresses are given to it.
    ///
    /// # Panics
    /// It ends, or is not ready in time; the message shows what it printed.
    pub async fn start(folder: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        // A port that is free now may be taken a moment later, by a call that leaves from it.
        for _ in 0..3 {
            let mut platform = Self::spawn(folder, command(), arguments, environment);
            match platform.until_ready().await {
                Ok(()) => return platform,
                Err(text) if text.contains("cannot listen") || text.contains("in use") => {}
                Err(text) => panic!("millrace {} did not start:\n{text}", arguments.join(" ")),
            }
        }
        panic!("no port stayed free, three times in a row");
    }

    /// Starts `millrace dev` on a folder and does not wait for it.
    pub fn dev_starting(folder: &Folder) -> Self {
        let data = folder.path().to_string_lossy().into_owned();
        Self::spawn(folder, command(), &["dev", "--data-dir", &data], &[])
    }

    fn spawn(folder: &Folder, mut command: Command, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let (public, admin) = (free_address(), free_address());
        let mut child = command
            .args(arguments)
            .args(["--listen", &public.to_string(), "--admin-listen", &admin.to_string()])
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary().display()));
        let mut output = Output::default();
        output.collect(child.stdout.take().expect("it is piped"));
        output.collect(child.stderr.take().expect("it is piped"));
        Self {
            child,
            public,
            admin,
            folder: folder.clone(),
            is_dev: arguments[0] == "dev",
            output,
        }
    }

    async fn until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            if self.child.try_wait().expect("the child is ours").is_some() {
                self.output.finish();
                return Err(self.output.text());
            }
            if crate::rest::Rest::new(self.public).ready().await && self.keys_are_there() {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(format!("not ready after {START_MAX:?}\n{}", self.output.text()))
    }

    /// Whether `dev` has written its address and keys, which it does when it already answers.
    fn keys_are_there(&self) -> bool {
        !self.is_dev
            || self
                .folder
                .dev_env()
                .is_some_and(|text| text.contains(&self.public.to_string()))
    }

    /// The folder with its data.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The keys that `dev` made.
    pub fn keys(&self) -> Keys {
        self.folder.dev_keys()
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its outputs so far.
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// What it has written to its outputs once that holds all of these; another thread may write a log line a little
    /// after the answer was sent.
    ///
    /// # Panics
    /// It is not written in time.
    pub async fn output_with(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + START_MAX;
        loop {
            let text = self.output();
            let Some(missing) = parts.iter().find(|part| !text.contains(**part)) else {
                return text;
            };
            assert!(Instant::now() < deadline, "no {missing:?} in\n{text}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends SIGKILL and waits for the end.
    ///
    /// # Panics
    /// The process is not ours any more.
    pub fn kill(mut self) -> Folder {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
        self.folder.clone()
    }

    /// Sends SIGTERM.
    ///
    /// # Panics
    /// There is no shell.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends SIGINT, as Ctrl-C does.
    ///
    /// # Panics
    /// There is no shell.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Whether the process has its own handling of SIGINT and SIGTERM by now. Only Linux tells.
    pub fn watches_signals(&self) -> bool {
        const SIGINT_AND_SIGTERM: u64 = 1 << 1 | 1 << 14;
        let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())) else {
            return false;
        };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & SIGINT_AND_SIGTERM == SIGINT_AND_SIGTERM)
    }

    fn signal(&self, name: &str) {
        let sent = parts::run(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]));
        assert!(sent.success, "{}", sent.err);
    }

    /// Waits for the end of the process, and says how long that took.
    ///
    /// # Panics
    /// It is still running after `at_most`.
    pub async fn ended(&mut self, at_most: Duration) -> (ExitStatus, Duration) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                let took = since.elapsed();
                self.output.finish();
                return (status, took);
            }
            assert!(
                since.elapsed() < at_most,
                "still running after {at_most:?}:\n{}",
                self.output()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        // A failing test shows what the platform had to say.
        if std::thread::panicking() {
            eprintln!("--- output of millrace ---\n{}", self.output());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
