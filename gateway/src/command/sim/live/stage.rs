//! A real system on this machine: a control plane, and an agent for each machine of the plan, each behind a link of its
//! own. Dropping it ends all of it.

use super::link::Link;
use super::means::Deed;
use super::processes::{below, signal, workloads};
use crate::command::fault::Fault;
use messages::manifest::Tag;
use messages::node::NodeSpec;
use messages::resources::{Dimension, Resources};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A file system that is filled up is so large.
const DISK: &str = "64m";
/// What fills it.
const FILLER: &str = "filler";

/// A real system.
pub(super) struct Stage {
    directory: PathBuf,
    machines: Vec<NodeSpec>,
    links: Vec<Link>,
    /// The port of the API.
    pub port: u16,
    ingress: u16,
    control: Option<Child>,
    agents: Vec<Option<Child>>,
    /// How many faults keep somebody down: the control plane, or a machine.
    down: BTreeMap<Option<usize>, u32>,
    mounted: bool,
}

impl Stage {
    /// Starts everything below a directory. With `disk`, the control plane has a small disk of its own.
    pub async fn open(directory: PathBuf, machines: Vec<NodeSpec>, disk: bool) -> Result<Self, Fault> {
        let (port, ingress) = (free_port()?, free_port()?);
        let mut stage = Self {
            agents: machines.iter().map(|_| None).collect(),
            directory,
            machines,
            links: Vec::new(),
            port,
            ingress,
            control: None,
            down: BTreeMap::new(),
            mounted: false,
        };
        std::fs::create_dir_all(stage.data()).map_err(|error| unusable("the directory", &error))?;
        if disk {
            stage.mount()?;
        }
        stage.start_control()?;
        for machine in 0..stage.machines.len() {
            let link = Link::open(stage.port).await.map_err(|error| unusable("a link", &error))?;
            stage.links.push(link);
            stage.start_agent(machine)?;
        }
        Ok(stage)
    }

    /// Where the control plane keeps its log.
    pub fn data(&self) -> PathBuf {
        self.directory.join("control")
    }

    fn of(&self, machine: usize) -> PathBuf {
        self.directory.join(self.machines.get(machine).map_or("", |one| one.name.as_str()))
    }

    fn orrery(&self, log: &str) -> Result<Command, Fault> {
        let exe = std::env::current_exe().map_err(|error| unusable("this program", &error))?;
        let log = File::options().create(true).append(true).open(self.directory.join(log));
        let log = log.map_err(|error| unusable("a log", &error))?;
        let errors = log.try_clone().map_err(|error| unusable("a log", &error))?;
        let mut command = Command::new(exe);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Ok(command)
    }

    /// The control plane has a node of its own, on which nothing has room.
    fn start_control(&mut self) -> Result<(), Fault> {
        let mut command = self.orrery("control.log")?;
        command.arg("up").arg("--data").arg(self.data());
        command.arg("--listen").arg(format!("127.0.0.1:{}", self.port));
        command.arg("--ingress").arg(format!("127.0.0.1:{}", self.ingress));
        command.args(["--name", "control", "--cpu", "1m", "--memory", "1MiB", "--disk", "1MiB"]);
        self.control = Some(command.spawn().map_err(|error| unusable("the control plane", &error))?);
        Ok(())
    }

    fn start_agent(&mut self, machine: usize) -> Result<(), Fault> {
        let spec = &self.machines[machine];
        let Resources { cpu_milli, memory_bytes, disk_bytes, .. } = spec.capacity;
        let mut command = self.orrery(&format!("{}.log", spec.name))?;
        command.arg("agent").arg("--join").arg(format!("http://127.0.0.1:{}", self.links[machine].port));
        command.args(["--name", &spec.name, "--rack", &spec.rack, "--site", &spec.site, "--region", &spec.region]);
        command.arg("--cpu").arg(format!("{cpu_milli}m")).arg("--memory").arg(format!("{}KiB", memory_bytes >> 10));
        command.arg("--disk").arg(format!("{}KiB", disk_bytes >> 10)).arg("--data").arg(self.of(machine));
        for dimension in spec.capacity.dimensions() {
            let amount = match (dimension, spec.capacity.get(dimension)) {
                (_, 0) => continue,
                (Dimension::DiskIo, amount) => format!("{amount}B/s"),
                (Dimension::Gpus | Dimension::Named(_), amount) => dimension.amount(amount),
                _ => continue,
            };
            command.arg("--capacity").arg(format!("{}={amount}", dimension.name()));
        }
        for (name, value) in &spec.taints {
            command.args(["--taint", &Tag::of_taint(name, value).to_string()]);
        }
        if !spec.gpu_model.is_empty() {
            command.args(["--gpu-model", &spec.gpu_model]);
        }
        self.agents[machine] = Some(command.spawn().map_err(|error| unusable("an agent", &error))?);
        Ok(())
    }

    /// Does something to it. Returns whether there was anything to do it to.
    pub fn perform(&mut self, deed: Deed) -> Result<bool, Fault> {
        match deed {
            Deed::KillControl => {
                self.hold(None);
                end(self.control.take());
            }
            Deed::StartControl => {
                if self.release(None) && self.control.is_none() {
                    self.start_control()?;
                }
            }
            Deed::StopControl => tell(self.control.as_ref(), Signal::STOP),
            Deed::ContinueControl => tell(self.control.as_ref(), Signal::CONT),
            Deed::KillAgent(machine) => {
                self.hold(Some(machine));
                end(self.agents[machine].take());
            }
            Deed::StartAgent(machine) => {
                if self.release(Some(machine)) && self.agents[machine].is_none() {
                    self.start_agent(machine)?;
                }
            }
            Deed::StopAgent(machine) => tell(self.agents[machine].as_ref(), Signal::STOP),
            Deed::ContinueAgent(machine) => tell(self.agents[machine].as_ref(), Signal::CONT),
            Deed::KillMachine(machine) => {
                self.hold(Some(machine));
                end(self.agents[machine].take());
                kill_all(&self.of(machine));
            }
            Deed::StopMachine(machine) => self.tell_all(machine, Signal::STOP),
            Deed::ContinueMachine(machine) => self.tell_all(machine, Signal::CONT),
            Deed::KillWorkload(machine, choice) => return Ok(self.tell_one(machine, choice, Signal::KILL)),
            Deed::SickenWorkload(machine, choice) => return Ok(self.tell_one(machine, choice, Signal::USR1)),
            Deed::HealWorkloads(machine) => {
                workloads(&self.of(machine)).iter().for_each(|one| signal(one.pid, Signal::USR2));
            }
            Deed::CutTo(machine) => self.links[machine].to(true),
            Deed::MendTo(machine) => self.links[machine].to(false),
            Deed::CutFrom(machine) => self.links[machine].from(true),
            Deed::MendFrom(machine) => self.links[machine].from(false),
            Deed::FillDisk => return Ok(self.fill()),
            Deed::EmptyDisk => {
                let _it_was_not_there = std::fs::remove_file(self.data().join(FILLER));
                // One that ended because its disk was full is started again, as a supervisor would.
                if self.control.as_mut().is_some_and(|control| matches!(control.try_wait(), Ok(Some(_)))) {
                    self.start_control()?;
                }
            }
        }
        Ok(true)
    }

    fn hold(&mut self, who: Option<usize>) {
        *self.down.entry(who).or_default() += 1;
    }

    /// Whether nothing keeps it down any more.
    fn release(&mut self, who: Option<usize>) -> bool {
        let holds = self.down.entry(who).or_default();
        *holds = holds.saturating_sub(1);
        *holds == 0
    }

    fn tell_all(&self, machine: usize, what: Signal) {
        below(&self.of(machine)).iter().for_each(|one| signal(one.pid, what));
    }

    fn tell_one(&self, machine: usize, choice: u64, what: Signal) -> bool {
        let all = workloads(&self.of(machine));
        let chosen = usize::try_from(choice % (all.len().max(1) as u64)).unwrap_or(0);
        all.get(chosen).iter().for_each(|one| signal(one.pid, what));
        !all.is_empty()
    }

    /// Writes until nothing more has room.
    fn fill(&self) -> bool {
        use std::io::Write;
        let Ok(mut file) = File::create(self.data().join(FILLER)) else { return false };
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        self.mounted
    }

    fn mount(&mut self) -> Result<(), Fault> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"]).arg(self.data());
        self.mounted = mount.status().is_ok_and(|status| status.success());
        if self.mounted { Ok(()) } else { Err(Fault::Unreachable("no small disk can be mounted".into())) }
    }

    /// Takes the small disk away, and leaves what was on it in its place.
    fn unmount(&self) {
        let (data, beside) = (self.data(), self.directory.join("control.kept"));
        let _it_was_emptied = std::fs::remove_file(data.join(FILLER));
        let copied = Command::new("cp").arg("-a").arg(&data).arg(&beside).status().is_ok_and(|status| status.success());
        let away = Command::new("umount").arg("--lazy").arg(&data).status().is_ok_and(|status| status.success());
        if copied && away && std::fs::remove_dir(&data).is_ok() {
            let _it_stays_beside = std::fs::rename(&beside, &data);
        }
    }

    /// Whether a small disk can be had here: it takes root, and a system that lets it mount.
    pub fn can_have_disk(directory: &Path) -> bool {
        let place = directory.join("try");
        let mount = |name: &str, arguments: &[&str]| {
            let mut command = Command::new(name);
            command.args(arguments).arg(&place).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        std::fs::create_dir_all(&place).is_ok()
            && mount("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            && mount("umount", &[])
    }

    /// The control plane ends as it should, with its log closed.
    pub fn close_control(&mut self) {
        if let Some(mut control) = self.control.take() {
            tell(Some(&control), Signal::CONT);
            tell(Some(&control), Signal::TERM);
            let _its_code_does_not_matter = control.wait();
        }
    }

    /// Everything ends, and only the log is left.
    pub fn close(&mut self) {
        self.close_control();
        for agent in &mut self.agents {
            end(agent.take());
        }
        kill_all(&self.directory);
        if std::mem::take(&mut self.mounted) {
            self.unmount();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.close();
    }
}

fn unusable(what: &str, error: &std::io::Error) -> Fault {
    Fault::Unreachable(format!("{what} cannot be used: {error}"))
}

fn free_port() -> Result<u16, Fault> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| unusable("a port", &error))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| unusable("a port", &error))
}

fn tell(child: Option<&Child>, what: Signal) {
    if let Some(pid) = child.and_then(|child| i32::try_from(child.id()).ok()) {
        signal(pid, what);
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        let _it_is_gone = child.kill().and_then(|()| child.wait());
    }
}

/// Kills everything below a directory, and what it starts meanwhile.
fn kill_all(directory: &Path) {
    for _ in 0..20 {
        let all = below(directory);
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let others: Vec<i32> = all.iter().map(|one| one.pid).filter(|pid| *pid != own).collect();
        if others.is_empty() {
            return;
        }
        others.into_iter().for_each(|pid| signal(pid, Signal::KILL));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
