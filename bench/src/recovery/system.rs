//! The example as a whole system: the real `orrery up`, real processes, on ports and in a directory of its own.

use super::interrupt::Interrupt;
use crate::ingress::free_port;
use crate::setting::{Fault, Setting, failed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What is brought up.
pub const MANIFEST: &str = "examples/abc.toml";
/// Its jobs, and how many instances of each are healthy when it is whole.
const JOBS: [(&str, u64); 3] = [("a", 4), ("b", 2), ("c", 3)];
const UP_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running system. Dropping it ends all of it.
pub struct System {
    directory: tempfile::TempDir,
    program: PathBuf,
    api: u16,
    /// Where its routes are served.
    pub ingress: u16,
    up: Child,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl System {
    /// Brings the example up, and waits until it is whole.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn start(setting: &Setting, interrupt: &Interrupt) -> Result<Self, Fault> {
        let (directory, program) = (setting.directory()?, setting.build.join("orrery"));
        let log = fs::File::create(directory.path().join("up.log")).map_err(failed("up.log"))?;
        let (api, ingress) = (free_port()?, free_port()?);
        let mut command = Command::new(&program);
        command.current_dir(root()).arg("up").arg("--data").arg(directory.path().join("data"));
        command.arg("--listen").arg(format!("127.0.0.1:{api}")).arg("--ingress").arg(format!("127.0.0.1:{ingress}"));
        command.args(["--tokens", "examples/tokens.toml", "--cpu", "4", "--memory", "4GiB", "--disk", "20GiB"]);
        command.args(["--apply", MANIFEST]).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failed("up.log"))?).stderr(log);
        // An interrupt from the keyboard is for the measurement, which ends the system in order.
        let up = command.process_group(0).spawn().map_err(failed(program.display()))?;
        let system = Self { directory, program, api, ingress, up };
        let begun = Instant::now();
        while !(system.is_whole() && system.serves()) {
            if begun.elapsed() > UP_WITHIN {
                let within = UP_WITHIN.as_secs();
                return Err(Fault::Failed(format!("the example is not whole within {within} s: {}", system.log())));
            }
            interrupt.check()?;
            sleep(LOOK_EVERY);
        }
        Ok(system)
    }

    /// What `orrery up` has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("up.log")).unwrap_or_default()
    }

    /// Whether every job has all its instances, and all of them are healthy.
    pub fn is_whole(&self) -> bool {
        let status = self.status().unwrap_or_default();
        let healthy = |job: &str| {
            let jobs = status["jobs"].as_array()?;
            jobs.iter().find(|one| one["name"] == job).and_then(|one| one["healthy"].as_u64())
        };
        JOBS.iter().all(|(job, count)| healthy(job) == Some(*count))
    }

    fn status(&self) -> Option<Value> {
        serde_json::from_str(&get(self.api, "127.0.0.1", "/v1/status")?).ok()
    }

    /// Whether the route answers, if only that it wants to know who asks.
    fn serves(&self) -> bool {
        get(self.ingress, "a.shop.test", "/").is_some_and(|body| body.contains("reason"))
    }

    /// Kills the instance of this label without a warning, and says when.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self, label: &str) -> Result<Instant, String> {
        let pid = self.pids().into_iter().find(|(_, of)| of == label).map(|(pid, _)| pid);
        let pid = pid.ok_or_else(|| format!("{label} does not run"))?;
        let killed = Instant::now();
        kill_process(pid, Signal::KILL).map_err(failed(format!("{label} cannot be killed")))?;
        Ok(killed)
    }

    /// The workloads of this system that run, with their labels.
    fn pids(&self) -> Vec<(Pid, String)> {
        let data = self.directory.path().join("data");
        let home = format!("HOME={}", data.canonicalize().unwrap_or(data).display());
        let label = |pid: Pid| {
            let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()?;
            let command = fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let is_shop = command.split('\0').next().is_some_and(|program| program.contains("/shop-"));
            let is_ours = environment.split('\0').any(|one| one.starts_with(&home));
            let label = environment.split('\0').find_map(|one| one.strip_prefix("ORRERY_LABEL="))?.to_owned();
            (is_shop && is_ours).then_some((pid, label))
        };
        let names = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
        pids.filter_map(label).collect()
    }

    fn stop_jobs(&self) {
        for (job, _) in JOBS {
            let mut command = Command::new(&self.program);
            command.args(["job", "stop", job]).env("ORRERY_API", format!("http://127.0.0.1:{}", self.api));
            let _unheard = command.stdin(Stdio::null()).output();
        }
        let begun = Instant::now();
        while !self.pids().is_empty() && begun.elapsed() < END_WITHIN {
            sleep(LOOK_EVERY);
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop_jobs();
        let _gone = self.up.kill().and_then(|()| self.up.wait());
        for (pid, _) in self.pids() {
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}

/// The body of an answer.
fn get(port: u16, host: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}
