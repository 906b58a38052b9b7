//! What holds once nothing happens any more: nothing is owed, held or known wrongly by anyone.

use super::{Finding, Oracle, gangs, nodes, serving, steps};
use crate::verdict::Invariant;
use actors::job::Phase;
use messages::id::JobId;
use std::collections::BTreeMap;

impl Oracle {
    /// What is wrong at the end, when the world has had its time to settle.
    pub fn check_settled(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut all = |invariant, signature, messages: Vec<String>| {
            findings.extend(messages.into_iter().map(|message| (invariant, signature, message)));
        };
        all(Invariant::Linearizable, "commands and answers fit into no order", self.history.check(&self.fold));
        all(Invariant::Known, "a node is not as operators want it", self.commands.check_nodes(&self.fold));
        all(Invariant::Known, "a scheduler does not know a realm's rules", self.unknown_rules());
        if self.restless().is_empty() {
            all(Invariant::Claims, "a node holds room for nobody", nodes::stray_claims(&self.fold));
            all(Invariant::Known, "a scheduler does not know how a node is", self.placing.mistaken(&self.fold));
            all(Invariant::RolloutSteps, "a rollout does not come to an end", steps::open(&self.fold));
            all(Invariant::Placement, "a gang stays half-placed", gangs::half_placed(&self.fold));
            all(Invariant::Routes, "a route is led astray", serving::astray(&self.fold));
        }
        findings
    }

    /// How many instances of each job wait, were told why, and can truly be taken by no node.
    pub(super) fn excused(&self) -> BTreeMap<JobId, u32> {
        let mut excused = BTreeMap::new();
        for (id, job) in self.fold.jobs() {
            let told = job.instances.iter().filter(|(_, one)| one.phase == Phase::Wanted && one.unplaceable.is_some());
            let id = JobId(id.id);
            for _ in told.filter(|(instance, one)| self.placing.taker(id, one.revision, **instance).is_none()) {
                *excused.entry(id).or_default() += 1;
            }
        }
        excused
    }

    fn unknown_rules(&self) -> Vec<String> {
        let policies = self.fold.policies().map(|(_, policy)| (policy.realm(), policy.version()));
        let unknown = policies.filter(|(realm, version)| self.placing.rules_version(realm) < *version);
        unknown.map(|(realm, version)| format!("version {version} of {realm}")).collect()
    }
}
