//! What operators do at the worst moment. It takes effect in `client::operator`.

use super::Aim::{Machines, World};
use super::{Aim, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What operators do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operator {
    /// What.
    pub blunder: Blunder,
    /// Chooses the job or the manifest.
    pub choice: u64,
}

/// A way of giving commands that nobody should need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blunder {
    /// Two clients want a job to have another number of instances, at the same time.
    ContradictoryScale,
    /// One client drains a node while another opens it.
    ContradictoryNode,
    /// A manifest from before is applied, while the next comes in.
    Rollback,
    /// A rollout is given up in the middle.
    AbortMidway,
    /// A rollout is held, and let go only when it is over.
    ForgottenHold,
    /// A command that was answered is given again with the same id.
    RepeatedCommand,
    /// A client repeats a command many times before it can be answered.
    ImpatientClient,
    /// A node is drained, opened and closed in quick succession.
    FlappingDrain,
    /// A job is scaled up and down in quick succession.
    FlappingScale,
    /// A job is restarted by many at once.
    RestartStorm,
    /// Commands about what is not there.
    Nonsense,
}

impl Operator {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self.blunder {
            Blunder::ContradictoryScale => "contradictory-scale",
            Blunder::ContradictoryNode => "contradictory-node",
            Blunder::Rollback => "rollback",
            Blunder::AbortMidway => "abort-midway",
            Blunder::ForgottenHold => "forgotten-hold",
            Blunder::RepeatedCommand => "repeated-command",
            Blunder::ImpatientClient => "impatient-client",
            Blunder::FlappingDrain => "flapping-drain",
            Blunder::FlappingScale => "flapping-scale",
            Blunder::RestartStorm => "restart-storm",
            Blunder::Nonsense => "nonsense",
        }
    }
}

macro_rules! kinds {
    ($($name:literal $aim:ident $blunder:ident,)*) => {
        /// The kinds.
        pub const KINDS: &[Kind] = &[$(kind($name, $aim, |given| {
            Trouble::Operator(Operator { blunder: Blunder::$blunder, choice: given.choice })
        })),*];
    };
}

const fn kind(name: &'static str, aim: Aim, make: fn(&super::Given) -> Trouble) -> Kind {
    Kind { name, aim, make }
}

kinds! {
    "contradictory-scale" World ContradictoryScale,
    "contradictory-node" Machines ContradictoryNode,
    "rollback" World Rollback,
    "abort-midway" World AbortMidway,
    "forgotten-hold" World ForgottenHold,
    "repeated-command" World RepeatedCommand,
    "impatient-client" World ImpatientClient,
    "flapping-drain" Machines FlappingDrain,
    "flapping-scale" World FlappingScale,
    "restart-storm" World RestartStorm,
    "nonsense" World Nonsense,
}
