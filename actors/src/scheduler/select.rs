//! The decision: every node filtered, those that fit scored, the best chosen, and all of it written down. The index
//! comes to the same without looking at every node.
//!
//! Of equals the first by name is chosen, so that people can foresee it and small instances gather in few nodes.

use super::filter::{self, Strike, Survey, Surveyed};
use super::nodes::{NodeState, RefusedBy};
use super::score::{self, Terms};
use super::view::ClusterView;
use super::{explain, index};
use messages::id::NodeId;
use messages::reason::Reason;
use messages::scheduler::{Ask, Candidate, Decision};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A node that fits: its score first, so that the greatest is the best.
type Ranked<'a> = (i64, Reverse<(&'a str, NodeId)>);

/// Decides where an instance goes.
pub fn decide<'a>(view: &ClusterView<'a>, survey: &Survey<'a>, ask: &Ask, refused: &[RefusedBy]) -> Decision {
    let want = &survey.want;
    if survey.indexed
        && let Some(decision) = index::decide(view, survey, ask, refused)
    {
        return decision;
    }
    let floors = filter::floors(view, survey);
    let terms = |id: NodeId, node: &'a NodeState| score::score(view, want, id, node, &floors, &ask.avoid);
    let mut struck: Vec<(&Surveyed<'a>, Strike<'a>)> = Vec::new();
    let mut best: Vec<Ranked<'a>> = Vec::new();
    let mut fitting = 0;
    for surveyed in survey.nodes() {
        match filter::strike(view, want, surveyed, &floors, refused) {
            Some(strike) => struck.push((surveyed, strike)),
            None => {
                fitting += 1;
                let name = Reverse((surveyed.node.name(), surveyed.id));
                keep(&mut best, (terms(surveyed.id, surveyed.node).sum(), name));
            }
        }
    }
    let candidates: Vec<Candidate> = best
        .iter()
        .filter_map(|(_, Reverse((_, id)))| Some((*id, view.state.cluster.node(*id)?)))
        .map(|(id, node)| candidate(id, node, &terms(id, node)))
        .collect();
    let second = candidates.get(usize::from(crate::mutant!(SecondBestChosen)));
    let chosen = second.or(candidates.first()).map(|candidate| candidate.node);
    let said = survey.nodes().iter().find(|surveyed| Some(surveyed.id) == chosen);
    Decision {
        instance: ask.instance,
        label: ask.label.clone(),
        chosen,
        candidates,
        fitting,
        struck_out: tally(&struck),
        policy: said.and_then(|surveyed| surveyed.policy.clone()),
        unplaceable: chosen
            .is_none()
            .then(|| explain::unplaceable(view, survey, &ask.label, &struck, &floors, refused)),
    }
}

fn keep<'a>(best: &mut Vec<Ranked<'a>>, node: Ranked<'a>) {
    let at = best.partition_point(|other| *other > node);
    if at < Decision::CANDIDATES_MAX {
        best.insert(at, node);
        best.truncate(Decision::CANDIDATES_MAX);
    }
}

pub(super) fn candidate(id: NodeId, node: &NodeState, terms: &Terms) -> Candidate {
    Candidate { node: id, name: node.name().to_string(), score: terms.sum(), terms: terms.record() }
}

/// How many nodes each reason struck out, with the first by name; the most permanent reason first.
fn tally(struck: &[(&Surveyed<'_>, Strike<'_>)]) -> Vec<(Reason, u32, String)> {
    let mut reasons: BTreeMap<(u8, Reason), (u32, &str)> = BTreeMap::new();
    for (surveyed, strike) in struck {
        let name = surveyed.node.name();
        let entry = reasons.entry((strike.tier(), strike.reason())).or_insert((0, name));
        *entry = (entry.0 + 1, entry.1.min(name));
    }
    reasons.into_iter().map(|((_, reason), (count, name))| (reason, count, name.to_string())).collect()
}
