//! The agent of this machine: drives the pure reconciler with real processes, real health checks and a real clock.

mod links;
mod record;

use crate::clock;
use crate::driver::health::{Change, Check, Health as Judged, Monitor, Probe};
use crate::driver::{Driver, Event, ExitReason, Launch, Resources, Status};
use crate::proxy::Tables;
use actors::agent::reconciler::Reconciler;
use actors::agent::{Beat, Found, Input, Inventory, Output, Verdict, WorkloadEvent};
use links::Links;
use messages::agent::{Assignment, Ended, Observation, Order};
use messages::id::InstanceId;
use messages::manifest;
use messages::node::{self, LeaseTerms, NodeSpec};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};
use record::Records;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Events of the agent's own tasks that may wait.
const EVENTS_MAX: usize = 1_024;

/// What an agent needs of the control plane.
pub trait Control: Send + 'static {
    /// Says something to the node actor.
    fn say(&self, message: node::Message);
    /// Gives a sign of life.
    fn beat(&self, beat: Beat);
}

/// The running agent.
pub struct Agent<C> {
    control: C,
    driver: Driver,
    reconciler: Reconciler,
    monitors: BTreeMap<InstanceId, Monitor>,
    links: Links,
    records: Records,
    events: mpsc::Sender<WorkloadEvent>,
    changes: mpsc::Sender<Change>,
}

/// What an agent hears: orders, its driver, its own tasks, and its health checks.
pub struct Ears {
    orders: mpsc::Receiver<Order>,
    driver: mpsc::Receiver<Event>,
    events: mpsc::Receiver<WorkloadEvent>,
    changes: mpsc::Receiver<Change>,
}

impl<C: Control> Agent<C> {
    /// An agent over an opened driver; adopts what runs.
    ///
    /// # Errors
    /// A sentence, when its records or what runs cannot be read.
    pub async fn new(
        data: &Path,
        driver: Driver,
        spec: NodeSpec,
        control: C,
        tables: Tables,
        orders: mpsc::Receiver<Order>,
    ) -> Result<(Self, Ears), String> {
        let records = Records::open(data).map_err(|error| format!("cannot use the agent's records: {error}"))?;
        let (events, events_heard) = mpsc::channel(EVENTS_MAX);
        let (changes, changes_heard) = mpsc::channel(EVENTS_MAX);
        let driver_heard = driver.events().ok_or("the driver has an agent already")?;
        let found = driver.inventory().map_err(|error| error.to_string())?;
        let inventory = Inventory {
            found: found.iter().filter_map(seen).collect(),
            lease_until: records.lease().filter(|until| *until > clock::monotonic()),
        };
        let boot = record::boot_id();
        let reconciler = Reconciler::new(spec, boot, inventory, LeaseTerms::STANDARD, clock::monotonic());
        let links = Links::new(data, tables);
        let mut agent =
            Self { control, driver, reconciler, monitors: BTreeMap::new(), links, records, events, changes };
        for instance in &found {
            agent.adopt(instance).await;
        }
        let ears = Ears { orders, driver: driver_heard, events: events_heard, changes: changes_heard };
        Ok((agent, ears))
    }

    /// Runs until the control plane's orders end.
    pub async fn run(mut self, mut ears: Ears) {
        loop {
            while let Some(output) = self.reconciler.poll() {
                self.act(output).await;
            }
            let wait = self.reconciler.deadline().map_or(Span::seconds(1), |due| due.since(clock::monotonic()));
            let input = tokio::select! {
                order = ears.orders.recv() => match order {
                    Some(Order::Opinion { instance, opinion }) => {
                        self.opine(instance, opinion);
                        None
                    }
                    Some(order) => Some(Input::Order(order)),
                    None => return,
                },
                Some(event) = ears.driver.recv() => self.driver_says(event),
                Some(event) = ears.events.recv() => Some(Input::Workload(event)),
                Some(change) = ears.changes.recv() => health_says(change),
                () = tokio::time::sleep(Duration::from_micros(wait.0)) => Some(Input::Tick),
            };
            if let Some(input) = input {
                self.reconciler.handle(input, clock::monotonic());
            }
        }
    }

    async fn act(&mut self, output: Output) {
        match output {
            Output::Say(message) => self.control.say(message),
            Output::Beat(beat) => self.control.beat(beat),
            Output::Start(assignment) => self.start(assignment).await,
            Output::Stop { instance, grace } => self.stop(instance, grace),
            Output::Forget(instance) => self.forget(instance),
            Output::RenewLease { until } => self.renew(until),
        }
    }

    async fn start(&mut self, assignment: Assignment) {
        let instance = assignment.instance;
        if let Err(error) = self.records.keep(&assignment) {
            return self.start_failed(instance, format!("its record cannot be written: {error}")).await;
        }
        let mut launch = launch_of(&assignment);
        match self.links_of(&assignment).await {
            Ok(variables) => launch.environment.extend(variables),
            Err(detail) => return self.start_failed(instance, detail).await,
        }
        let driver = self.driver.clone();
        let started = tokio::task::spawn_blocking(move || driver.start(launch)).await;
        match started {
            Ok(Ok(started)) => {
                let ports: Vec<(String, u16)> = started.ports.into_iter().collect();
                let pid = u32::try_from(started.pid).unwrap_or_default();
                self.tell(WorkloadEvent::Started { instance, pid, ports: ports.clone() }).await;
                self.watch(&assignment, &ports).await;
            }
            Ok(Err(error)) => self.start_failed(instance, crate::host::chain(&error)).await,
            Err(error) => self.start_failed(instance, error.to_string()).await,
        }
    }

    /// The variables by which an instance finds its links: an address each, and a file with all of them.
    async fn links_of(&mut self, assignment: &Assignment) -> Result<BTreeMap<String, String>, String> {
        let mut addresses = BTreeMap::new();
        for target in assignment.workload.links.keys() {
            let address = self.links.address(&assignment.realm, target).await;
            let address = address.map_err(|error| format!("its link to {target} cannot be served: {error}"))?;
            addresses.insert(target.clone(), format!("http://{address}"));
        }
        let file = self.records.keep_links(assignment.instance, &addresses);
        let file = file.map_err(|error| format!("the file of its links cannot be written: {error}"))?;
        let mut variables: BTreeMap<String, String> =
            addresses.into_iter().map(|(target, address)| (links::variable(&target), address)).collect();
        variables.insert(links::FILE_VARIABLE.into(), file.display().to_string());
        Ok(variables)
    }

    async fn start_failed(&self, instance: InstanceId, detail: String) {
        self.tell(WorkloadEvent::StartFailed { instance, detail }).await;
    }

    async fn tell(&self, event: WorkloadEvent) {
        let _agent_is_gone = self.events.send(event).await;
    }

    /// Begins to judge an instance's health; without a check, running is healthy.
    async fn watch(&mut self, assignment: &Assignment, ports: &[(String, u16)]) {
        let instance = assignment.instance;
        let Some(health) = &assignment.workload.health else {
            return self.tell(WorkloadEvent::Health { instance, verdict: Verdict::Healthy }).await;
        };
        let Some(check) = check_of(health, assignment, ports) else {
            let detail = "its health check names a port that it does not have".to_string();
            return self.tell(WorkloadEvent::Health { instance, verdict: Verdict::Unhealthy(detail) }).await;
        };
        let surroundings = self.driver.surroundings(&instance.to_string()).unwrap_or_default();
        let monitor = Monitor::begin(&instance.to_string(), check, surroundings, self.changes.clone());
        self.monitors.insert(instance, monitor);
    }

    async fn adopt(&mut self, found: &crate::driver::Instance) {
        let running = matches!(found.status, Status::Running { .. } | Status::Starting);
        let Some(instance) = parse(&found.launch.instance).filter(|_| running) else { return };
        let Some(assignment) = self.records.read(instance) else { return };
        for target in assignment.workload.links.keys() {
            if let Err(error) = self.links.address(&assignment.realm, target).await {
                tracing::warn!(%error, target, "an adopted instance's link is not served");
            }
        }
        let ports: Vec<(String, u16)> = found.ports.clone().into_iter().collect();
        self.watch(&assignment, &ports).await;
    }

    fn opine(&self, instance: InstanceId, opinion: Result<(), String>) {
        if let Some(monitor) = self.monitors.get(&instance) {
            monitor.opine(opinion);
        }
    }

    fn stop(&mut self, instance: InstanceId, grace: Span) {
        self.monitors.remove(&instance);
        if let Err(error) = self.driver.stop(&instance.to_string(), Duration::from_micros(grace.0)) {
            tracing::warn!(%instance, error = crate::host::chain(&error), "an instance could not be asked to stop; it is tried again");
        }
    }

    fn forget(&mut self, instance: InstanceId) {
        self.monitors.remove(&instance);
        self.records.drop(instance);
        if let Err(error) = self.driver.forget(&instance.to_string()) {
            tracing::warn!(%instance, error = crate::host::chain(&error), "what is left of an instance could not be removed");
        }
    }

    fn renew(&self, until: Timestamp) {
        if let Err(error) = self.driver.renew_lease(until.0) {
            tracing::warn!(error = crate::host::chain(&error), "the lease could not be renewed");
        }
        self.records.keep_lease(until);
    }

    fn driver_says(&mut self, event: Event) -> Option<Input> {
        let Event::Ended { instance, reason, .. } = event else { return None };
        let instance = parse(&instance)?;
        self.monitors.remove(&instance);
        Some(Input::Workload(WorkloadEvent::Ended { instance, ended: ended(&reason) }))
    }
}

fn parse(instance: &str) -> Option<InstanceId> {
    Uuid::parse_str(instance).ok().map(InstanceId)
}

fn health_says(change: Change) -> Option<Input> {
    let instance = parse(&change.instance)?;
    let verdict = match change.health {
        Judged::Starting => return None,
        Judged::Healthy => Verdict::Healthy,
        Judged::Unhealthy { why, evidence } => Verdict::Unhealthy(format!("{why} ({})", evidence.join("; "))),
    };
    Some(Input::Workload(WorkloadEvent::Health { instance, verdict }))
}

fn seen(found: &crate::driver::Instance) -> Option<Found> {
    let ports = || found.ports.clone().into_iter().collect();
    let observation = match &found.status {
        Status::Unknown => return None,
        Status::Starting => Observation::Running { ports: ports(), pid: 0 },
        Status::Running { pid, .. } => {
            Observation::Running { ports: ports(), pid: u32::try_from(*pid).unwrap_or_default() }
        }
        Status::Ended { reason, .. } => Observation::Ended(ended(reason)),
    };
    Some(Found {
        instance: parse(&found.launch.instance)?,
        exclusive: found.launch.exclusive,
        stop_grace: Span::milliseconds(found.launch.stop_grace_ms),
        observation,
    })
}

fn ended(reason: &ExitReason) -> Ended {
    let (why, code) = match reason {
        ExitReason::Code { code } => (Reason::ExitCode, Some(*code)),
        ExitReason::Signal { signal } => (Reason::ExitSignal, Some(*signal)),
        ExitReason::OutOfMemory => (Reason::OutOfMemory, None),
        ExitReason::Stopped { .. } => (Reason::Stopped, None),
        ExitReason::LeaseExpired => (Reason::LeaseExpired, None),
        ExitReason::CouldNotStart { .. } => (Reason::CouldNotStart, None),
        ExitReason::Lost { .. } => (Reason::Vanished, None),
    };
    Ended { reason: why, code, detail: reason.to_string() }
}

fn launch_of(assignment: &Assignment) -> Launch {
    let workload = &assignment.workload;
    let some = |amount: u64| (amount > 0).then_some(amount);
    let mut environment = workload.environment.clone();
    environment.insert("ORRERY_REVISION".into(), assignment.revision.to_string());
    environment.insert("ORRERY_LABEL".into(), assignment.label.clone());
    if !assignment.gpus.is_empty() {
        let gpus = assignment.gpus.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        environment.insert("CUDA_VISIBLE_DEVICES".into(), gpus.clone());
        environment.insert("ORRERY_GPUS".into(), gpus);
    }
    Launch {
        instance: assignment.instance.to_string(),
        label: assignment.label.clone(),
        realm: assignment.realm.clone(),
        job: assignment.label.split('/').next().unwrap_or_default().to_string(),
        revision: u64::from(assignment.revision),
        run: workload.run.clone(),
        base_directory: workload.base_directory.clone().into(),
        directory: None,
        environment,
        ports: workload.ports.clone(),
        resources: Resources {
            cpu_milli: some(workload.resources.cpu_milli),
            memory_bytes: some(workload.resources.memory_bytes),
            disk_bytes: some(workload.resources.disk_bytes),
            pids: None,
        },
        stop_grace_ms: workload.stop_grace.as_milliseconds(),
        exclusive: assignment.exclusive,
        log: crate::driver::LogLimits::default(),
    }
}

fn check_of(health: &manifest::Health, assignment: &Assignment, ports: &[(String, u16)]) -> Option<Check> {
    let port = |name: &Option<String>| {
        let wanted = name.as_ref().or(assignment.workload.ports.first())?;
        ports.iter().find(|(name, _)| name == wanted).map(|(_, port)| *port)
    };
    let probe = match &health.check {
        manifest::Check::Http { port: name, path } => Probe::Http { port: port(name)?, path: path.clone() },
        manifest::Check::Tcp { port: name } => Probe::Tcp { port: port(name)? },
        manifest::Check::Command { run } => Probe::Command { run: run.clone() },
        manifest::Check::Opinion => Probe::Opinion,
    };
    let duration = |span: Span| Duration::from_micros(span.0);
    Some(Check {
        probe,
        every: duration(health.every),
        timeout: duration(health.timeout),
        after_failures: health.failures_max,
        grace: duration(health.grace),
    })
}
