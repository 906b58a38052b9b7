//! What can be typed after `orrery sim`, and what `--help` says of it.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(in crate::command) enum SimCommand {
    /// Run seeds of scenarios, each twice, and say what was violated; or run one plan
    #[command(after_help = "Examples:\n  orrery sim run\n  orrery sim run partitions everything --seeds 2000\n  \
                      orrery sim run mine.toml --from 17 --seeds 1 --trace\n  \
                      orrery sim run --plan repro.json\n  \
                      orrery sim run mine.toml --from 17 --report seed-17.html\n\n\
                      Exits with 1 when a seed failed or a plan came out otherwise than it says, 2 when a scenario or \
                      plan makes no sense, 3 when it cannot be read.")]
    Run(SimRun),
    /// Look for failures, by several strategies, on every processor
    #[command(after_help = "Examples:\n  orrery sim search\n  orrery sim search exclusive tight --for 10m\n  \
                      orrery sim search all --seeds 20 --seed \"$(git rev-parse HEAD)\"\n\n\
                      Failures are told apart by what was violated, not by seed. Each new one is written to a file at \
                      once. Ctrl-C ends it with what there is. Exits with 1 when something failed.")]
    Search(SimSearch),
    /// Make a failing plan as small as it can be, failing the same way
    #[command(after_help = "Examples:\n  orrery sim shrink failures/exclusive-lease-1a2b3c4d.json\n  \
                      orrery sim shrink mine.toml --seed 17 --out small.json\n\n\
                      Ctrl-C ends it with the smallest so far. Exits with 1 when it does not fail.")]
    Shrink(SimShrink),
    /// Show only what led to a failure: who said what to whom, while what went wrong, and when it was decided
    #[command(after_help = "Examples:\n  orrery sim explain small.json --svg story.svg\n  \
                      orrery sim explain mine.toml --seed 17\n\n\
                      A small plan is explained best: shrink it first. Exits with 1 when it does not fail.")]
    Explain(SimExplain),
    /// Walk through a run on the terminal, forward and back, and look at every actor and machine at every moment
    #[command(after_help = "Examples:\n  orrery sim step exclusive --seed 3\n  \
                      orrery sim step small.json --stop violation\n  \
                      orrery sim step small.json --at 12.5s --actor \"job web\" --print\n\n\
                      Press ? for the keys. With --print it shows one moment and ends; so does --json.")]
    Step(SimStep),
    /// Show where two runs part: the first thing that differs, and how the actor's state differs then
    #[command(after_help = "Examples:\n  orrery sim diff small.json large.json\n  \
                      orrery sim diff exclusive:3 exclusive:4\n  \
                      orrery sim diff old.jsonl new.jsonl   (of `orrery sim run --plan FILE --trace --json`, by two \
                      builds)\n\nExits with 1 when they part.")]
    Diff(SimDiff),
    /// Do a scenario's plan to a real system on this machine: real processes, killed, stopped and cut off
    #[command(after_help = "Examples:\n  orrery sim live crashing-nodes --seed 3\n  \
                      orrery sim live mine.toml --seed 1 --data /tmp/live\n\n\
                      It starts a control plane and an agent for each machine, all on the loopback, and ends them. \
                      Faults that do not exist in reality are named and left out. Exits with 1 when an expectation \
                      did not hold.")]
    Live(SimLive),
    /// Behave as a scenario's program does: what a real workload of `sim live` runs
    #[command(hide = true)]
    Program(SimProgram),
    /// Take a recorded log again with this build's actors, and compare every entry byte for byte
    #[command(
        after_help = "Examples:\n  orrery sim replay --verify orrery-data\n  orrery sim replay --verify monday.orx\n\n\
                      Exits with 1 when an entry comes out otherwise, 3 when the log cannot be read."
    )]
    Replay(super::SimReplay),
    /// Run a recorded log on from a moment, without and with a change, and say what the change does
    #[command(after_help = "Examples:\n  orrery sim whatif orrery-data\n  orrery sim whatif monday.orx \
                      --from 2026-01-31T09:30:00Z --change one-node-fewer.toml\n\n\
                      Exits with 2 when the change makes no sense, 3 when the log cannot be read.")]
    Whatif(super::SimWhatif),
    /// Lose each node, rack or site of a recorded log at each hour, and say what suffers
    #[command(after_help = "Example:\n  orrery sim blast monday.orx --level rack --svg blast.svg")]
    Blast(super::SimBlast),
    /// Make a plan of a trace of a real cluster: its jobs come and go, on its machines
    #[command(
        after_help = "Examples:\n  orrery sim trace openb pods.csv --nodes nodes.csv --jobs 1000 --out openb.json\n  \
                      orrery sim trace azure v1.dev.txt --lifetimes v1.dev.c2100000.txt --machines 50\n  \
                      orrery sim trace openb pods.csv --scenario crashing-nodes --seed 3\n\n\
                      Rows that make no sense are skipped, counted, and told of with the place of the first."
    )]
    Trace(SimTrace),
    /// Show the scenarios that come with Orrery
    List,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimRun {
    /// Files, or names from `orrery sim list` [default: all of those]
    #[arg(value_name = "SCENARIO", conflicts_with = "plan")]
    pub scenarios: Vec<String>,
    /// Run the plan in this file instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "from", "jobs"])]
    pub plan: Option<PathBuf>,
    /// How many seeds of each scenario [default: 100, or 1 with --trace or --report]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    pub seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub from: u64,
    /// How many seeds at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Run each seed once, and leave out the comparison with a second run
    #[arg(long)]
    pub once: bool,
    /// Show a line for everything that happens; for one seed
    #[arg(long)]
    pub trace: bool,
    /// Draw it into this file, a page for a browser; for one seed of one scenario, or a plan
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimSearch {
    /// Files, or names from `orrery sim list`, or `all` [default: all]
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// For so long [default: 60s, without --seeds]
    #[arg(long = "for", value_name = "TIME")]
    pub lasts: Option<String>,
    /// So many seeds of each scenario, each by the strategy whose turn it is
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    pub seeds: Option<u64>,
    /// Where to begin: a number, or any word, like a commit
    #[arg(long, value_name = "WORD|COMMIT", default_value = "0")]
    pub seed: String,
    /// How many runs at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Where failing plans are written
    #[arg(long, value_name = "DIR", default_value = "failures")]
    pub out: PathBuf,
}

// What is looked at: a plan in a file, or what a seed makes of a scenario.
#[derive(Debug, Args)]
pub(in crate::command) struct Subject {
    /// A plan in a file, or a scenario with --seed
    #[arg(value_name = "FILE|SCENARIO")]
    pub what: String,
    /// Which seed of the scenario
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimShrink {
    #[command(flatten)]
    pub subject: Subject,
    /// Where the small plan is written [default: beside the file, as NAME.small.json]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A candidate that does not fail is tried with so many other seeds of its latencies
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(0..=64))]
    pub rerolls: u64,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimExplain {
    #[command(flatten)]
    pub subject: Subject,
    /// Draw it into this file, for a browser
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// From each moment of the story so many branches are run, to see when it was decided; none with 0
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub branches: u64,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimStep {
    #[command(flatten)]
    pub subject: Subject,
    /// Begin at this time of the world
    #[arg(long, value_name = "TIME", conflicts_with = "event")]
    pub at: Option<String>,
    /// Begin after so many events
    #[arg(long, value_name = "N")]
    pub event: Option<u64>,
    /// Go on from there to a `violation`, a `fault`, an `event NAME` or an `actor NAME`
    #[arg(long, value_name = "STOP")]
    pub stop: Option<String>,
    /// Show the state of the actors whose names contain this
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Print that moment, and end
    #[arg(long)]
    pub print: bool,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimLive {
    #[command(flatten)]
    pub subject: Subject,
    /// How long it may take after healing until all is as it should be [default: as the scenario says]
    #[arg(long, value_name = "TIME")]
    pub within: Option<String>,
    /// Work in this new directory and keep it [default: a temporary one, kept only on a failure]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimProgram {
    /// What it is told, as in scenarios
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(in crate::command) enum TraceKind {
    /// Alibaba's lists of pods and nodes (cluster-trace-gpu-v2023)
    Openb,
    /// Azure's virtual machines as sizes (Public Dataset V1)
    Azure,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimTrace {
    /// Of which kind it is
    #[arg(value_name = "KIND")]
    pub kind: TraceKind,
    /// What came: pods or virtual machines
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// openb: the nodes
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// azure: the sizes [default: flav_map.txt beside the file]
    #[arg(long, value_name = "FILE")]
    pub sizes: Option<PathBuf>,
    /// azure: how long each lived [default: everything runs on]
    #[arg(long, value_name = "FILE")]
    pub lifetimes: Option<PathBuf>,
    /// azure: the bins of lifetimes [default: v1.interval_map.txt beside the file]
    #[arg(long, value_name = "FILE")]
    pub bins: Option<PathBuf>,
    /// How many machines, where the trace names none
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub machines: u32,
    /// Processors of each of them
    #[arg(long, default_value = "16")]
    pub cpu: String,
    /// Memory of each of them
    #[arg(long, default_value = "112GiB")]
    pub memory: String,
    /// No more jobs than this, the first of the trace
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub jobs: usize,
    /// Press the trace into so much time of the world
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub within: String,
    /// What goes wrong meanwhile: a file, or a name from `orrery sim list` [default: nothing]
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// The seed of that, and of every draw
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
    /// Where the plan is written
    #[arg(long, value_name = "FILE", default_value = "trace.json")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::command) struct SimDiff {
    /// A plan in a file, a trace in a file, or SCENARIO:SEED
    #[arg(value_name = "A")]
    pub one: String,
    /// Another
    #[arg(value_name = "B")]
    pub other: String,
}

/// More seeds than this are several commands.
const SEEDS_MAX: u64 = 10_000_000;
