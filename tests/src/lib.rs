//! A whole system under test: the real `orrery` binary, real processes, on ports and in a directory of its own.

mod load;
pub mod nats;
pub mod page;
mod session;
mod terminal;
mod workload;

pub use load::{Load, Visit};
pub use terminal::Terminal;
pub use workload::Workload;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The token of examples/tokens.toml that may enter.
pub const TOKEN: &str = "demo-ann-not-a-secret";

/// An `orrery up` and what belongs to it. Dropping it ends all of it.
pub struct System {
    directory: tempfile::TempDir,
    data: PathBuf,
    api: u16,
    ingress: u16,
    nats: Option<String>,
    child: Mutex<Option<Child>>,
    agents: Vec<Child>,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The binary, which the same build put beside the tests.
pub fn orrery() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let target = test.ancestors().nth(2).expect("tests lie two levels below the profile's directory");
    target.join("orrery")
}

/// A port that nobody listens on, outside of what the kernel hands to outgoing connections and agents to instances: it
/// must still be free when the system is started again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + step % 10_000).expect("it is below 20,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl System {
    /// A system of its own, not started yet.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let data = directory.path().join("data");
        Self {
            directory,
            data,
            api: free_port(),
            ingress: free_port(),
            nats: None,
            child: Mutex::new(None),
            agents: Vec::new(),
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A system of its own, with its data at a place of the test's.
    pub fn at(data: PathBuf) -> Self {
        let mut system = Self::new();
        system.data = data;
        system
    }

    /// A system whose log is on a NATS server.
    pub fn on_nats(url: &str) -> Self {
        let mut system = Self::new();
        system.nats = Some(url.into());
        system
    }

    /// The exit code of `orrery up`, if it has ended by itself already.
    pub fn exit_code(&self) -> Option<i32> {
        let ended = self.child().as_mut()?.try_wait().expect("a child of ours can be waited for")?;
        ended.code()
    }

    /// A GET of the API over HTTP: the body as JSON.
    pub fn api(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.api)).expect("the API listens");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Where its data lies.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Waits until `orrery up` ends by itself, and returns its exit code.
    pub fn ended(&self) -> Option<i32> {
        let child = self.child().take();
        child.and_then(|mut child| child.wait().ok()).and_then(|status| status.code())
    }

    /// Starts `orrery up`, with manifests to apply.
    pub fn up(&self, manifests: &[&str]) {
        self.up_as(&[], manifests);
    }

    /// Starts `orrery up` with more to say of its node, with manifests to apply.
    pub fn up_as(&self, node: &[&str], manifests: &[&str]) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("up.log"));
        let log = log.expect("a log can be written");
        let mut command = Command::new(orrery());
        command.current_dir(root()).arg("up").arg("--data").arg(self.data());
        command.arg("--listen").arg(format!("127.0.0.1:{}", self.api));
        command.arg("--ingress").arg(format!("127.0.0.1:{}", self.ingress));
        command
            .args(["--tokens", "examples/tokens.toml", "--cpu", "4", "--memory", "4GiB", "--disk", "20GiB"])
            .args(node);
        if let Some(url) = &self.nats {
            command.arg("--nats").arg(url);
        }
        for manifest in manifests {
            command.arg("--apply").arg(manifest);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        *self.child() = Some(command.spawn().expect("orrery starts"));
    }

    /// Starts the agent of one more node.
    pub fn join(&mut self, name: &str) {
        self.join_as(name, &[]);
    }

    /// Starts the agent of one more node, with more to say of it.
    pub fn join_as(&mut self, name: &str, node: &[&str]) {
        let mut command = Command::new(orrery());
        command.current_dir(root()).arg("agent").arg("--join").arg(format!("http://127.0.0.1:{}", self.api));
        command.args(["--name", name, "--cpu", "4", "--memory", "4GiB", "--disk", "20GiB"]).args(node);
        command.arg("--data").arg(self.data().join(name)).stdin(Stdio::null());
        self.agents.push(command.spawn().expect("the agent starts"));
    }

    /// Kills `orrery up` without a warning. What it runs goes on.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().expect("a child of ours can be killed");
            child.wait().expect("a child of ours can be waited for");
        }
    }

    /// Runs a command of the command line against it.
    pub fn orrery(&self, arguments: &[&str]) -> Output {
        let api = format!("http://127.0.0.1:{}", self.api);
        let mut command = Command::new(orrery());
        command.current_dir(root()).args(arguments).env("ORRERY_API", api).stdin(Stdio::null());
        command.output().expect("orrery runs")
    }

    /// Runs a command with `--json` and reads what it says; nothing where nobody answers.
    pub fn json(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.orrery(&[arguments, &["--json"]].concat());
        let answered = output.status.code().is_some_and(|code| code < 2);
        serde_json::from_slice(&output.stdout).ok().filter(|_| answered)
    }

    /// Healthy instances of a job.
    pub fn healthy(&self, job: &str) -> u64 {
        let status = self.json(&["status"]).unwrap_or_default();
        let jobs = status["jobs"].as_array().cloned().unwrap_or_default();
        jobs.iter().find(|one| one["name"] == job).and_then(|one| one["healthy"].as_u64()).unwrap_or(0)
    }

    /// What `orrery up` has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("up.log")).unwrap_or_default()
    }

    /// Waits until something holds; panics with the log when it does not in time.
    pub fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            if begin.elapsed() > Duration::from_secs(120) {
                let status = self.orrery(&["status"]);
                let status = String::from_utf8_lossy(&status.stdout);
                panic!("{what}: not within two minutes\n{}\n{status}", self.said());
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Whether the shop is whole.
    pub fn whole(&self) -> bool {
        self.healthy("a") == 4 && self.healthy("b") == 2 && self.healthy("c") == 3
    }

    /// The URL of its API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    /// How many nodes take work.
    pub fn nodes_ready(&self) -> usize {
        let nodes = self.json(&["status"]).unwrap_or_default()["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter(|node| node["state"] == "ready").count()
    }

    /// Whether the node of the process takes work.
    pub fn ready(&self) -> bool {
        let nodes = self.json(&["status"]).unwrap_or_default()["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().any(|node| node["state"] == "ready")
    }

    /// A GET through the route of the shop, with a token or without: the status and the body.
    pub fn get(&self, token: Option<&str>) -> (u16, String) {
        self.visit("a.shop.test", "/", token)
    }

    /// A GET through a route.
    pub fn visit(&self, host: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        exchange(self.ingress, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n"))
    }

    /// A GET of the API.
    pub fn ask(&self, path: &str) -> (u16, String) {
        exchange(self.api, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.api))
    }

    /// A POST of JSON to the API.
    pub fn post(&self, path: &str, body: &str) -> (u16, String) {
        let (host, length) = (format!("127.0.0.1:{}", self.api), body.len());
        let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n");
        exchange(self.api, &format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"))
    }

    /// The processes of its workloads.
    pub fn workloads(&self) -> Vec<Workload> {
        Workload::all_below(&self.data())
    }

    /// The process ids of the workloads of a program.
    pub fn pids(&self, program: &str) -> Vec<u32> {
        let workloads = self.workloads().into_iter().filter(|workload| workload.program.ends_with(program));
        workloads.map(|workload| workload.pid).collect()
    }
}

/// A request and its answer: the status and the body.
fn exchange(port: u16, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.write_all(request.as_bytes()).expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_string()).unwrap_or_default();
    (status, body)
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let jobs = self.json(&["status"]).unwrap_or_default();
        for job in jobs["jobs"].as_array().into_iter().flatten().filter_map(|job| job["name"].as_str()) {
            self.orrery(&["job", "stop", job]);
        }
        let stopped = Instant::now();
        while self.child().is_some() && !self.workloads().is_empty() {
            if stopped.elapsed() > Duration::from_secs(20) {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        self.kill();
        for mut agent in self.agents.drain(..) {
            let _gone = agent.kill().and_then(|()| agent.wait());
        }
        for workload in self.workloads() {
            let _gone = Command::new("kill").args(["-9", &workload.pid.to_string()]).status();
        }
    }
}
