//! What can be typed, and what `--help` says of it.

use super::backtest::PolicyTest;
use super::sim::SimCommand;
use crate::driver::Stream;
use clap::{Args, Parser, Subcommand, ValueEnum};
use messages::policy::Mode;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Orrery runs your jobs on your machines, and can say why.
#[derive(Debug, Parser)]
#[command(name = "orrery", version, arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub asking: Asking,
    #[command(subcommand)]
    pub command: Command,
}

// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// Answer with JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the control plane answers
    #[arg(long, global = true, value_name = "URL", env = "ORRERY_API", default_value = "http://127.0.0.1:7070")]
    pub api: String,
    /// The realm; needed only where there is more than one
    #[arg(long, global = true, value_name = "NAME", env = "ORRERY_REALM")]
    pub realm: Option<String>,
}

// As of when.
#[derive(Debug, Args)]
pub(super) struct At {
    /// As it was at this position of the log, or at this time (2026-01-31T09:30:00Z)
    #[arg(long, value_name = "TIME|POSITION")]
    pub at: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the control plane, the gateway and one node in this process
    #[command(after_help = "Example:\n  orrery up --apply examples/abc.toml")]
    Up(Box<Up>),
    /// Run the agent of one more node, for a control plane elsewhere
    #[command(after_help = "Example:\n  orrery agent --join http://127.0.0.1:7070 --name n2 --data n2-data")]
    Agent {
        /// The URL of the control plane's API
        #[arg(long, value_name = "URL")]
        join: String,
        /// Where this node's instances are kept
        #[arg(long, value_name = "DIR", default_value = "orrery-agent-data")]
        data: PathBuf,
        #[command(flatten)]
        node: Box<Machine>,
    },
    /// Make a realm what its manifests say
    #[command(after_help = "Example:\n  orrery apply examples/abc.toml")]
    Apply {
        /// Manifests, in TOML, YAML or JSON
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Leave out the manifests' build steps
        #[arg(long)]
        no_build: bool,
        /// Only if it comes to what this plan says; `orrery plan` names it. For one manifest
        #[arg(long, value_name = "ID")]
        plan: Option<String>,
    },
    /// Show what manifests would come to, without doing it
    #[command(after_help = "Example:\n  orrery plan examples/abc.toml")]
    Plan {
        /// Manifests, as they would be applied one after the other
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Show what was weighed for each instance
        #[arg(short, long)]
        verbose: bool,
    },
    /// Show how many more instances fit, and what would become of things if a node, rack or site was lost
    #[command(after_help = "Examples:\n  orrery capacity a\n  orrery capacity examples/abc.toml")]
    Capacity {
        /// A job, or a manifest; without one, losses alone
        #[arg(value_name = "JOB|FILE")]
        what: Option<String>,
        /// Show where everything would go
        #[arg(short, long)]
        verbose: bool,
    },
    /// Show jobs, nodes, routes and rollouts
    #[command(after_help = "Examples:\n  orrery status\n  orrery status a --at 2026-01-31T09:30:00Z")]
    Status {
        /// Only this job, with its instances
        job: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Watch the cluster: how full each node is, what is used of everything, and what waits and why
    #[command(after_help = "Examples:\n  orrery top\n  orrery top --once")]
    Top {
        /// Print one picture and end
        #[arg(long)]
        once: bool,
    },
    /// Show what an instance wrote
    #[command(after_help = "Example:\n  orrery logs a/0 --follow --last 20")]
    Logs {
        /// JOB/SLOT, REALM/JOB/SLOT or an id
        instance: String,
        /// Go on with what comes
        #[arg(short, long)]
        follow: bool,
        /// Only the last so many lines of each stream
        #[arg(long, value_name = "LINES")]
        last: Option<usize>,
        /// Only standard output or only standard error
        #[arg(long)]
        stream: Option<OutputStream>,
    },
    /// Scale, restart and stop jobs
    #[command(subcommand)]
    Job(JobCommand),
    /// List, cordon and drain nodes
    #[command(subcommand)]
    Node(NodeCommand),
    /// List and remove routes
    #[command(subcommand)]
    Route(RouteCommand),
    /// List and steer rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Show and set a realm's policy and quota
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Explain why an instance is where and how it is
    #[command(after_help = "Example:\n  orrery why a/3")]
    Why {
        /// JOB/SLOT, REALM/JOB/SLOT or an id
        instance: String,
        #[command(flatten)]
        at: At,
    },
    /// Explain what stands against a job on a node
    #[command(after_help = "Example:\n  orrery why-not a node-1")]
    WhyNot {
        /// JOB or REALM/JOB
        job: String,
        /// The node's name
        node: String,
        #[command(flatten)]
        at: At,
    },
    /// Show a chain of causes, from something outside to everything that followed
    #[command(after_help = "Example:\n  orrery trace 0197a1de-0b0f-7c3e-9d52-1f6f0b1c2d3e")]
    Trace {
        /// The id of the chain, of the command that began it, or of an instance
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Show the log: every turn of every actor
    #[command(after_help = "Example:\n  orrery log --follow --json")]
    Log {
        /// From this position on
        #[arg(long, value_name = "POSITION", default_value_t = 0)]
        from: u64,
        /// At most so many entries
        #[arg(long, value_name = "ENTRIES")]
        limit: Option<usize>,
        /// Go on with what comes
        #[arg(short, long)]
        follow: bool,
        /// Write all of it to a file instead, for `orrery sim`
        #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "limit", "follow"])]
        export: Option<PathBuf>,
        /// The data directory it is exported from, also while a control plane runs on it
        #[arg(long, value_name = "DIR", default_value = "orrery-data", requires = "export")]
        data: PathBuf,
        /// A NATS server to export it from
        #[arg(long, value_name = "URL", requires = "export")]
        nats: Option<String>,
        /// The site whose log it is
        #[arg(long, default_value = "on-premise", requires = "export")]
        site: String,
    },
    /// Take the whole log again and compare what comes out with what there is
    #[command(after_help = "Example:\n  orrery replay --verify")]
    Replay {
        /// Compare every turn and every state
        #[arg(long, required = true)]
        verify: bool,
        /// The data directory, read when no control plane answers
        #[arg(long, value_name = "DIR", default_value = "orrery-data")]
        data: PathBuf,
        /// A NATS server, to read the log there, whether a control plane answers or not
        #[arg(long, value_name = "URL")]
        nats: Option<String>,
        /// The site whose log it is
        #[arg(long, default_value = "on-premise")]
        site: String,
    },
    /// Try the same actors in made-up worlds, on a virtual clock, with everything that can go wrong
    #[command(subcommand)]
    Sim(SimCommand),
    /// Say what is wrong with this installation, and what to do
    #[command(after_help = "Example:\n  orrery doctor")]
    Doctor {
        /// The data directory
        #[arg(long, value_name = "DIR", default_value = "orrery-data")]
        data: PathBuf,
        /// Where routes are to be served
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        ingress: SocketAddr,
        #[command(flatten)]
        nats: Nats,
    },
    /// Print completions for a shell
    #[command(after_help = "Example:\n  orrery completions bash > ~/.local/share/bash-completion/completions/orrery")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

// The NATS server to look at.
#[derive(Debug, Args)]
pub(super) struct Nats {
    /// The NATS server that is to keep the log
    #[arg(long = "nats", value_name = "URL")]
    pub url: Option<String>,
    /// Where its monitoring answers [default: port 8222 of the same machine]
    #[arg(long = "nats-monitor", value_name = "URL")]
    pub monitor: Option<String>,
    /// The site whose log it is
    #[arg(long, default_value = "on-premise")]
    pub site: String,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "orrery-data")]
    pub data: PathBuf,
    /// A NATS server to put bus and journal on; without one, both are in this process
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// A manifest to apply once it is up; may be given again
    #[arg(long, value_name = "FILE")]
    pub apply: Vec<PathBuf>,
    /// Where the API listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// Where routes are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub ingress: SocketAddr,
    /// The file of tokens; tokens.toml beside the first manifest, if it is there
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Leave out the manifests' build steps
    #[arg(long)]
    pub no_build: bool,
    #[command(flatten)]
    pub node: Machine,
}

// What this machine says it is.
#[derive(Debug, Args)]
pub(super) struct Machine {
    /// The node's name [default: the machine's]
    #[arg(long)]
    pub name: Option<String>,
    /// The address at which the ports of its instances are reached
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// Its rack
    #[arg(long, default_value = "rack-1")]
    pub rack: String,
    /// Its site
    #[arg(long, default_value = "on-premise")]
    pub site: String,
    /// Its region
    #[arg(long, default_value = "local")]
    pub region: String,
    /// A tag; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// Processors to give to instances, as 4 or 500m [default: all]
    #[arg(long)]
    pub cpu: Option<String>,
    /// Memory to give to instances, as 8GiB [default: all]
    #[arg(long)]
    pub memory: Option<String>,
    /// Disk to give to instances, as 100GiB [default: what is free]
    #[arg(long)]
    pub disk: Option<String>,
    /// Anything else to give to instances: gpus=4, disk_io=500MB/s (bytes a second), network=10Gbps, or a name of your own
    /// with a dot, license.x=3; may be given again
    #[arg(long = "capacity", value_name = "NAME=AMOUNT")]
    pub capacity: Vec<String>,
    /// The model of its GPUs, as A100
    #[arg(long, value_name = "MODEL")]
    pub gpu_model: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Want so many instances
    #[command(after_help = "Example:\n  orrery job scale a 6")]
    Scale {
        /// The job
        job: String,
        /// How many
        instances: u32,
    },
    /// Replace one instance, or all of them one after the other
    #[command(after_help = "Examples:\n  orrery job restart a\n  orrery job restart a/3")]
    Restart {
        /// JOB, or JOB/SLOT for one instance
        job: String,
    },
    /// Want none and give up what there is
    #[command(after_help = "Example:\n  orrery job stop a")]
    Stop {
        /// The job
        job: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// Show all nodes
    List(At),
    /// Take nothing new on a node
    #[command(after_help = "Example:\n  orrery node cordon node-1")]
    Cordon {
        /// The node's name
        node: String,
    },
    /// Take new work on a node again
    Uncordon {
        /// The node's name
        node: String,
    },
    /// Take nothing new on a node and move everything away
    Drain {
        /// The node's name
        node: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RouteCommand {
    /// Show all routes
    List(At),
    /// Serve nothing on a route any more
    #[command(after_help = "Example:\n  orrery route remove a.shop.test")]
    Remove {
        /// The route's name: its host, or its host and path
        route: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RolloutCommand {
    /// Show rollouts under way, and the latest of each job
    List(At),
    /// Go on to all of the new revision now
    #[command(after_help = "Example:\n  orrery rollout promote b")]
    Promote(Rolling),
    /// Keep the rollout where it is
    Hold(Rolling),
    /// Let it go on
    Resume(Rolling),
    /// Give it up and go back
    Abort(Rolling),
}

// Which rollout.
#[derive(Debug, Args)]
pub(super) struct Rolling {
    /// The job
    pub job: String,
    /// The revision that is coming in [default: of the rollout under way]
    #[arg(long)]
    pub revision: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Show the policy and the quota
    Show(At),
    /// Replace the policy
    #[command(after_help = "Example:\n  orrery policy set shop.cedar --mode shadow")]
    Set {
        /// A file of Cedar policies
        file: PathBuf,
        /// How verdicts are applied
        #[arg(long, default_value = "audit")]
        mode: PolicyMode,
    },
    /// Judge what was decided anew under a policy, and show what would come out otherwise: exits with 1 if anything would
    #[command(after_help = "Examples:\n  orrery policy test shop.cedar --since 7d\n  \
                            orrery policy test shop.cedar --log session.orx --realm shop")]
    Test(PolicyTest),
    /// Replace the quota
    #[command(
        after_help = "Examples:\n  orrery policy quota --instances 20 --memory 4GiB\n  orrery policy quota --none"
    )]
    Quota {
        /// At most so many instances
        #[arg(long)]
        instances: Option<u64>,
        /// At most so many processors
        #[arg(long)]
        cpu: Option<String>,
        /// At most so much memory
        #[arg(long)]
        memory: Option<String>,
        /// At most so much disk
        #[arg(long)]
        disk: Option<String>,
        /// At most so much of anything else: gpus=4, license.x=3; may be given again
        #[arg(long = "most", value_name = "NAME=AMOUNT")]
        most: Vec<String>,
        /// No quota any more
        #[arg(long, conflicts_with_all = ["instances", "cpu", "memory", "disk", "most"])]
        none: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PolicyMode {
    /// Record verdicts, deny nothing
    Audit,
    /// As audit, and mark what would have been denied
    Shadow,
    /// Deny what is not allowed
    Enforce,
}

impl From<PolicyMode> for Mode {
    fn from(mode: PolicyMode) -> Self {
        match mode {
            PolicyMode::Audit => Self::Audit,
            PolicyMode::Shadow => Self::Shadow,
            PolicyMode::Enforce => Self::Enforce,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OutputStream {
    /// Standard output
    Out,
    /// Standard error
    Err,
}

impl From<OutputStream> for Stream {
    fn from(stream: OutputStream) -> Self {
        match stream {
            OutputStream::Out => Self::Out,
            OutputStream::Err => Self::Err,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_agree_with_each_other() {
        super::Arguments::command().debug_assert();
    }
}
