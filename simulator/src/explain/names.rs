//! What people call whoever takes part in a run.

use super::address_of;
use crate::world::World;
use crate::world::tape::{What, names_of};
use messages::envelope::Address;
use messages::id::{ActorId, Kind, NodeId};
use std::collections::BTreeMap;

/// Names of actors and machines, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Names {
    actors: BTreeMap<ActorId, String>,
    machines: Vec<String>,
}

impl Names {
    /// The names in a world.
    pub fn of(world: &World) -> Self {
        let mut actors = BTreeMap::new();
        let fold = world.fold();
        let mut name = |id: ActorId, name: String| drop(actors.insert(id, name));
        for (id, job) in fold.jobs() {
            name(id, format!("job {}", job.name()));
        }
        for (id, node) in fold.nodes() {
            name(id, format!("node {}", node.name()));
        }
        for (id, rollout) in fold.rollouts() {
            name(id, format!("rollout {} {}-{}", rollout.name, rollout.from, rollout.to));
        }
        for (id, route) in fold.routes() {
            let spec = route.spec.as_ref();
            name(id, format!("route {}", spec.map_or_else(|| short(id), |spec| spec.name.clone())));
        }
        for (id, _) in fold.schedulers() {
            name(id, "scheduler".into());
        }
        let machines = world.plan().machines.iter().map(|machine| machine.spec.name.clone()).collect();
        Self { actors, machines }
    }

    /// What an actor is called.
    pub fn actor(&self, id: ActorId) -> String {
        let unknown =
            || if id.kind == Kind::Policy { "policy".into() } else { format!("{} {}", id.kind.name(), short(id)) };
        self.actors.get(&id).cloned().unwrap_or_else(unknown)
    }

    /// Whether an actor's name is known, as far as actors of its kind have names.
    pub fn know(&self, id: ActorId) -> bool {
        id.kind == Kind::Policy || self.actors.contains_key(&id)
    }

    /// What a machine is called.
    pub fn machine(&self, index: usize) -> String {
        self.machines.get(index).cloned().unwrap_or_else(|| format!("machine {index}"))
    }

    /// What the control plane's process is called.
    pub fn control(&self) -> String {
        "control plane".into()
    }

    /// What somebody who can be told something is called.
    pub fn address(&self, address: Address) -> String {
        match address {
            Address::Actor(id) => self.actor(id),
            Address::Agent(node) => self.node(node),
            Address::Client(_) => "client".into(),
            Address::Host => self.control(),
        }
    }

    fn node(&self, node: NodeId) -> String {
        let is_it = |name: &&String| NodeId::named(name) == node;
        self.machines.iter().find(is_it).cloned().unwrap_or_else(|| format!("agent {node}"))
    }

    /// To whom something happened.
    pub fn who(&self, what: &What) -> Option<String> {
        match what {
            What::Machine { machine, .. } | What::Started { machine, .. } | What::Ended { machine, .. } => {
                Some(self.machine(*machine))
            }
            What::Control(_) => Some(self.control()),
            what => address_of(what).map(|address| self.address(address)),
        }
    }

    /// What happened, in a line.
    pub fn happened(&self, what: &What) -> String {
        match what {
            What::Committed(entry) => {
                let (heard, recorded) = names_of(entry);
                format!("{heard}: {}", recorded.join(", "))
            }
            What::Sent { to, name, .. } => format!("says {name} to {}", self.address(*to)),
            What::Arrived { from, name, .. } => format!("hears {name} from {}", self.address(*from)),
            What::Machine { what, .. } | What::Control(what) => what.clone(),
            What::Started { label, .. } => format!("starts {label}"),
            What::Ended { label, why, .. } => format!("{label} ended: {why}"),
            What::Answered { action, done, .. } => format!("{action} {}", if *done { "done" } else { "refused" }),
            What::Begins { fault, .. } => format!("fault {fault} begins"),
            What::Ends(fault) => format!("fault {fault} is over"),
            What::Violated(violation) => violation.signature.clone(),
        }
    }

    /// A sentence with ids replaced by names.
    pub fn said(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in &self.actors {
            text = text.replace(&id.to_string(), name).replace(&id.id.to_string(), name);
        }
        text
    }

    /// Every actor that has a name, and its name.
    pub fn actors(&self) -> impl Iterator<Item = (ActorId, &str)> {
        self.actors.iter().map(|(id, name)| (*id, name.as_str()))
    }
}

fn short(id: ActorId) -> String {
    id.id.to_string().chars().take(8).collect()
}
