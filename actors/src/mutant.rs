//! Planted bugs, one at a time, that score the simulator. No normal build contains them.

/// Whether this bug is planted. Always false, and compiled away, without the feature `mutant`.
#[cfg(not(feature = "mutant"))]
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

/// Whether this bug is planted.
#[cfg(feature = "mutant")]
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutant::planted($crate::mutant::Mutant::$name)
    };
}

#[cfg(feature = "mutant")]
pub use switch::{Mutant, plant, planted};

#[cfg(feature = "mutant")]
mod switch {
    use std::sync::atomic::{AtomicU16, Ordering};

    macro_rules! mutants {
        ($($(#[$doc:meta])* $name:ident,)*) => {
            /// A bug that can be planted.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            #[repr(u16)]
            pub enum Mutant {
                $($(#[$doc])* $name,)*
            }

            impl Mutant {
                /// Every planted bug.
                pub const ALL: &[Self] = &[$(Self::$name),*];
            }
        };
    }

    mutants! {
        /// The shard releases what an entry says before the entry is durable.
        ReleaseBeforeDurable,
        /// A cell takes a second delivery for a new message.
        ForgetInbox,
        /// The agent counts its lease from when it got the answer.
        LeaseFromReceipt,
        /// The detector answers beats of a session that it has declared silent.
        SilencedSessionAnswered,
        /// The agent heeds desired state that is older than what it has.
        StaleDesiredHeeded,
        /// The node gives up without waiting for the lease to run out.
        NoLeaseWait,
        /// The node accepts claims beyond its capacity.
        ClaimOverCapacity,
        /// The node accepts a claim of an instance that it has released.
        TombstoneForgotten,
        /// The node releases a claim when it is asked to stop it, not when it has ended.
        ReleasedBeforeEnded,
        /// The agent is told to run what only holds room.
        StartWithoutGoalRun,
        /// A hello makes the node forget its claims.
        HelloForgetsClaims,
        /// A policy is taken in without being validated.
        PolicyNotValidated,
        /// A policy that cannot be evaluated is skipped, as if it said nothing.
        ForbidErrorSkipped,
        /// The scheduler counts room that it gave away only once the node shows it.
        ReservationIgnored,
        /// The scheduler puts an instance far from what it must be near.
        NearIgnored,
        /// The scheduler takes an instance that has a place for a new one.
        PlacedTwice,
        /// A quota lets one instance too many in.
        QuotaOffByOne,
        /// A manifest is passed on before it is known whether all of it fits.
        HalfApplied,
        /// A job lets a slot come back before its last instance was released.
        RestartWithoutRelease,
        /// A job stops healthy instances without regard to how many are left.
        ForgetMinHealthy,
        /// A job takes an observation that was overtaken for news.
        TakeStaleObserved,
        /// A job believes any node that an instance is gone.
        ReleasedByAnyNode,
        /// A job stops an instance before the routes know that it goes.
        StopBeforeWithdrawn,
        /// A rollout gives a revision traffic before it has the health for it.
        WeightBeforeHealthy,
        /// A rollout goes on with failures that should make it revert.
        ForgetFailures,
        /// A rollout gives up old instances before the new ones have passed a gate.
        BaselineTooEarly,
        /// A route takes in a table that was overtaken.
        TakeStaleEndpoints,
        /// The journal says that a batch is durable without having synced it.
        SyncForgotten,
        /// The journal goes on after a sync that failed.
        SyncFailureIgnored,
        /// A torn tail stays in the last segment, and what comes next is written behind it.
        TornTailKept,
        /// Damage in the synced part of the last segment is cut off as a torn tail is.
        DamageCutOff,
        /// What is found in the last segment is believed without being written anew.
        LastBatchBelieved,
        /// Each segment is checked as if no frames of a shard came before it.
        MarksOfLastSegmentOnly,
        /// A new segment's name is not made durable.
        RollWithoutDirectorySync,
        /// A snapshot gets its name before its bytes are durable.
        SnapshotNotSynced,
        /// With the log before the oldest snapshot that is kept, that snapshot itself goes.
        BaseLetGo,
        /// A snapshot is labelled with the position after the one it was made at.
        SnapshotLabelledLate,
        /// A write that found no room passes for done.
        FullDiskIgnored,
        /// Reading begins with the segment after the one that holds the position asked for.
        ReadStartsLate,
        /// A cell knows only the very last message of a sender, not those before it.
        OvertakenTaken,
        /// A cell does not remember messages from outside.
        OutsideForgotten,
        /// A snapshot leaves out what a cell has heard.
        SnapshotForgetsInbox,
        /// An entry carries on the chain of causes of the entry before it.
        CorrelationLost,
        /// An entry is made on the system's authority, whoever asked.
        PrincipalDropped,
        /// A deadline's turn names the entry before it as its own.
        WakeNamesLastEntry,
        /// An answer without an entry leaves before what it rests on is durable.
        AnswerNotHeldBack,
        /// Where a batch is parted, all that it says leaves with the first part.
        SplitReleasesEarly,
        /// A cell put to sleep loses its deadline.
        PassivatedNeverWakes,
        /// A snapshot leaves out the cells that sleep.
        SleepersLeftOut,
        /// A cell taken from a snapshot has no deadline until it hears something.
        RestoredNeverWakes,
        /// What is owed is asked for again once and no more.
        RetryOnlyOnce,
        /// A welcome that answers a hello of the boot before is heeded.
        WelcomeOfOtherBoot,
        /// A report that was not heard is not said again.
        ReportOnce,
        /// An answer to an older report passes for the answer to the present one.
        AnyReportHeard,
        /// What has ended is forgotten at once, and started again as long as it is desired.
        EndedStartsAgain,
        /// Something is started while something runs that nobody wants any more.
        StartsBeforeCleared,
        /// An agent that starts does not look at what runs on its machine.
        AdoptsNothing,
        /// A hello leaves out what is seen on the machine.
        HelloSaysNothing,
        /// A health check that passes before the start was heard of is lost.
        EarlyVerdictDropped,
        /// What is told to stop is killed at once.
        StopWithoutGrace,
        /// What is exclusive is started without a lease.
        ExclusiveStartsUnleased,
        /// What is not desired any more goes on running.
        UnwantedLeftRunning,
        /// A hello that was not answered is not said again.
        HelloOnce,
        /// The node waits for the lease to run out, without a margin for clocks that drift.
        NoMargin,
        /// The node takes claims while it is cordoned or drained.
        CordonIgnored,
        /// The node takes claims while it is suspect.
        SuspectTakesClaims,
        /// The node takes a claim that it holds for a new one.
        ClaimTwice,
        /// A node that was given up comes back in the same epoch.
        EpochKept,
        /// A job does not ask whether what has no other place may stay where it is.
        NeverStays,
        /// Another boot is let in while the one that is known may still run.
        OtherBootLetIn,
        /// A hello that was overtaken by a later one is welcomed.
        OvertakenHelloHeeded,
        /// A report that was overtaken is taken in.
        OvertakenReportHeeded,
        /// The silence of an older session makes the node suspect.
        SilenceOfOldSession,
        /// Desired state that the agent did not take in is not said again.
        DesiredNotRepeated,
        /// The agent heeds a change of desired state that it does not have.
        AnyChangeHeeded,
        /// What changed does not name what should stop.
        StopNotAmongChanges,
        /// The scheduler is told only once what the node is and holds.
        ViewNotRepeated,
        /// A job is told only once what is seen of its instance.
        ObservedNotRepeated,
        /// A job is told only once that its instance is gone.
        ReleaseNotRepeated,
        /// A drain is over when everything was told to stop.
        DrainEndsEarly,
        /// A node that takes work again goes on draining.
        UncordonKeepsDrain,
        /// A node that is given up keeps its claims.
        LostKeepsClaims,
        /// Jobs are not told that nothing can be seen of their instances.
        SuspectNotTold,
        /// The scheduler ignores the tags that a node must have.
        TagsIgnored,
        /// The scheduler ignores what a job must be apart from.
        ApartIgnored,
        /// The scheduler ignores jobs that must be apart from the one it places.
        RepelledIgnored,
        /// The scheduler ignores how evenly a job must be spread.
        SpreadIgnored,
        /// A node gets one instance of a job more than it may have.
        PerNodeOffByOne,
        /// The scheduler gives out places on nodes that take no work.
        StandingIgnored,
        /// The scheduler does not ask the policy.
        PlacePolicyIgnored,
        /// Nodes that take no work count for how evenly a job is spread.
        FloorsOverAll,
        /// The scheduler forgets that memory runs out.
        MemoryIgnored,
        /// Of those that wait, the last to come gets the first place.
        NewestFirst,
        /// The scheduler takes in a node's view that was overtaken.
        OldViewTaken,
        /// A job is not told that no node can take its instance.
        UnplacedSilently,
        /// The scheduler takes the room for free that nodes say is claimed.
        ClaimsIgnored,
        /// The scheduler forgets where an instance is once its node shows the claim.
        HoldersForgotten,
        /// Whether a manifest fits is asked for each job as if the others were not there.
        CheckJobByJob,
        /// The scheduler takes the second best node.
        SecondBestChosen,
        /// A policy that is only audited is enforced.
        AuditEnforced,
        /// A policy is taken in that locks out whoever sets it.
        LockOutAllowed,
        /// Of several verdicts on one command the last counts.
        LastVerdictCounts,
        /// The scheduler goes on with the rules before after new ones were set.
        OldRulesPlace,
        /// An answer is not remembered for a client that asks again.
        AnswerForgotten,
        /// Commands that declare something do not wait for each other.
        LaneForgotten,
        /// A command is passed on once, and not again.
        PassedOnOnce,
        /// A command is answered when the first actor has taken it in.
        FirstAnswerCounts,
        /// The scheduler is told of a new policy once, and not again.
        RulesSentOnce,
        /// A quota refuses a command that makes use smaller.
        SmallerRefused,
        /// A quota counts a job that changes as it was and as it will be.
        QuotaCountsTwice,
        /// A slot comes back at once, however often it failed.
        NoBackoff,
        /// The wait of a slot doubles without a bound.
        BackoffUncapped,
        /// Each failure of a slot passes for its first.
        FailuresForgotten,
        /// An instance that ended unasked is replaced as if it had been stopped.
        EndNotCounted,
        /// A job leaves its instances on a node that is drained.
        MoveAwayIgnored,
        /// A job does not answer for a claim that it does not know.
        StrangerKept,
        /// A changed workload comes in under the number of the one before.
        RevisionReused,
        /// A command that is passed on again is carried out again.
        TicketForgotten,
        /// Of too many instances the healthy ones go first.
        HealthyGoFirst,
        /// An exclusive job gets a new slot while an old one is still there.
        ExclusiveSurges,
        /// All instances are restarted at once.
        RestartsAllAtOnce,
        /// A route is told once of endpoints that it did not take in.
        EndpointsNotRepeated,
        /// A node is told once to stop an instance.
        StopNotRepeated,
        /// The scheduler is asked once for a place.
        PlaceNotRepeated,
        /// A rollout is told once how things are.
        ProgressNotRepeated,
        /// An instance of which nothing can be seen passes for healthy.
        UnseenStaysHealthy,
        /// A job that is scaled keeps the count it had.
        ScaleNotCounted,
        /// A revision that has won keeps the share of traffic it had.
        WeightsKeptAtSettle,
        /// A rollout leaves out every second step.
        StepSkipped,
        /// A rollout goes on as soon as a step is healthy.
        HoldIgnored,
        /// A rollout waits for health without a deadline.
        NeverLate,
        /// A rollout goes back after a quarter of its deadline.
        ImpatientDeadline,
        /// A rollout counts the failures of the old revision as well.
        OldFailuresCount,
        /// A rollout that is held goes on.
        HeldGoesOn,
        /// A rollout goes on though the new revision lost its health.
        HealthLostIgnored,
        /// A rollout that is promoted settles without health.
        PromoteSkipsHealth,
        /// A rollout that lost its purpose goes on.
        SupersedeIgnored,
        /// A rollout takes in progress that was overtaken.
        OldProgressTaken,
        /// A rollout gives up old instances below the minimum.
        MinHealthyIgnored,
        /// The old revision keeps all of the traffic while the new one gets its share.
        WeightsDoNotSum,
        /// A job is told once what to have.
        TargetsNotRepeated,
        /// A step counts as passed when it begins.
        PassedCountsAhead,
        /// A route forgets how traffic is shared.
        WeightsDropped,
        /// A route takes every instance that runs for healthy.
        SickServes,
        /// A route does not notice that there is somebody again to serve.
        DarkForever,
        /// A route does not notice that nobody is left to serve.
        DarkNotTold,
        /// A route takes in what a job says that it led to before.
        OldJobHeeded,
        /// A route asks its job once for endpoints.
        SubscribedOnce,
        /// A sync that failed is tried once more, and believed when it succeeds.
        SyncTriedAgain,
        /// A welcome gives a lease, as the answer to a beat does, from when it comes.
        WelcomeLeases,
        /// A rollout that is resumed goes on from where it was held, with the time it had waited before.
        ResumedAsItWas,
        /// Desired state that was taken in in an older epoch passes for taken in.
        ReconciledOfOldEpoch,
        /// The scheduler keeps room for a claim that nobody ever saw.
        ReservationHeldForever,
        /// A welcome does not say which desired state is out of date.
        WelcomeForgetsVersion,
        /// A job is asked once to move an instance away.
        MovingNotRepeated,
        /// What is to stop holds no room any more.
        StoppingHoldsNoRoom,
        /// Whether a manifest fits is asked for all of its instances, also those that run already.
        CheckCountsAll,
        /// An entry does not say what was acknowledged before it.
        NotedLeftOut,
        /// A node gives a GPU to an instance though another has it.
        GpuGivenTwice,
        /// The scheduler counts what is left of a node's GPUs together, and not one by one.
        GpusSummed,
        /// The scheduler takes GPUs of any model.
        GpuModelIgnored,
        /// The scheduler forgets that what a site adds runs out.
        AddedIgnored,
        /// The scheduler ignores the taints of a node.
        TaintsIgnored,
        /// The scheduler places the instances of a gang one by one.
        GangPlacedOneByOne,
        /// A job starts each of a gang as it gets its place.
        GangStartsOneByOne,
        /// A job keeps the places that it has for a gang, though one of it finds none.
        GangKeepsPlaces,
    }

    /// One more than the number of the planted bug; zero for none. Of the whole process: a test plants one.
    static PLANTED: AtomicU16 = AtomicU16::new(0);

    /// Plants a bug in this process, or none.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.store(mutant.map_or(0, |mutant| mutant as u16 + 1), Ordering::SeqCst);
    }

    /// Whether this bug is planted.
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as u16 + 1
    }
}
