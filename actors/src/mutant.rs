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
        /// The node lets an instance run again that a machine came back without.
        VanishedRunsAgain,
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
