//! A real nats-server on a free port, with JetStream in a directory of its own and every write synced.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A nats-server under test. Dropping it ends it.
pub struct NatsServer {
    directory: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// The program: a version manager may put a script in front of it, which a signal would not get past.
fn program() -> PathBuf {
    let found = Command::new("pyenv").args(["which", "nats-server"]).stderr(Stdio::null()).output();
    let found = found.ok().filter(|output| output.status.success());
    let found = found.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    found.filter(|path| path.is_file()).unwrap_or_else(|| "nats-server".into())
}

impl NatsServer {
    /// A server that has not started yet.
    pub fn new() -> Self {
        Self::with("")
    }

    /// As [`NatsServer::new`], with more lines in its configuration.
    pub fn with(lines: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let port = crate::free_port();
        let store = directory.path().join("store");
        let text = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {store:?}, sync_interval: always, max_file: 4GB }}\n{lines}\n"
        );
        std::fs::write(directory.path().join("server.conf"), text).expect("a configuration can be written");
        Self { directory, port, child: None }
    }

    /// A server that runs.
    pub fn running() -> Self {
        let mut server = Self::new();
        server.start();
        server
    }

    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("server.log"));
        let log = log.expect("a log can be written");
        let mut command = Command::new(program());
        command.arg("-c").arg(self.directory.path().join("server.conf")).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        self.child = Some(command.spawn().expect("nats-server is on the path and starts"));
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "nats-server does not listen: {}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours can be killed");
            child.wait().expect("a child of ours can be waited for");
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What it said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default()
    }
}

impl Default for NatsServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
