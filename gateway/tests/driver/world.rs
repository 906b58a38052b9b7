//! A driver on a directory of its own, and short words for what the stories do with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use gateway::driver::{Driver, Event, ExitReason, Launch, LogLimits, Options, Resources, Started, Status, Stream};

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A data directory with a driver on it. What still runs at the end is killed.
pub struct World {
    pub directory: tempfile::TempDir,
    pub driver: Driver,
}

pub fn options() -> Options {
    Options { shim_program: Some(env!("CARGO_BIN_EXE_orrery").into()), ..Options::default() }
}

pub fn open(directory: &Path) -> Driver {
    Driver::open(directory, options()).expect("a driver opens on a fresh directory").0
}

/// An id that no other test uses.
pub fn fresh_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub fn launch(run: &[&str]) -> Launch {
    Launch {
        instance: fresh_id(),
        label: "a/0".to_owned(),
        realm: "test".to_owned(),
        job: "a".to_owned(),
        revision: 1,
        run: run.iter().map(|argument| (*argument).to_owned()).collect(),
        base_directory: "/".into(),
        directory: None,
        environment: BTreeMap::new(),
        ports: Vec::new(),
        resources: Resources::default(),
        stop_grace_ms: 10_000,
        exclusive: false,
        log: LogLimits::default(),
    }
}

pub fn shell(script: &str) -> Launch {
    launch(&["/bin/sh", "-c", script])
}

impl World {
    pub fn new() -> World {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let driver = open(directory.path());
        World { directory, driver }
    }

    pub fn start(&self, launch: &Launch) -> Started {
        self.driver.start(launch.clone()).expect("the workload starts")
    }

    /// Runs to the end and answers why it ended.
    pub fn run(&self, launch: &Launch) -> ExitReason {
        self.start(launch);
        self.end_of(&launch.instance)
    }

    pub fn end_of(&self, instance: &str) -> ExitReason {
        let mut reason = None;
        eventually("the instance ends", || match self.driver.status(instance).expect("its files can be read") {
            Status::Ended { reason: why, .. } => {
                reason = Some(why);
                true
            }
            _ => false,
        });
        reason.expect("it ended")
    }

    pub fn running_pid(&self, instance: &str) -> Option<i32> {
        match self.driver.status(instance).expect("its files can be read") {
            Status::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    pub fn output(&self, instance: &str) -> String {
        let path = self.driver.log_path(instance, Stream::Out).expect("the instance is known");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Waits for a line of output that says the workload is where the story needs it.
    pub fn says(&self, instance: &str, word: &str) {
        eventually("the workload says it", || self.output(instance).contains(word));
    }

    pub fn shim_pid(&self, instance: &str) -> i32 {
        let path = self.directory.path().join("instances").join(instance).join("pid.json");
        let pids: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect("pid.json")).expect("is JSON");
        i32::try_from(pids["shim"]["pid"].as_i64().expect("a pid")).expect("a small one")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for instance in self.driver.inventory().unwrap_or_default() {
            let _best_effort = self.driver.stop(&instance.launch.instance, Duration::ZERO);
        }
        let all_ended = || {
            let instances = self.driver.inventory().unwrap_or_default();
            instances.iter().all(|instance| matches!(instance.status, Status::Ended { .. } | Status::Unknown))
        };
        let until = Instant::now() + PATIENCE;
        while !all_ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; one that only awaits its parent does not.
pub fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with(['Z', 'X']))
}

/// Processes that carry the instance's variable.
pub fn carriers(instance: &str) -> usize {
    let wanted = format!("ORRERY_INSTANCE={instance}");
    let entries = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    let environments = entries.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
    environments.filter(|all| all.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())).count()
}

pub fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there and ours");
}

/// Whether cgroups hold this resource here; where they cannot, what depends on them is not told.
pub fn limited(driver_notices: &[gateway::driver::Notice], controller: &str) -> bool {
    !driver_notices.iter().any(|notice| notice.code == format!("no-cgroup-{controller}"))
}

pub async fn next(events: &mut tokio::sync::mpsc::Receiver<Event>) -> Event {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event comes in time").expect("the driver is there")
}
