//! `orrery up`: the control plane, the gateway and one node in one process.

use super::open::{Opened, files, own};
use super::shell::Shell;
use super::{Bus, Hear, InProcess, Site, unkept, writer};
use crate::agent::{Agent, Control};
use crate::driver::{Driver, Options};
use crate::nats::{self, JetStreamLog, NatsBus};
use crate::predecessor;
use crate::proxy::{self, Patience, Table, Tables, TokenBook, serve_ingress};
use actix::Actor;
use actors::agent::Beat;
use actors::fold::Fold;
use actors::ports::Log;
use futures::future::BoxFuture;
use messages::id::NodeId;
use messages::node::{self, NodeSpec};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How often silent agents are looked for.
const DETECT_EVERY: Duration = Duration::from_millis(100);
/// How long connections may finish when the process stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What `orrery up` can be told.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// Where everything is kept.
    pub data: PathBuf,
    /// A NATS server to put bus and journal on.
    pub nats: Option<String>,
    /// Manifests to apply once it is up.
    pub apply: Vec<PathBuf>,
    /// Where the API listens.
    pub listen_api: SocketAddr,
    /// Where routes are served.
    pub listen_ingress: SocketAddr,
    /// The file of tokens.
    pub tokens: Option<PathBuf>,
    /// What this machine is.
    pub node: NodeSpec,
    /// Whether to print JSON lines.
    pub json: bool,
    /// Whether to leave out the manifests' build steps.
    pub no_build: bool,
}

struct Local {
    site: Site,
    node: NodeId,
    name: String,
}

impl Control for Local {
    fn say(&self, message: node::Message) {
        self.site.say_as_agent(self.node, &self.name, message);
    }

    fn beat(&self, beat: Beat) {
        self.site.beat(self.node, beat);
    }
}

/// What runs once the site is up. Where it fails, the process ends with this exit code; what is wrong was told.
pub type AfterStart = fn(Site, UpOptions) -> BoxFuture<'static, Result<(), u8>>;

/// Runs until a signal comes or the log cannot be written. Returns the exit code.
pub fn up(options: UpOptions, router: fn(Site) -> axum::Router, after_start: AfterStart) -> u8 {
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap_or_else(|error| {
            eprintln!("orrery: the runtime cannot start: {error}");
            std::process::exit(messages::api::EXIT_UNREACHABLE.into())
        })
    });
    match system.block_on(run(options, router, after_start)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("orrery: {error}");
            messages::api::EXIT_UNREACHABLE
        }
    }
}

async fn run(options: UpOptions, router: fn(Site) -> axum::Router, after_start: AfterStart) -> Result<u8, String> {
    let book = tokens(&options)?;
    let api = bind(options.listen_api, "the API", "--listen").await?;
    let ingress = bind(options.listen_ingress, "the ingress", "--ingress").await?;
    let Opened { log, shards, fold } = open(&options).await?;
    let failure = watch::channel(None).0;
    let failed = failure.clone();
    let (writer, written) = writer::start(log, move |error| super::fail(&failed, unkept(&error)))
        .map_err(|error| format!("the log's writer cannot start: {error}"))?;
    let site = Site::new(fold, writer.clone(), failure);
    let shells = shards.into_iter().map(|shard| Shell::new(shard, site.clone(), writer.clone()).start()).collect();
    let _first = site.inner.shells.set(shells);
    drop(writer);
    let _first = site.inner.bus.set(bus(&site, &options).await?);
    let tables = Tables::default();
    tokio::spawn(keep_tables(site.clone(), tables.clone()));
    tokio::spawn(detect(site.clone()));
    let serving = serve_ingress(ingress, tables.clone(), book, Patience::default()).await;
    let serving = serving.map_err(|error| format!("the ingress cannot serve: {error}"))?;
    start_agent(&site, &options, tables).await?;
    let router = router(site.clone());
    if let Some(url) = options.nats.clone() {
        let started = nats::start(url, &options.node.site, site.clone(), router.clone()).await;
        started.map_err(|error| error.to_string())?;
    }
    tokio::spawn(async move {
        if let Err(error) = axum::serve(api, router).await {
            tracing::error!(%error, "the API stopped");
        }
    });
    let applying = tokio::spawn(after_start(site.clone(), options.clone()));
    let outcome = stopped(&site, applying).await;
    serving.shutdown(DRAIN).await;
    drop(written);
    outcome
}

/// Opens the log where it is kept, in files or on NATS, and owns it.
async fn open(options: &UpOptions) -> Result<Opened, String> {
    let (nats, data) = (options.nats.clone(), options.data.clone());
    let site = options.node.site.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let log: Box<dyn Log> = match nats {
            Some(url) => {
                Box::new(JetStreamLog::open(&url, &site, nats::START_WITHIN).map_err(|error| error.to_string())?)
            }
            None => Box::new(files(&data)?),
        };
        own(log)
    });
    opening.await.map_err(|error| format!("the log cannot be opened: {error}"))?
}

/// What carries messages to actors: this process, or a NATS server.
async fn bus(site: &Site, options: &UpOptions) -> Result<Box<dyn Bus>, String> {
    let ours = site.clone();
    let hear: Hear = Arc::new(move |envelope, done| ours.hand_over(envelope, done));
    let Some(url) = &options.nats else { return Ok(Box::new(InProcess(hear))) };
    let bus = NatsBus::start(url, &options.node.site, hear).await.map_err(|error| error.to_string())?;
    Ok(Box::new(bus))
}

/// Waits for a signal, a failure of the log, or a manifest that was refused. Returns the exit code.
async fn stopped(site: &Site, applying: tokio::task::JoinHandle<Result<(), u8>>) -> Result<u8, String> {
    let mut failure = site.inner.failure.subscribe();
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let mut terminate = terminate.map_err(|error| format!("signals cannot be heard: {error}"))?;
    let refused = async {
        match applying.await {
            Ok(Err(code)) => code,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(messages::api::EXIT_DONE),
        _ = terminate.recv() => Ok(messages::api::EXIT_DONE),
        code = refused => Ok(code),
        failed = failure.wait_for(Option::is_some) => {
            Err(failed.ok().and_then(|why| why.clone()).unwrap_or_default())
        }
    }
}

async fn bind(address: SocketAddr, what: &str, flag: &str) -> Result<TcpListener, String> {
    predecessor::bind(address).await.map_err(|error| {
        format!("{what} cannot listen on {address}: {error}; stop what is there or give another {flag}")
    })
}

fn tokens(options: &UpOptions) -> Result<TokenBook, String> {
    let Some(path) = &options.tokens else { return Ok(TokenBook::default()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the tokens in {}: {error}", path.display()))?;
    TokenBook::parse(&text).map_err(|error| format!("{}: {}", path.display(), super::chain(&error)))
}

async fn start_agent(site: &Site, options: &UpOptions, tables: Tables) -> Result<(), String> {
    let (driver, notices) = Driver::open(&options.data, Options::default()).map_err(|error| super::chain(&error))?;
    for notice in notices {
        tracing::warn!(code = notice.code, "{}; {}", notice.what, notice.remedy);
    }
    let _first = site.inner.driver.set(driver.clone());
    let node = NodeId::named(&options.node.name);
    let orders = site.listen(node);
    let control = Local { site: site.clone(), node, name: options.node.name.clone() };
    let (agent, ears) = Agent::new(&options.data, driver, options.node.clone(), control, tables, orders).await?;
    tokio::spawn(agent.run(ears));
    Ok(())
}

async fn detect(site: Site) {
    loop {
        tokio::time::sleep(DETECT_EVERY).await;
        site.tell_silent();
    }
}

/// Keeps the proxies' table what the routes say.
async fn keep_tables(site: Site, tables: Tables) {
    let mut routes = site.inner.routes.subscribe();
    loop {
        routes.borrow_and_update();
        let table = site.read(table_of);
        if let Err(error) = tables.publish(&table) {
            tracing::error!(
                error = super::chain(&error),
                "the routes do not make a table; the one before stays in force"
            );
        }
        if routes.changed().await.is_err() {
            return;
        }
    }
}

/// The proxies' table as the routes have it.
pub fn table_of(fold: &Fold) -> Table {
    let mut table = Table::default();
    for (_, route) in fold.routes() {
        let Some(spec) = &route.spec else { continue };
        let backends = backends(route);
        if spec.host.is_empty() {
            table.services.insert(format!("{}/{}", spec.realm, spec.to), backends);
        } else {
            table.routes.push(proxy::Route {
                name: spec.name.clone(),
                host: spec.host.clone(),
                prefix: spec.path.clone(),
                permit: spec.permit.clone(),
                backends,
            });
        }
    }
    table
}

fn backends(route: &actors::route::Route) -> proxy::Backends {
    let Some(table) = &route.table else { return proxy::Backends::default() };
    let port = route.spec.as_ref().and_then(|spec| spec.port.clone());
    let endpoints = table.endpoints.iter().filter_map(|endpoint| {
        let named = |name: &String| endpoint.ports.iter().find(|(port, _)| port == name).map(|(_, port)| *port);
        let port = port.as_ref().map_or_else(|| endpoint.ports.first().map(|(_, port)| *port), named)?;
        Some(proxy::Endpoint {
            instance: endpoint.instance.to_string(),
            label: endpoint.label.clone(),
            address: SocketAddr::new(endpoint.host.parse().ok()?, port),
            revision: endpoint.revision,
            healthy: endpoint.healthy,
        })
    });
    proxy::Backends { endpoints: endpoints.collect(), weights: table.weights.iter().copied().collect() }
}
