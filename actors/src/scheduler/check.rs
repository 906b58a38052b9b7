//! Whether jobs that are new or changed would fit, all of them together, beside what there is.

use super::Scheduler;
use super::filter::{self, Survey, Want};
use super::nodes::NodeState;
use super::view::ClusterView;
use super::{explain, index, remedy, select};
use messages::id::{InstanceId, JobId};
use messages::manifest::{JobSpec, Workload};
use messages::node::Standing;
use messages::reason::{Reason, Refusal};
use messages::scheduler::{Ask, Unplaceable};
use messages::shared::Shared;

/// Tries the jobs on a look at the cluster.
///
/// Without any node all is well: instances wait, and say so. While no node takes work, only what no node could ever
/// take is refused. Of a job that runs already, only the instances that would come on top count.
pub fn check(state: &Scheduler, jobs: &[JobSpec]) -> Result<(), Refusal> {
    let mut view = beside(state, jobs);
    if view.nodes().next().is_none() {
        return Ok(());
    }
    let open = view.nodes().any(|(_, node)| node.standing() == Standing::Ready);
    for spec in in_order(jobs) {
        fits(&mut view, spec, open)?;
    }
    Ok(())
}

/// A look at the cluster with these jobs beside what there is: whom they must be apart from counts for all of them.
pub(super) fn beside<'a>(state: &'a Scheduler, jobs: &[JobSpec]) -> ClusterView<'a> {
    let mut view = ClusterView::new(state);
    for spec in jobs {
        let job = JobId::named(&spec.realm, &spec.name);
        let hard = spec.place.apart.iter().filter(|apart| apart.hard);
        view.repels.extend(hard.map(|apart| (JobId::named(&spec.realm, &apart.job), job, apart.within)));
    }
    view
}

/// What a job needs, from its declaration.
pub(super) fn want<'a>(spec: &'a JobSpec, workload: &'a Shared<Workload>) -> Want<'a> {
    Want {
        job: JobId::named(&spec.realm, &spec.name),
        realm: &spec.realm,
        name: &spec.name,
        exclusive: spec.exclusive,
        workload,
        place: &spec.place,
    }
}

fn fits(view: &mut ClusterView<'_>, spec: &JobSpec, open: bool) -> Result<(), Refusal> {
    let job = JobId::named(&spec.realm, &spec.name);
    let workload = spec.workload.clone().into();
    let want = want(spec, &workload);
    let survey = Survey::new(view, want);
    if spec.instances > 0 && !possible(view, &survey) {
        let struck: Vec<_> = survey.nodes().iter().filter_map(|it| Some((it, it.strike.clone()?))).collect();
        let floors = filter::floors(view, &survey);
        let why = explain::unplaceable(view, &survey, &spec.name, &struck, &floors, &[]);
        return Err(refusal(format!("job {}: {}", spec.name, why.message), why));
    }
    if spec.place.gang {
        large(&survey, spec.instances)?;
    }
    let there = if crate::mutant!(CheckCountsAll) { 0 } else { view.total(job) };
    for slot in there..spec.instances {
        if !open {
            break;
        }
        let instance = InstanceId::of(job, slot, u64::MAX);
        let ask = Ask { instance, label: format!("{}/{slot}", spec.name), revision: 0, avoid: Vec::new(), gang: false };
        let decision = select::decide(view, &survey, &ask, &[]);
        let chosen = decision.chosen.and_then(|id| view.state.cluster().node(id));
        match (chosen, decision.unplaceable) {
            (Some(_), _) if crate::mutant!(CheckJobByJob) => {}
            (Some(node), _) => view.place(job, &spec.workload.resources, node),
            (None, Some(why)) if why.reason != Reason::Waiting => {
                let (name, all) = (&spec.name, spec.instances);
                let message = format!("job {name}: {slot} of {all} instances fit; {}", why.message);
                return Err(refusal(message, why));
            }
            (None, _) => break,
        }
    }
    Ok(())
}

/// Refuses a gang that would not fit even if nothing else were there.
fn large(survey: &Survey<'_>, instances: u32) -> Result<(), Refusal> {
    let (want, need) = (&survey.want, &survey.want.workload.resources);
    let most_of_one = want.place.per_node_max.map_or(u64::MAX, u64::from);
    let takes = |node: &NodeState| need.times_in(node.capacity()).min(most_of_one);
    let nodes = survey.nodes().iter().filter(|surveyed| surveyed.strike.is_none());
    let most = nodes.map(|surveyed| takes(surveyed.node)).fold(0, u64::saturating_add);
    if u64::from(instances) <= most {
        return Ok(());
    }
    let message = format!("job {} is a gang of {instances}, and all nodes together could take {most}", want.name);
    let change = format!(
        "ask for {most} or fewer, add a node{}, or drop gang from job.{}.place",
        remedy::shape(want),
        want.name
    );
    Err(Refusal::new(Reason::GangIncomplete, message).change(change))
}

/// Whether some node could take an instance if nothing else were there.
fn possible(view: &ClusterView<'_>, survey: &Survey<'_>) -> bool {
    match survey.indexed {
        true => index::possible(view, survey),
        false => survey.nodes().iter().any(|node| node.strike.is_none()),
    }
}

fn refusal(message: String, why: Unplaceable) -> Refusal {
    Refusal { reason: why.reason, message, nearest: why.nearest, change: why.change }
}

/// Jobs that others must be near come before those others.
fn in_order(jobs: &[JobSpec]) -> Vec<&JobSpec> {
    let mut left: Vec<&JobSpec> = jobs.iter().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |spec: &JobSpec| {
            let mut near = spec.place.near.iter().filter(|near| near.hard && near.job != spec.name);
            near.any(|near| left.iter().any(|other| other.name == near.job && other.realm == spec.realm))
        };
        let next = left.iter().position(|spec| !waits(spec)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}
