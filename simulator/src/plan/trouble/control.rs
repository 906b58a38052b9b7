//! What can go wrong with the control plane's process. It takes effect in `control::suffer`.

use super::{Aim, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What goes wrong with the control plane's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// It is killed with the power of its disk; it is started again afterwards.
    Crash,
}

impl Control {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash => "control-crash",
        }
    }
}

/// The kinds.
pub const KINDS: &[Kind] =
    &[Kind { name: "control-crash", aim: Aim::World, make: |_| Trouble::Control(Control::Crash) }];
