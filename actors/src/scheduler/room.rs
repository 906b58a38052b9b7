//! How many more instances of a job fit: exactly, by placing one after the other until one is refused.

use super::filter::Survey;
use super::{Scheduler, check, select};
use messages::id::{InstanceId, JobId, NodeId};
use messages::manifest::JobSpec;
use messages::scheduler::{Ask, Unplaceable};
use std::collections::BTreeMap;

/// The room that there is for a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// How many more instances fit.
    pub fit: u32,
    /// How many of them each node takes.
    pub nodes: BTreeMap<NodeId, u32>,
    /// Why no more; none when the count ended at its bound.
    pub end: Option<Unplaceable>,
}

/// Places instances of a job in a look at the cluster until one is refused, or so many have a place.
pub fn room(state: &Scheduler, spec: &JobSpec, most: u32) -> Room {
    let job = JobId::named(&spec.realm, &spec.name);
    let workload = spec.workload.clone().into();
    let mut view = check::beside(state, std::slice::from_ref(spec));
    let survey = Survey::new(&view, check::want(spec, &workload));
    let mut room = Room::default();
    while room.fit < most {
        let instance = InstanceId::of(job, room.fit, u64::MAX);
        let label = format!("one more {}", spec.name);
        let ask = Ask { instance, label, revision: 0, avoid: Vec::new(), gang: false };
        let decision = select::decide(&view, &survey, &ask, &[]);
        let chosen = decision.chosen.and_then(|id| Some((id, state.cluster.node(id)?)));
        let Some((id, node)) = chosen else {
            room.end = decision.unplaceable;
            break;
        };
        view.place(job, &workload.resources, node);
        *room.nodes.entry(id).or_default() += 1;
        room.fit += 1;
    }
    room
}
