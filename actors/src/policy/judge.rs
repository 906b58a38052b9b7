//! What policies say of a command: a verdict on each thing that it is about.

use super::Policy;
use crate::cedar::{Circumstance, Party, Policies, Verdict};
use messages::envelope::Principal;
use messages::manifest::{RouteSpec, Workload};
use messages::policy::Request;
use messages::time::Timestamp;
use std::collections::BTreeMap;

/// Something that a command is about, as people call it, and the verdict on it.
pub type OnThing = (String, Verdict);

impl Policy {
    /// What the policy in force says of a command: of all that it is about, the first denial.
    pub(super) fn judge(&self, principal: &Principal, realm: &str, request: &Request, now: Timestamp) -> Verdict {
        let Some(policies) = self.in_force() else { return Verdict::unreadable() };
        let all = self.verdicts(policies, principal, realm, request, now).into_iter().map(|(_, verdict)| verdict);
        let last_counts = crate::mutant!(LastVerdictCounts);
        let whole = all.reduce(|before, verdict| if last_counts { verdict } else { before.and(verdict) });
        whole.unwrap_or_else(Verdict::unreadable)
    }

    /// The policies in force. None when this build cannot read them.
    pub fn in_force(&self) -> Option<&Policies> {
        self.rules.compiled.get(self.text())
    }

    /// What these policies say of each thing that a command is about, with jobs and routes as they are declared here. It
    /// is about one thing at least.
    pub fn verdicts(
        &self,
        policies: &Policies,
        principal: &Principal,
        realm: &str,
        request: &Request,
        now: Timestamp,
    ) -> Vec<OnThing> {
        let (who, when) = (Party::user(principal), Circumstance::When(now));
        let on = |what: String, party: &Party, circumstance| {
            (what, policies.judge(&who, request.action(), party, circumstance))
        };
        let on_job = |job: &str, circumstance| {
            let nothing = Workload::default();
            let known = self.jobs.get(job);
            let workload = known.map_or(&nothing, |spec| &spec.workload);
            let party = Party::job(realm, job, workload, known.is_some_and(|spec| spec.exclusive));
            vec![on(format!("job {realm}/{job}"), &party, circumstance)]
        };
        let on_realm = |circumstance| vec![on(format!("realm {realm}"), &Party::realm(realm), circumstance)];
        match request {
            Request::Apply { manifest } => {
                let count = Circumstance::Count(now, 0);
                let jobs = manifest.jobs.values().map(|spec| {
                    let party = Party::job(realm, &spec.name, &spec.workload, spec.exclusive);
                    on(format!("job {realm}/{}", spec.name), &party, Circumstance::Count(now, spec.instances))
                });
                let routes = manifest.routes.values();
                let routes = routes.map(|route| on(format!("route {}", route.name), &Party::route(route), count));
                let all: Vec<OnThing> = jobs.chain(routes).collect();
                if all.is_empty() { on_realm(count) } else { all }
            }
            Request::Scale { job, instances } => on_job(job, Circumstance::Count(now, *instances)),
            Request::Restart { job, .. }
            | Request::Stop { job }
            | Request::Promote { job, .. }
            | Request::Hold { job, .. }
            | Request::Resume { job, .. }
            | Request::Abort { job, .. } => on_job(job, when),
            Request::RemoveRoute { route } => {
                let unknown = RouteSpec { realm: realm.into(), name: route.clone(), ..RouteSpec::default() };
                let party = Party::route(self.routes.get(route).unwrap_or(&unknown));
                vec![on(format!("route {route}"), &party, when)]
            }
            Request::Cordon { node } | Request::Uncordon { node } | Request::Drain { node } => {
                vec![on(format!("node {node}"), &Party::node(node, &BTreeMap::new()), when)]
            }
            Request::SetPolicy { .. } | Request::SetQuota { .. } => on_realm(when),
        }
    }
}
