//! `up`: hands the host its options, and applies manifests once it is up.

use super::apply::{build, changes, read_manifest};
use super::arguments::Up;
use super::fault::Fault;
use super::show::Show;
use super::{live, machine};
use crate::api;
use crate::host::{Site, SubmitFault, UpOptions, up as host_up};
use futures::FutureExt;
use futures::future::BoxFuture;
use messages::api::{Applied, Failure};
use messages::envelope::Principal;
use messages::node::Standing;
use messages::policy::Request;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

/// How long the node of this process may take to join before manifests are applied without it.
const JOIN_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a manifest that got no answer is sent again.
const TRIES_MAX: u32 = 4;

/// Runs until a signal. Returns the exit code.
pub(super) fn up(arguments: Up, json: bool) -> u8 {
    let show = Show { json };
    match options(arguments, json) {
        Ok(options) => {
            tell_of_trouble();
            host_up(options, api::router, after_start)
        }
        Err(fault) => {
            fault.tell(show);
            fault.exit_code()
        }
    }
}

/// Traces go to standard error, as much as `ORRERY_LOG` asks for.
pub(super) fn tell_of_trouble() {
    let filter = EnvFilter::try_from_env("ORRERY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

fn options(arguments: Up, json: bool) -> Result<UpOptions, Fault> {
    // What is wrong with a manifest is said before anything is started.
    arguments.apply.iter().try_for_each(|file| read_manifest(file).map(|_| ()))?;
    let beside = || {
        let path = arguments.apply.first()?.parent()?.join("tokens.toml");
        path.is_file().then_some(path)
    };
    let tokens: Option<PathBuf> = arguments.tokens.clone().or_else(beside);
    let node = machine::node(&arguments.node, &arguments.data)?;
    Ok(UpOptions {
        data: arguments.data,
        nats: arguments.nats,
        apply: arguments.apply,
        listen_api: arguments.listen,
        listen_ingress: arguments.ingress,
        tokens,
        node,
        json,
        no_build: arguments.no_build,
    })
}

fn after_start(site: Site, options: UpOptions) -> BoxFuture<'static, Result<(), u8>> {
    async move {
        let show = Show { json: options.json };
        let (api, routes) = (options.listen_api, options.listen_ingress);
        if show.json {
            let position = site.read(|fold| fold.position().0);
            show.line(&serde_json::json!({ "api": format!("http://{api}"), "routes": format!("http://{routes}"),
                "node": options.node.name, "position": position }));
        } else {
            let data = options.data.display();
            show.text(&format!("orrery is up: api http://{api}, routes http://{routes}, data {data}\n"));
        }
        wait_for_node(&site, &options.node.name).await;
        for file in &options.apply {
            apply(&site, show, file.clone(), options.no_build).await.map_err(|fault| {
                fault.tell(show);
                if !show.json {
                    eprintln!("orrery: {} was not applied; stopped", file.display());
                }
                fault.exit_code()
            })?;
        }
        if !show.json {
            let head = format!("orrery  api http://{api}  routes http://{routes}  data {}", options.data.display());
            live::watch(&site, &head).await;
        }
        Ok(())
    }
    .boxed()
}

/// Until the scheduler has the node of this process, a manifest would be refused for want of nodes.
async fn wait_for_node(site: &Site, name: &str) {
    let known = |site: &Site| {
        site.read(|fold| {
            let mut nodes = fold.schedulers().flat_map(|(_, scheduler)| scheduler.cluster().nodes());
            nodes.any(|(_, node)| node.name() == name && node.standing() == Standing::Ready)
        })
    };
    let waiting = async {
        while !known(site) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(JOIN_WITHIN, waiting).await.is_err() {
        tracing::warn!(node = name, "the node of this process has not joined yet");
    }
}

async fn apply(site: &Site, show: Show, file: PathBuf, no_build: bool) -> Result<(), Fault> {
    let read = tokio::task::spawn_blocking(move || {
        let mut manifest = read_manifest(&file)?;
        if !no_build {
            build(&manifest, &file, show.json)?;
        }
        manifest.build.clear();
        Ok::<_, Fault>(manifest)
    });
    let manifest = read.await.map_err(|error| Fault::Unreachable(error.to_string()))??;
    let (id, realm) = (Uuid::now_v7(), manifest.realm.clone());
    let principal = Principal { name: api::OPERATOR.into(), groups: vec!["operators".into()] };
    for _ in 0..TRIES_MAX {
        let request = Request::Apply { manifest: manifest.clone() };
        match site.submit(id, principal.clone(), realm.clone(), request).await {
            Ok((answer, position)) => {
                let applied = Applied::new(position.0, id, answer);
                if show.json {
                    show.line(&applied)
                } else {
                    show.text(&changes(&applied))
                }
                return Ok(());
            }
            Err(SubmitFault::Refused(refusal)) => {
                return Err(Fault::Refused(Failure { trace: Some(id), ..refusal.into() }));
            }
            Err(SubmitFault::Silent) => {}
        }
    }
    Err(Fault::Unreachable("the manifest got no answer; it may still take effect".into()))
}
