//! What a what-if changes: nodes, commands of its own, faults, and recorded commands. Read from TOML by [`read`], and
//! put into a planned world by [`Change::apply`].

mod apply;
mod read;
mod rows;

pub use apply::Applied;
pub use read::{Load, read};

use messages::node::NodeSpec;
use messages::policy::Request;
use messages::resources::Resources;

/// What is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The rows of the file, in its order.
    pub rows: Vec<Row>,
}

/// A row of the file, with where it begins, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it begins.
    pub place: usize,
    /// How long after the moment, in microseconds.
    pub at: u64,
    /// What.
    pub edit: Edit,
}

/// What a row changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nodes are gone: without power from one moment to the next, or drained first.
    Remove {
        /// Which.
        nodes: Nodes,
        /// Whether they are drained first.
        drained: bool,
    },
    /// Nodes come in addition.
    Add {
        /// The node they are like, if they are like one.
        like: Option<String>,
        /// How many.
        count: u32,
        /// What their names begin with.
        name: String,
        /// Where they differ from it.
        given: Given,
    },
    /// Nodes have other resources.
    Resize {
        /// Which.
        nodes: Nodes,
        /// What they have.
        given: Given,
    },
    /// A command in addition.
    Command {
        /// The realm; the only one there is, when empty.
        realm: String,
        /// What to do.
        request: Box<Request>,
    },
    /// Something goes wrong in addition.
    Fault {
        /// What.
        what: Wrong,
        /// For how long, in microseconds.
        lasts: u64,
    },
    /// Recorded commands are given otherwise.
    Recorded {
        /// Which action; any when absent.
        action: Option<String>,
        /// Which job; any when absent.
        job: Option<String>,
        /// How.
        how: How,
    },
}

/// Which nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// The one of this name.
    Named(String),
    /// Those of this rack.
    Rack(String),
    /// Those of this site.
    Site(String),
    /// Those with exactly these resources, as far as they are given.
    Shaped(Given),
}

/// What is said of a node; the rest is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Its rack.
    pub rack: Option<String>,
    /// Its site.
    pub site: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Processors, in thousandths.
    pub cpu_milli: Option<u64>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Disk, in bytes.
    pub disk_bytes: Option<u64>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Machines lose power, and boot afterwards.
    MachineCrash(Nodes),
    /// Machines and the control plane are cut off from each other, or their agents are silent.
    Partition(Nodes),
    /// There is no control plane.
    ControlCrash,
    /// What runs in a slot dies.
    WorkloadDies(String, u32),
    /// What runs in a slot fails its health checks.
    WorkloadSick(String, u32),
}

/// How recorded commands are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Not at all.
    Drop,
    /// Earlier or later, in microseconds.
    Shift(i64),
    /// With so many instances, where they say how many.
    Instances(u32),
    /// With so many of a hundred instances.
    Percent(u32),
}

impl Given {
    /// The same node, where nothing else is given.
    pub fn applied(&self, spec: &NodeSpec) -> NodeSpec {
        let mut spec = spec.clone();
        let text = |to: &mut String, from: &Option<String>| to.clone_from(from.as_ref().unwrap_or(&to.clone()));
        text(&mut spec.rack, &self.rack);
        text(&mut spec.site, &self.site);
        text(&mut spec.region, &self.region);
        spec.capacity = self.resized(spec.capacity.clone());
        spec
    }

    fn resized(&self, resources: Resources) -> Resources {
        Resources {
            cpu_milli: self.cpu_milli.unwrap_or(resources.cpu_milli),
            memory_bytes: self.memory_bytes.unwrap_or(resources.memory_bytes),
            disk_bytes: self.disk_bytes.unwrap_or(resources.disk_bytes),
            ..resources
        }
    }

    fn is_of(&self, spec: &NodeSpec) -> bool {
        self.applied(spec) == *spec
    }
}

impl Nodes {
    /// Whether a node is one of them.
    pub fn hold(&self, spec: &NodeSpec) -> bool {
        match self {
            Self::Named(name) => spec.name == *name,
            Self::Rack(rack) => spec.rack == *rack,
            Self::Site(site) => spec.site == *site,
            Self::Shaped(given) => given.is_of(spec),
        }
    }

    /// For people.
    pub fn told(&self) -> String {
        match self {
            Self::Named(name) => format!("node {name:?}"),
            Self::Rack(rack) => format!("rack {rack:?}"),
            Self::Site(site) => format!("site {site:?}"),
            Self::Shaped(_) => "node of this shape".into(),
        }
    }
}
