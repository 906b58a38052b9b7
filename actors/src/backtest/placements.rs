//! Placements judged anew: the scheduler's turn is taken again under the other policy.

use super::{Backtest, Twins};
use crate::scheduler::filter::Want;
use messages::api::{Becomes, Flip};
use messages::entry::Record;
use messages::id::{InstanceId, JobId, NodeId};
use messages::policy::Mode;
use messages::scheduler::{Ask, Decision, Event, Message};

/// The action of a placement, as policies name it.
const PLACE: &str = crate::cedar::PLACE;

/// Whether it was decided in this turn where something goes.
pub(super) fn decides(record: &Record<Message, Event>) -> bool {
    record.events.iter().any(|event| decision(event).is_some())
}

fn decision(event: &Event) -> Option<(JobId, &Ask, &Decision)> {
    match event {
        Event::Placed { job, ask, decision, .. } | Event::Unplaced { job, ask, decision } => {
            Some((*job, ask, decision))
        }
        _ => None,
    }
}

impl Backtest {
    /// Judges the decisions of a scheduler's entry, beside what comes of its turn under the other policy. The twins stand
    /// after it.
    pub(super) fn judge_placements(
        &mut self,
        twins: &Twins,
        record: &Record<Message, Event>,
        anew: &Record<Message, Event>,
    ) {
        for (job, ask, was) in record.events.iter().filter_map(decision) {
            let want = twins.was.state().want(job, ask.revision);
            let Some(want) = want.filter(|want| want.realm == self.realm) else { continue };
            self.counts.placements += 1;
            let now = chosen(anew, ask.instance);
            let about = match was.chosen {
                Some(node) if forbidden(twins, &want, node) => Some((Becomes::Forbidden, node)),
                // It would rather go where it could not be then.
                _ => now.filter(|node| was_forbidden(twins, &want, *node)).map(|node| (Becomes::Allowed, node)),
            };
            let Some((becomes, node)) = about else { continue };
            let instead = now.filter(|other| becomes == Becomes::Forbidden && *other != node);
            let flip = self.placement_flip(twins, record, (&want, ask), (node, instead));
            self.counts.flip(becomes);
            self.note(becomes, &format!("job {}/{}", want.realm, want.name), PLACE, flip);
        }
    }

    fn placement_flip(
        &self,
        twins: &Twins,
        record: &Record<Message, Event>,
        (want, ask): (&Want<'_>, &Ask),
        (node, instead): (NodeId, Option<NodeId>),
    ) -> Flip {
        let said = twins.was.state().ruled(want, node);
        let was = said.map_or_else(|| "no policy had a say".into(), |(verdict, mode)| verdict.worded(mode));
        let now = twins.under.state().ruled(want, node).map_or_else(String::new, |(verdict, _)| verdict.words());
        let name = |node: NodeId| twins.was.state().cluster().node(node).map(|node| node.name().to_string());
        let instance = format!("{}/{}", want.realm, ask.label);
        let ask = format!("orrery why {instance} --at {}", self.position);
        let flip = self.flip(&record.head, was, now, ask);
        Flip { instance: Some(instance), node: name(node), instead: instead.and_then(name), ..flip }
    }
}

/// Where the turn under the other policy sends an instance.
fn chosen(anew: &Record<Message, Event>, instance: InstanceId) -> Option<NodeId> {
    let mut decisions = anew.events.iter().filter_map(decision);
    decisions.find(|(_, ask, _)| ask.instance == instance).and_then(|(_, _, decision)| decision.chosen)
}

fn forbidden(twins: &Twins, want: &Want<'_>, node: NodeId) -> bool {
    twins.under.state().ruled(want, node).is_some_and(|(verdict, _)| verdict.denies(Mode::Enforce))
}

fn was_forbidden(twins: &Twins, want: &Want<'_>, node: NodeId) -> bool {
    twins.was.state().ruled(want, node).is_some_and(|(verdict, mode)| verdict.denies(mode))
}
