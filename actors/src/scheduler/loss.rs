//! What would become of instances if nodes were lost: where each would go, and what would not fit any more.

use super::filter::Survey;
use super::nodes::Reservation;
use super::view::ClusterView;
use super::{Scheduler, select};
use messages::id::{InstanceId, JobId, NodeId};
use messages::node::NodeView;
use messages::scheduler::{Ask, Unplaceable};
use std::collections::BTreeMap;

/// A cluster of which nodes are lost, one after the other.
#[derive(Clone, Debug)]
pub struct Losses {
    state: Scheduler,
}

/// What a loss comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// What would be placed elsewhere, and where.
    pub placed: Vec<(InstanceId, JobId, NodeId)>,
    /// What would fit nowhere.
    pub stranded: Vec<Stranded>,
}

/// An instance that would fit nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranded {
    /// Which instance.
    pub instance: InstanceId,
    /// Its job.
    pub job: JobId,
    /// Why.
    pub why: Unplaceable,
}

impl Losses {
    /// The cluster before anything is lost.
    pub fn new(state: &Scheduler) -> Self {
        Self { state: state.clone() }
    }

    /// Loses these nodes, says what would become of what they hold, and has them back. Instances are placed in the order of
    /// their labels; `ask` says what each would ask, and leaves out those that would not come back.
    pub fn lose(&mut self, nodes: &[NodeId], ask: impl Fn(InstanceId) -> Option<Ask>) -> Lost {
        let known = nodes.iter().filter_map(|id| Some((*id, self.state.cluster.remove(*id)?)));
        let removed: Vec<(NodeId, (NodeView, Vec<Reservation>))> = known.collect();
        let claims = removed.iter().flat_map(|(_, (view, _))| &view.claims);
        let asked = claims.filter_map(|claim| Some((claim.job, ask(claim.instance)?)));
        let mut asked: Vec<(JobId, Ask)> = asked.collect();
        asked.sort_by(|(one_job, one), (other_job, other)| (&one.label, one_job).cmp(&(&other.label, other_job)));
        let lost = replace(&self.state, asked);
        for (id, (view, held)) in removed {
            self.state.cluster.put_back(id, view, held);
        }
        lost
    }
}

/// Finds other places, again for those that wait for the company of others.
fn replace(state: &Scheduler, asked: Vec<(JobId, Ask)>) -> Lost {
    let mut view = ClusterView::new(state);
    let mut surveys: BTreeMap<(JobId, u32), Survey<'_>> = BTreeMap::new();
    let (mut lost, mut left) = (Lost::default(), asked);
    loop {
        let before = left.len();
        let mut stranded = Vec::new();
        left.retain(|(job, ask)| {
            let Some(want) = state.want(*job, ask.revision) else { return false };
            let survey = surveys.entry((*job, ask.revision)).or_insert_with(|| Survey::new(&view, want));
            let decision = select::decide(&view, survey, ask, &[]);
            if let Some(id) = decision.chosen
                && let Some(node) = state.cluster.node(id)
            {
                view.place(*job, &want.workload.resources, node);
                lost.placed.push((ask.instance, *job, id));
                return false;
            }
            stranded.extend(decision.unplaceable.map(|why| Stranded { instance: ask.instance, job: *job, why }));
            true
        });
        if left.len() == before || left.is_empty() {
            lost.stranded = stranded;
            return lost;
        }
    }
}
