//! Commands that change jobs, nodes, routes, rollouts and policies, and the lists beside them.

use super::apply::changes;
use super::arguments::{JobCommand, NodeCommand, PolicyCommand, Rolling, RolloutCommand, RouteCommand};
use super::backtest;
use super::client::Client;
use super::fault::Fault;
use super::machine::{amount, resource};
use super::show::Show;
use super::status;
use crate::views::status::PolicyStatus;
use messages::api::{EXIT_DONE, RolloutState, Status};
use messages::policy::{Quota, Request, SYSTEM_REALM};
use messages::quantity;
use messages::reason::Reason;
use messages::resources::Resources;

/// A job as it was named, apart from the realm that may stand before it.
async fn realm_and_job(client: &Client, named: &str) -> Result<(String, String), Fault> {
    match named.split_once('/') {
        Some((realm, job)) => Ok((realm.to_owned(), job.to_owned())),
        None => Ok((client.realm().await?, named.to_owned())),
    }
}

/// `orrery job`
pub(super) async fn job(client: &Client, show: Show, command: JobCommand) -> Result<(), Fault> {
    let (named, request): (String, Box<dyn FnOnce(String) -> Request>) = match command {
        JobCommand::Scale { job, instances } => (job, Box::new(move |job| Request::Scale { job, instances })),
        JobCommand::Stop { job } => (job, Box::new(|job| Request::Stop { job })),
        JobCommand::Restart { job } => {
            let slot = job.rsplit_once('/').and_then(|(name, slot)| Some((name.to_owned(), slot.parse::<u32>().ok()?)));
            let (job, slot) = slot.map_or((job, None), |(name, slot)| (name, Some(slot)));
            (job, Box::new(move |job| Request::Restart { job, slot }))
        }
    };
    let (realm, job) = realm_and_job(client, &named).await?;
    show.answer(&client.submit_in(&realm, request(job)).await?, changes);
    Ok(())
}

/// `orrery node`
pub(super) async fn node(client: &Client, show: Show, command: NodeCommand) -> Result<(), Fault> {
    let request = match command {
        NodeCommand::List(at) => {
            let status: Status = client.get(&["v1", "status"], &[("at", at.at)]).await?;
            show.answer(&status.nodes, |nodes| status::nodes(nodes));
            return Ok(());
        }
        NodeCommand::Cordon { node } => Request::Cordon { node },
        NodeCommand::Uncordon { node } => Request::Uncordon { node },
        NodeCommand::Drain { node } => Request::Drain { node },
    };
    show.answer(&client.submit_in(SYSTEM_REALM, request).await?, changes);
    Ok(())
}

/// `orrery route`
pub(super) async fn route(client: &Client, show: Show, command: RouteCommand) -> Result<(), Fault> {
    match command {
        RouteCommand::List(at) => {
            let status: Status = client.get(&["v1", "status"], &[("at", at.at)]).await?;
            show.answer(&status.routes, |routes| status::routes(routes));
        }
        RouteCommand::Remove { route } => {
            show.answer(&client.submit(Request::RemoveRoute { route }).await?, changes);
        }
    }
    Ok(())
}

/// `orrery rollout`
pub(super) async fn rollout(client: &Client, show: Show, command: RolloutCommand) -> Result<(), Fault> {
    let (rolling, request): (Rolling, fn(String, u32) -> Request) = match command {
        RolloutCommand::List(at) => {
            let status: Status = client.get(&["v1", "status"], &[("at", at.at)]).await?;
            show.answer(&status.rollouts, |rollouts| status::rollouts(rollouts));
            return Ok(());
        }
        RolloutCommand::Promote(rolling) => (rolling, |job, revision| Request::Promote { job, revision }),
        RolloutCommand::Hold(rolling) => (rolling, |job, revision| Request::Hold { job, revision }),
        RolloutCommand::Resume(rolling) => (rolling, |job, revision| Request::Resume { job, revision }),
        RolloutCommand::Abort(rolling) => (rolling, |job, revision| Request::Abort { job, revision }),
    };
    let (realm, job) = realm_and_job(client, &rolling.job).await?;
    let revision = match rolling.revision {
        Some(revision) => revision,
        None => under_way(client, &format!("{realm}/{job}")).await?,
    };
    show.answer(&client.submit_in(&realm, request(job, revision)).await?, changes);
    Ok(())
}

/// The revision that is coming in.
async fn under_way(client: &Client, job: &str) -> Result<u32, Fault> {
    let status: Status = client.get_patiently(&["v1", "status"], &[("job", Some(job.to_owned()))]).await?;
    let open = |state| matches!(state, RolloutState::Advancing | RolloutState::Held);
    let revisions = status.rollouts.iter().filter(|rollout| open(rollout.state)).map(|rollout| rollout.to);
    revisions.max().ok_or_else(|| {
        let message = format!("no rollout of {job} is under way");
        Fault::refused(Reason::WrongState, message, "see the latest of each job with `orrery rollout list`")
    })
}

/// `orrery policy`
pub(super) async fn policy(client: &Client, show: Show, command: PolicyCommand) -> Result<u8, Fault> {
    let request = match command {
        PolicyCommand::Show(at) => {
            let realm = client.realm().await?;
            let all: Vec<PolicyStatus> = client.get(&["v1", "policies"], &[("at", at.at)]).await?;
            let one = all.into_iter().find(|policy| policy.realm == realm);
            let one = one.ok_or_else(|| {
                let message = format!("realm {realm} has had no command yet");
                Fault::refused(Reason::NotFound, message, "apply a manifest first, or name another with --realm")
            })?;
            show.answer(&one, policy_text);
            return Ok(EXIT_DONE);
        }
        PolicyCommand::Set { file, mode } => {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| Fault::Unreachable(format!("cannot read {}: {error}", file.display())))?;
            Request::SetPolicy { text, mode: mode.into() }
        }
        PolicyCommand::Test(arguments) => return backtest::test(client, show, arguments).await,
        PolicyCommand::Quota { none: true, .. } => Request::SetQuota { quota: None },
        PolicyCommand::Quota { instances, cpu, memory, disk, most, none: false } => {
            let mut resources = Resources {
                cpu_milli: amount("--cpu", cpu.as_deref(), quantity::cpu)?.unwrap_or(0),
                memory_bytes: amount("--memory", memory.as_deref(), quantity::bytes)?.unwrap_or(0),
                disk_bytes: amount("--disk", disk.as_deref(), quantity::bytes)?.unwrap_or(0),
                ..Resources::default()
            };
            for given in &most {
                let (dimension, amount) = resource("--most", given)?;
                resources.set(dimension, amount);
            }
            if instances.is_none() && resources == Resources::default() {
                return Err(Fault::Misuse("say what the quota is, or --none".into()));
            }
            Request::SetQuota { quota: Some(Quota { instances, resources }) }
        }
    };
    show.answer(&client.submit(request).await?, changes);
    Ok(EXIT_DONE)
}

fn policy_text(policy: &PolicyStatus) -> String {
    let mode = match policy.mode {
        messages::policy::Mode::Audit => "audit",
        messages::policy::Mode::Shadow => "shadow",
        messages::policy::Mode::Enforce => "enforce",
    };
    let quota = policy.quota.as_ref().map_or("none".to_owned(), |quota| {
        let instances = quota.instances.map_or(String::new(), |count| format!("{count} instances, "));
        format!("{instances}{}", quota.resources)
    });
    format!("// realm {}, version {}, mode {mode}, quota {quota}\n{}\n", policy.realm, policy.version, policy.text)
}
