//! `sim live`: the plan of a scenario done to a real system on this machine, as far as its faults exist in reality.

mod judge;
mod link;
mod means;
mod processes;
mod program;
mod stage;

use super::arguments::{SimLive, SimProgram};
use super::progress::Progress;
use crate::clock;
use crate::command::client::Client;
use crate::command::fault::Fault;
use crate::command::show::{Show, table};
use judge::{Acknowledged, Check, Exclusive};
use means::{Deed, deeds};
use messages::api::{EXIT_DONE, EXIT_REFUSED, Status};
use messages::policy::Request;
use messages::quantity;
use messages::time::Timestamp;
use serde::Serialize;
use simulator::plan::Plan;
use simulator::world::random::Random;
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is looked whether something exclusive runs twice.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often it is looked whether all is as it should be.
const SETTLED_EVERY: Duration = Duration::from_millis(500);
/// How long the machines may take to join.
const JOIN_WITHIN: Duration = Duration::from_secs(60);
/// How long a command is given again when nobody answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What came of a plan done to a real system.
#[derive(Debug, Serialize)]
struct Lived {
    scenario: String,
    seed: u64,
    plan_hash: String,
    verdict: &'static str,
    /// How often each kind of fault was done.
    done: BTreeMap<String, u64>,
    /// How often each kind was not, and why.
    skipped: BTreeMap<String, (u64, String)>,
    /// How commands were answered.
    commands: Commands,
    /// How long it took until all was as it should be, after everything was healed.
    settled_ms: Option<u64>,
    checks: Vec<Check>,
    kept: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize)]
struct Commands {
    done: u64,
    refused: u64,
    unanswered: u64,
}

/// What is done at a moment.
enum Act {
    Deed(Deed, usize),
    Command(usize),
}

/// `orrery sim live`
pub(super) fn live(show: Show, live: &SimLive) -> Result<u8, Fault> {
    let (mut plan, _) = live.subject.load()?;
    if let Some(within) = &live.within {
        let within = quantity::span(within).map_err(|error| Fault::Misuse(format!("--within: {error}")))?;
        plan.settled_at = plan.heal_at.saturating_add(within.0);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Fault::Unreachable(error.to_string()))?;
    let lived = runtime.block_on(Run::new(plan, live)?.go())?;
    let passed = lived.verdict == "pass";
    show.answer(&lived, told);
    Ok(if passed { EXIT_DONE } else { EXIT_REFUSED })
}

/// `orrery sim program`: what a real workload of a scenario runs.
pub(super) fn program(program: &SimProgram) -> Result<u8, Fault> {
    program::run(&program.arguments)
}

struct Run {
    plan: Plan,
    directory: PathBuf,
    keep: bool,
    acts: Vec<(u64, Act)>,
    skipped: BTreeMap<String, (u64, String)>,
    done: BTreeMap<String, u64>,
    disk: bool,
    pressed: Arc<AtomicBool>,
}

impl Run {
    fn new(mut plan: Plan, live: &SimLive) -> Result<Self, Fault> {
        let directory = match &live.data {
            Some(data) => data.clone(),
            None => std::env::temp_dir().join(format!("orrery-live-{}", uuid::Uuid::now_v7().simple())),
        };
        let made = std::fs::create_dir_all(&directory).and_then(|()| directory.canonicalize());
        let directory = made.map_err(|error| Fault::Unreachable(format!("{}: {error}", directory.display())))?;
        if std::fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Fault::Misuse(format!("{} is not empty; name a new directory", directory.display())));
        }
        make_real(&mut plan)?;
        let full = |fault: &simulator::plan::Fault| fault.trouble.name() == "disk-full";
        let wants_disk = plan.faults.iter().any(full);
        let disk = wants_disk && Stage::can_have_disk(&directory);
        let mut run = Self {
            acts: Vec::new(),
            skipped: BTreeMap::new(),
            done: BTreeMap::new(),
            keep: live.data.is_some(),
            pressed: super::interrupt::flag(),
            directory,
            disk,
            plan,
        };
        run.arrange();
        Ok(run)
    }

    /// What is done, in the order of time.
    fn arrange(&mut self) {
        for (index, fault) in self.plan.faults.iter().enumerate() {
            let name = fault.trouble.name();
            let why = match fault.target.machines(&self.plan, Random::new(self.plan.seed), fault.id) {
                None => Err("whom it hits is known only when it begins"),
                Some(_) if name == "disk-full" && !self.disk => Err("no small disk can be mounted here: it takes root"),
                Some(machines) => deeds(fault, &machines, self.plan.heal_at).map(|deeds| {
                    self.acts.extend(deeds.into_iter().map(|(at, deed)| (at, Act::Deed(deed, index))));
                }),
            };
            if let Err(why) = why {
                self.skipped.entry(name.to_owned()).or_insert((0, why.to_owned())).0 += 1;
            }
        }
        let operations = self.plan.operations.iter().enumerate();
        self.acts.extend(operations.map(|(index, operation)| (operation.at, Act::Command(index))));
        self.acts.sort_by_key(|(at, _)| *at);
    }

    async fn go(mut self) -> Result<Lived, Fault> {
        let specs = self.plan.machines.iter().map(|machine| machine.spec.clone()).collect();
        let mut stage = Stage::open(self.directory.clone(), specs, self.disk).await?;
        let client = Arc::new(Client::new(&format!("http://127.0.0.1:{}", stage.port), None)?);
        self.until_joined(&client).await?;
        let begun = clock::monotonic();
        let over = Over(Arc::new(AtomicBool::new(false)));
        let exclusive = watch(Exclusive::new(&self.plan), self.directory.clone(), Arc::clone(&over.0));
        let (sender, requests) = mpsc::unbounded_channel();
        let answers = tokio::spawn(ask_all(Arc::clone(&client), self.plan.realm.clone(), requests));
        self.act(&mut stage, &sender, begun).await?;
        drop(sender);
        let (commands, acknowledged) = answers.await.map_err(|error| Fault::Unreachable(error.to_string()))?;
        let (settled_ms, wrong) = self.settle(&client, &acknowledged).await;
        drop(over);
        let exclusive = exclusive.await.map_err(|error| Fault::Unreachable(error.to_string()))?;
        stage.close_control();
        let log = retaken(&stage);
        stage.close();
        let kept = Check {
            invariant: "acknowledged-kept",
            says: "what was acknowledged last is wanted",
            looked: commands.done,
            wrong: wrong.1,
        };
        let converges = Check {
            invariant: "converges",
            says: "after healing, what runs is what is desired",
            looked: 1,
            wrong: wrong.0,
        };
        let answered = Check {
            invariant: "answered",
            says: "a client's command is answered in the end",
            looked: self.plan.operations.len() as u64,
            wrong: (commands.unanswered > 0).then(|| format!("{} commands got no answer", commands.unanswered)),
        };
        let checks = vec![exclusive.check(), converges, kept, answered, log];
        let passed = checks.iter().all(|check| check.wrong.is_none());
        let keep = self.keep || !passed;
        if !keep {
            let _it_is_only_temporary = std::fs::remove_dir_all(&self.directory);
        }
        Ok(Lived {
            scenario: self.plan.scenario.clone(),
            seed: self.plan.seed,
            plan_hash: self.plan.hash(),
            verdict: if passed { "pass" } else { "fail" },
            done: self.done,
            skipped: self.skipped,
            commands,
            settled_ms,
            checks,
            kept: keep.then_some(self.directory),
        })
    }

    async fn until_joined(&self, client: &Client) -> Result<(), Fault> {
        let wanted = self.plan.machines.len() + 1;
        let begun = clock::monotonic();
        loop {
            let status = client.get::<Status>(&["v1", "status"], &[]).await;
            let ready = |status: &Status| status.nodes.iter().filter(|node| node.state.name() == "ready").count();
            if status.is_ok_and(|status| ready(&status) >= wanted) {
                return Ok(());
            }
            if since(begun) > JOIN_WITHIN {
                let said = std::fs::read_to_string(self.directory.join("control.log")).unwrap_or_default();
                return Err(Fault::Unreachable(format!("the machines do not join; the control plane says\n{said}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everything up to the moment from which nothing goes wrong any more.
    async fn act(
        &mut self,
        stage: &mut Stage,
        requests: &mpsc::UnboundedSender<Request>,
        begun: Timestamp,
    ) -> Result<(), Fault> {
        let progress = Progress::new(false);
        let mut counted = BTreeSet::new();
        for (at, act) in std::mem::take(&mut self.acts) {
            self.until(begun, at).await?;
            let (deed, fault) = match act {
                Act::Deed(deed, fault) => (deed, fault),
                Act::Command(index) => {
                    let request = self.plan.operations[index].request.clone();
                    progress.say(&format!("{:>8} ms  {}", at / 1_000, request.action()));
                    let _nobody_asks_any_more = requests.send(request);
                    continue;
                }
            };
            let name = self.plan.faults[fault].trouble.name();
            let could = stage.perform(deed)?;
            progress.say(&format!("{:>8} ms  {deed:?} ({name})", at / 1_000));
            if !counted.insert(fault) {
                continue;
            }
            if could {
                *self.done.entry(name.to_owned()).or_default() += 1;
            } else {
                let none = (0, "there was nothing to do it to at that moment".to_owned());
                self.skipped.entry(name.to_owned()).or_insert(none).0 += 1;
            }
        }
        self.until(begun, self.plan.heal_at).await
    }

    /// Waits until a moment of the plan, unless somebody wants this to end.
    async fn until(&self, begun: Timestamp, at: u64) -> Result<(), Fault> {
        loop {
            if self.pressed.load(Ordering::Relaxed) {
                return Err(Fault::Unreachable("stopped by Ctrl-C".into()));
            }
            let wait = Duration::from_micros(at).saturating_sub(since(begun));
            if wait.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(wait.min(SETTLED_EVERY)).await;
        }
    }

    /// Waits until all is as it should be, as long as the plan gives it. What is wrong, if it does not come to be; and
    /// what is wanted and was not acknowledged.
    async fn settle(
        &self,
        client: &Client,
        acknowledged: &Acknowledged,
    ) -> (Option<u64>, (Option<String>, Option<String>)) {
        let bound = Duration::from_micros(self.plan.settled_at.saturating_sub(self.plan.heal_at));
        let (begun, doomed) = (clock::monotonic(), judge::doomed(&self.plan));
        loop {
            let status = client.get::<Status>(&["v1", "status"], &[]).await;
            let (wrong, other) = match status {
                Ok(status) => (judge::unsettled(&status, &self.directory, &doomed), acknowledged.wrong(&status)),
                Err(fault) => (Some(fault.to_string()), None),
            };
            match wrong {
                None => return (u64::try_from(since(begun).as_millis()).ok(), (None, other)),
                Some(wrong) if since(begun) > bound => {
                    let within = format!("{wrong}, {} s after everything was healed", bound.as_secs());
                    return (None, (Some(within), other));
                }
                Some(_) => tokio::time::sleep(SETTLED_EVERY).await,
            }
        }
    }
}

fn since(begun: Timestamp) -> Duration {
    Duration::from_micros(clock::monotonic().since(begun).0)
}

/// Whatever a workload is to run is run by this program.
fn make_real(plan: &mut Plan) -> Result<(), Fault> {
    let exe = std::env::current_exe().map_err(|error| Fault::Unreachable(error.to_string()))?;
    for operation in &mut plan.operations {
        let Request::Apply { manifest } = &mut operation.request else { continue };
        manifest.build.clear();
        for job in manifest.jobs.values_mut() {
            let told = job.workload.run.clone();
            let begin = [exe.display().to_string(), "sim".into(), "program".into(), "--".into()];
            job.workload.run = begin.into_iter().chain(told).collect();
        }
    }
    Ok(())
}

/// Says that it is over when it is dropped.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks until it is over whether something exclusive runs twice.
fn watch(mut exclusive: Exclusive, directory: PathBuf, over: Arc<AtomicBool>) -> tokio::task::JoinHandle<Exclusive> {
    tokio::task::spawn_blocking(move || {
        let begun = clock::monotonic();
        while !over.load(Ordering::Relaxed) {
            exclusive.look(&directory, clock::monotonic().since(begun).0);
            std::thread::sleep(LOOK_EVERY);
        }
        exclusive
    })
}

/// Gives a command until it is answered. The answer is whether it was done; nothing when there was none.
async fn ask(client: &Client, realm: &str, request: &Request) -> Option<bool> {
    let begun = clock::monotonic();
    loop {
        match client.submit_in(realm, request.clone()).await {
            Ok(_) => return Some(true),
            Err(Fault::Unreachable(_)) if since(begun) < ANSWER_WITHIN => {}
            Err(Fault::Unreachable(_)) => return None,
            Err(_) => return Some(false),
        }
    }
}

/// Gives commands one after the other, so that it is known what was acknowledged last.
async fn ask_all(
    client: Arc<Client>,
    realm: String,
    mut requests: mpsc::UnboundedReceiver<Request>,
) -> (Commands, Acknowledged) {
    let (mut commands, mut acknowledged) = (Commands::default(), Acknowledged::default());
    while let Some(request) = requests.recv().await {
        match ask(&client, &realm, &request).await {
            Some(true) => {
                commands.done += 1;
                acknowledged.done(&request);
            }
            Some(false) => commands.refused += 1,
            None => commands.unanswered += 1,
        }
    }
    (commands, acknowledged)
}

/// The log, taken again by this build.
fn retaken(stage: &Stage) -> Check {
    let again = super::replay::same(&stage.data());
    let (looked, wrong) = match again {
        Ok((entries, 0)) => (entries, None),
        Ok((entries, different)) => (entries, Some(format!("{different} of {entries} entries come out otherwise"))),
        Err(fault) => (0, Some(fault.to_string())),
    };
    Check { invariant: "retaken", says: "a turn taken again gives the same entry", looked, wrong }
}

fn told(lived: &Lived) -> String {
    let mut text = format!("{} of {} seed {}, done to a real system\n\n", lived.verdict, lived.scenario, lived.seed);
    let done = lived.done.iter().map(|(name, times)| vec![name.clone(), times.to_string(), "done".into()]);
    let skipped = lived.skipped.iter();
    let skipped = skipped.map(|(name, (times, why))| vec![name.clone(), times.to_string(), format!("skipped: {why}")]);
    text += &table(&["FAULT", "TIMES", ""], &done.chain(skipped).collect::<Vec<_>>());
    let Commands { done, refused, unanswered } = &lived.commands;
    text += &format!("\ncommands: {done} done, {refused} refused, {unanswered} unanswered\n");
    if let Some(settled) = lived.settled_ms {
        text += &format!("all was as it should be {settled} ms after everything was healed\n");
    }
    let row = |check: &Check| {
        let verdict = check.wrong.as_ref().map_or_else(|| "holds".to_owned(), |wrong| format!("VIOLATED: {wrong}"));
        vec![check.invariant.to_owned(), check.looked.to_string(), verdict, check.says.to_owned()]
    };
    text += &format!(
        "\n{}",
        table(&["INVARIANT", "LOOKED AT", "VERDICT", ""], &lived.checks.iter().map(row).collect::<Vec<_>>())
    );
    if let Some(kept) = &lived.kept {
        text += &format!("\nlogs and data are kept in {}\n", kept.display());
    }
    text
}
