//! What the oracle looks at, when, and how often it did in a run.

use super::Report;
use crate::verdict::Invariant;
use crate::world::tape::{Record, What};
use messages::entry::Entry;
use messages::envelope::{Address, MessageId};

/// When the oracle looks at something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Something happens.
    Event,
    /// An entry is durable.
    Entry,
    /// An entry of a job is durable.
    Job,
    /// Of a node.
    Node,
    /// Of a scheduler.
    Scheduler,
    /// Of a route.
    Route,
    /// Of a rollout.
    Rollout,
    /// Of a policy.
    Policy,
    /// A workload is started.
    Start,
    /// An actor's message leaves.
    Said,
    /// An agent is told something.
    Order,
    /// A client is answered.
    Answer,
    /// The control plane opens its journal.
    Open,
    /// The world must be as desired, and at the end.
    Settled,
    /// The end.
    End,
    /// The end, where the plan has every turn taken again.
    Retaken,
    /// The end, where nothing goes wrong.
    Faultless,
    /// The bus damages a message.
    Flipped,
}

/// How often each occasion came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    entries: [u64; 6],
    starts: u64,
    said: u64,
    orders: u64,
    answers: u64,
    opens: u64,
}

impl Counts {
    pub(super) fn see(&mut self, record: &Record) {
        match &record.what {
            What::Committed(entry) => {
                let kind = match &**entry {
                    Entry::Job(_) => 0,
                    Entry::Node(_) => 1,
                    Entry::Scheduler(_) => 2,
                    Entry::Route(_) => 3,
                    Entry::Rollout(_) => 4,
                    Entry::Policy(_) => 5,
                };
                self.entries[kind] += 1;
            }
            What::Started { .. } => self.starts += 1,
            What::Sent { id: MessageId::Said { .. }, .. } => self.said += 1,
            What::Arrived { to: Address::Agent(_), .. } => self.orders += 1,
            What::Answered { .. } => self.answers += 1,
            What::Control(what) if what == "starts" => self.opens += 1,
            _ => {}
        }
    }
}

impl Occasion {
    /// How often it came, and what it is called.
    fn of(self, report: &Report) -> (u64, &'static str) {
        let (Report { plan, verdict, .. }, counts) = (report, &report.drawn.counts);
        let settled = 1 + u64::from(plan.settled_at < plan.end_at);
        match self {
            Self::Event => (verdict.events, "events"),
            Self::Entry => (counts.entries.iter().sum(), "entries"),
            Self::Job => (counts.entries[0], "entries of jobs"),
            Self::Node => (counts.entries[1], "entries of nodes"),
            Self::Scheduler => (counts.entries[2], "entries of schedulers"),
            Self::Route => (counts.entries[3], "entries of routes"),
            Self::Rollout => (counts.entries[4], "entries of rollouts"),
            Self::Policy => (counts.entries[5], "entries of policies"),
            Self::Start => (counts.starts, "starts"),
            Self::Said => (counts.said, "messages of actors"),
            Self::Order => (counts.orders, "orders to agents"),
            Self::Answer => (counts.answers, "answers"),
            Self::Open => (counts.opens, "openings of the journal"),
            Self::Settled => (settled, "looks at the whole world"),
            Self::End => (1, "look at the end"),
            Self::Retaken => (u64::from(plan.retake) * counts.entries.iter().sum::<u64>(), "turns taken again"),
            Self::Faultless => (u64::from(plan.faults.is_empty()) * settled, "looks at a world without faults"),
            Self::Flipped => (verdict.marks.get("bit-flip bites").copied().unwrap_or(0), "damaged messages"),
        }
    }
}

macro_rules! checks {
    ($($invariant:ident $said:literal [$($occasion:ident),*];)*) => {
        /// Every invariant.
        pub(super) const ALL: &[Invariant] = &[$(Invariant::$invariant),*];

        /// What an invariant says, and when it is looked at.
        const fn described(invariant: Invariant) -> (&'static str, &'static [Occasion]) {
            match invariant {
                $(Invariant::$invariant => ($said, &[$(Occasion::$occasion),*]),)*
            }
        }
    };
}

checks! {
    ExclusiveSlot "an exclusive slot runs at most once at any moment" [Start, Job];
    InstanceOnce "an instance is started at most once, on one machine" [Start, Job, Scheduler];
    Capacity "what runs on a machine fits into it" [Start, Node, Scheduler];
    AcknowledgedKept "what was acknowledged is in the log after a crash" [Open];
    DurableFirst "nothing is said before it is durable" [Said];
    FoldIsState "the fold of the log is the live state" [Entry, End];
    EpochGrows "epochs of shards and nodes only grow" [Entry];
    RolloutMinimum "a rollout leaves as many healthy instances as it must" [Rollout, Job];
    RolloutWeight "a new revision gets no more traffic than its step allows" [Rollout, Route, Job];
    Converges "after healing, what runs is what is desired" [Settled];
    Quiet "after healing, there is an end to what is recorded" [End];
    Stuck "no actor leaves a passed deadline where it was" [Event];
    Panics "nothing panics" [Event];
    Recovers "the journal opens after every crash" [Open, End];
    Answered "a client's command is answered in the end" [End];
    Retaken "a turn taken again gives the same entry" [Retaken];
    Repeats "a plan run again gives the same verdict" [];
    Once "a message is taken in at most once, and versions only grow" [Entry];
    Claims "a node is asked to run only what was claimed and allowed there" [Node, Scheduler, Start];
    Withdrawn "an instance is stopped only when no route leads to it" [Job];
    Refused "what breaks a rule is refused" [Answer];
    Lease "a machine's lease ends before it may be given up" [Node, Order, Start];
    Near "what must be near something else is" [Faultless];
    Intact "a damaged message is found out" [Flipped];
    Caused "an entry follows from its cause" [Entry];
    Fenced "nothing of an older epoch, session or boot is taken in" [Node, Order];
    Placement "instances are where they may be, and wait only where no node can take them" [Scheduler];
    Explained "every decision gives its reasons" [Scheduler];
    Quota "a realm stays within its quota" [Policy];
    Done "a command is answered when it is done, and refused only for a reason" [Policy];
    RolloutSteps "a rollout takes its steps as its rules say" [Rollout, Job, End];
    Restarts "what ends comes back in its time, and the healthy go last" [Job];
    Routes "routes lead where their job is, and share out all traffic" [Route, End];
    Linearizable "what clients asked and were told fits into one order" [End];
    Tenants "what is of one realm is told to nobody of another" [Node];
    Grace "what is told to stop gets its grace" [Order];
    Known "what operators and policies want is known where it matters" [End];
}

/// An invariant in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Which.
    pub invariant: Invariant,
    /// What it says.
    pub said: &'static str,
    /// How often it was looked at, and at what.
    pub looked: Vec<(u64, &'static str)>,
    /// How often it was violated.
    pub violated: usize,
}

impl Check {
    /// Every invariant in a run; the violated first. `twice` says that the plan was run again, to compare.
    pub(super) fn all(report: &Report, twice: bool) -> Vec<Self> {
        let check = |invariant: &Invariant| {
            let (said, occasions) = described(*invariant);
            let mut looked: Vec<_> = occasions.iter().map(|occasion| occasion.of(report)).collect();
            if *invariant == Invariant::Repeats && twice {
                looked.push((1, "run again, to compare"));
            }
            looked.retain(|(count, _)| *count > 0);
            let violated = report.verdict.violations.iter().filter(|one| one.invariant == *invariant).count();
            Self { invariant: *invariant, said, looked, violated }
        };
        let mut all: Vec<Self> = ALL.iter().map(check).collect();
        all.sort_by_key(|check| std::cmp::Reverse(check.violated));
        all
    }
}
