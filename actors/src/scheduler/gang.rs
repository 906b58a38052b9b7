//! Gangs: instances that are placed all in one decision, or wait together.

use super::filter::Survey;
use super::nodes::RefusedBy;
use super::view::ClusterView;
use super::{Scheduler, select};
use messages::id::JobId;
use messages::reason::Reason;
use messages::scheduler::{Ask, Decision, Unplaceable};

/// One of a gang, and what is known of it.
pub(super) struct Member<'a> {
    pub ask: &'a Ask,
    /// Nodes that refused it.
    pub refused: &'a [RefusedBy],
    /// What was said of it last.
    pub said: Option<&'a Unplaceable>,
    /// Whether its job asks just now.
    pub asked: bool,
}

/// The gang that waits, in the order in which its instances came, and those of it that are asked for now.
pub(super) fn members<'a>(state: &'a Scheduler, job: JobId, revision: u32, asks: &[&'a Ask]) -> Vec<Member<'a>> {
    let asked = |ask: &Ask| asks.iter().any(|other| other.instance == ask.instance);
    let waiting = state.waiting().map(|(_, waiting)| waiting);
    let waiting = waiting.filter(|it| it.job == job && it.ask.revision == revision && it.ask.gang && !asked(&it.ask));
    let waiting = waiting.map(|it| Member { ask: &it.ask, refused: &it.refused, said: it.why.as_ref(), asked: false });
    let asks = asks.iter().map(|&ask| {
        let known = state.waiting.get(&ask.instance);
        let refused = known.map_or(&[][..], |waiting| &waiting.refused);
        Member { ask, refused, said: known.and_then(|waiting| waiting.why.as_ref()), asked: true }
    });
    waiting.chain(asks).collect()
}

/// Where each of them goes, beside those before it; or, if one finds no place, why they all wait.
pub(super) fn decide<'a>(view: &ClusterView<'a>, survey: &Survey<'a>, members: &[Member<'_>]) -> Vec<Decision> {
    let mut trial = view.clone();
    let mut decisions = Vec::with_capacity(members.len());
    for member in members {
        let decision = select::decide(&trial, survey, member.ask, member.refused);
        match decision.chosen.and_then(|id| view.state.cluster.node(id)) {
            Some(node) => trial.place(survey.want.job, &survey.want.workload.resources, node),
            None => return all_wait(members, decisions.len(), &decision),
        }
        decisions.push(decision);
    }
    decisions
}

/// So many found a place, and the next of them none.
fn all_wait(members: &[Member<'_>], fitting: usize, next: &Decision) -> Vec<Decision> {
    let why = next.unplaceable.as_ref().map(|why| Unplaceable {
        reason: Reason::GangIncomplete,
        message: format!("{fitting} of {} instances of the gang fit at once; {}", members.len(), why.message),
        ..why.clone()
    });
    let waits = |member: &Member<'_>| Decision {
        instance: member.ask.instance,
        label: member.ask.label.clone(),
        unplaceable: why.clone(),
        ..next.clone()
    };
    members.iter().map(waits).collect()
}
