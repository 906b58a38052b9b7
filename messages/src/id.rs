//! Typed ids, each a UUID inside.
//!
//! Ids of named things are derived from their names (UUID version 5), so that anyone who knows the name knows the
//! address and nobody has to look it up. Ids of things that come and go are derived from the actor that made them.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// The namespace of every derived id. Frozen: changing it would readdress every actor in every log.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f72_7265_7279_4001_8000_0000_0000_0001);

/// How many shards actors hash to. Frozen for the life of a log.
pub const SHARDS: u16 = 64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}

ids! {
    /// A job: one declared program with a desired number of instances.
    JobId;
    /// One run of one slot of a job. A replacement is a new instance.
    InstanceId;
    /// A node: a machine that runs instances.
    NodeId;
    /// A route from outside, or the service address of a job.
    RouteId;
    /// One change of a job from a revision to the next.
    RolloutId;
    /// A realm's policy, the front door of its commands.
    PolicyId;
    /// A scheduler, one for each site.
    SchedulerId;
    /// A chain of causes: everything that followed from one thing outside.
    CorrelationId;
    /// Who is asking from outside: one client connection or command.
    ClientId;
}

fn derived(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes())
}

impl JobId {
    /// The job of this name in this realm.
    pub fn named(realm: &str, name: &str) -> Self {
        Self(derived(&["job", realm, name]))
    }
}

impl InstanceId {
    /// The `incarnation`-th run of `slot` of `job`.
    pub fn of(job: JobId, slot: u32, incarnation: u64) -> Self {
        Self(derived(&["instance", &job.to_string(), &slot.to_string(), &incarnation.to_string()]))
    }
}

impl NodeId {
    /// The node of this name.
    pub fn named(name: &str) -> Self {
        Self(derived(&["node", name]))
    }
}

impl RouteId {
    /// The route of this name (its host and path) in this realm.
    pub fn named(realm: &str, name: &str) -> Self {
        Self(derived(&["route", realm, name]))
    }

    /// The service address of a job, which links lead to.
    pub fn service(realm: &str, job: &str) -> Self {
        Self(derived(&["service", realm, job]))
    }
}

impl RolloutId {
    /// The rollout that brings `revision` of `job`.
    pub fn of(job: JobId, revision: u32) -> Self {
        Self(derived(&["rollout", &job.to_string(), &revision.to_string()]))
    }
}

impl PolicyId {
    /// The policy of this realm.
    pub fn of_realm(realm: &str) -> Self {
        Self(derived(&["policy", realm]))
    }
}

impl SchedulerId {
    /// The scheduler of this site.
    pub fn of_site(site: &str) -> Self {
        Self(derived(&["scheduler", site]))
    }
}

/// What kind of actor. Grows only at the end: the number is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// [`crate::job`]
    Job = 1,
    /// [`crate::node`]
    Node = 2,
    /// [`crate::scheduler`]
    Scheduler = 3,
    /// [`crate::route`]
    Route = 4,
    /// [`crate::rollout`]
    Rollout = 5,
    /// [`crate::policy`]
    Policy = 6,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Job, Self::Node, Self::Scheduler, Self::Route, Self::Rollout, Self::Policy];

    /// The name in subjects, logs and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Node => "node",
            Self::Scheduler => "scheduler",
            Self::Route => "route",
            Self::Rollout => "rollout",
            Self::Policy => "policy",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind with this number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The address of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActorId {
    /// What kind of actor.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
}

impl ActorId {
    /// The shard this actor lives in. Frozen: version-5 UUIDs are uniform in their last byte.
    pub const fn shard(self) -> u16 {
        self.id.as_bytes()[15] as u16 % SHARDS
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.kind.name(), self.id)
    }
}

macro_rules! actor_ids {
    ($($name:ident => $kind:ident),* $(,)?) => {$(
        impl From<$name> for ActorId {
            fn from(id: $name) -> Self {
                Self { kind: Kind::$kind, id: id.0 }
            }
        }
    )*};
}

actor_ids! {
    JobId => Job, NodeId => Node, SchedulerId => Scheduler, RouteId => Route, RolloutId => Rollout, PolicyId => Policy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_frozen() {
        assert_eq!(JobId::named("shop", "a").to_string(), "76588ab5-4609-55e2-a57d-1cc9b0e03e0d");
        assert_eq!(ActorId::from(JobId::named("shop", "a")).shard(), 0x0d);
    }

    #[test]
    fn kinds_survive_their_names_and_numbers() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
        }
    }
}
