//! Every planted bug is found by the simulator, within a thousand seeds of a scenario in which it matters.
#![cfg(feature = "mutant")]

use actors::mutant::{Mutant, plant};
use simulator::scenario;
use std::sync::{Mutex, PoisonError};

/// So many seeds at the most.
const SEEDS_MAX: u64 = 1_000;

/// A bug is planted in the whole process, so one test runs at a time where they share a process.
static PLANTED: Mutex<()> = Mutex::new(());

/// Runs the scenarios seed by seed until one of them fails.
fn catches(mutant: Mutant, scenarios: &[&str]) {
    let _turn = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    plant(Some(mutant));
    let scenarios = scenarios.iter().map(|name| {
        let text = scenario::own(name).expect("the scenario comes with Orrery");
        scenario::read(text, name).expect("the scenario makes sense")
    });
    let scenarios: Vec<_> = scenarios.collect();
    for seed in 0..SEEDS_MAX {
        for scenario in &scenarios {
            let verdict = simulator::run(&simulator::plan(scenario, seed));
            if let Some(found) = verdict.violations.first() {
                println!("{mutant:?}: {} seed {seed}: {:?}: {}", scenario.name, found.invariant, found.signature);
                return plant(None);
            }
        }
    }
    panic!("{mutant:?} is caught by none of {SEEDS_MAX} seeds");
}

macro_rules! mutants {
    ($($test:ident: $mutant:ident in $scenarios:expr,)*) => {
        const TRIED: &[Mutant] = &[$(Mutant::$mutant),*];

        $(#[test]
        fn $test() {
            catches(Mutant::$mutant, &$scenarios);
        })*
    };
}

mutants! {
    mutant_release_before_durable: ReleaseBeforeDurable in ["steady"],
    mutant_forget_inbox: ForgetInbox in ["lossy-bus"],
    mutant_lease_from_receipt: LeaseFromReceipt in ["exclusive"],
    mutant_silenced_session_answered: SilencedSessionAnswered in ["lossy-bus"],
    mutant_stale_desired_heeded: StaleDesiredHeeded in ["lossy-bus"],
    mutant_no_lease_wait: NoLeaseWait in ["exclusive"],
    mutant_claim_over_capacity: ClaimOverCapacity in ["tight"],
    mutant_tombstone_forgotten: TombstoneForgotten in ["lossy-bus"],
    mutant_released_before_ended: ReleasedBeforeEnded in ["exclusive"],
    mutant_start_without_goal_run: StartWithoutGoalRun in ["steady"],
    mutant_vanished_runs_again: VanishedRunsAgain in ["crashing-nodes"],
    mutant_hello_forgets_claims: HelloForgetsClaims in ["crashing-nodes"],
    mutant_policy_not_validated: PolicyNotValidated in ["tight"],
    mutant_forbid_error_skipped: ForbidErrorSkipped in ["tight"],
    mutant_reservation_ignored: ReservationIgnored in ["tight"],
    mutant_near_ignored: NearIgnored in ["tight"],
    mutant_placed_twice: PlacedTwice in ["lossy-bus"],
    mutant_quota_off_by_one: QuotaOffByOne in ["tight"],
    mutant_half_applied: HalfApplied in ["tight"],
    mutant_restart_without_release: RestartWithoutRelease in ["crashing-nodes"],
    mutant_forget_min_healthy: ForgetMinHealthy in ["rollouts"],
    mutant_take_stale_observed: TakeStaleObserved in ["lossy-bus"],
    mutant_released_by_any_node: ReleasedByAnyNode in ["exclusive"],
    mutant_stop_before_withdrawn: StopBeforeWithdrawn in ["rollouts"],
    mutant_weight_before_healthy: WeightBeforeHealthy in ["rollouts"],
    mutant_forget_failures: ForgetFailures in ["rollouts"],
    mutant_baseline_too_early: BaselineTooEarly in ["steady"],
    mutant_take_stale_endpoints: TakeStaleEndpoints in ["lossy-bus"],
}

#[test]
fn mutant_table_has_every_planted_bug() {
    let missing: Vec<_> = Mutant::ALL.iter().filter(|mutant| !TRIED.contains(mutant)).collect();
    assert!(missing.is_empty(), "no scenario is named for {missing:?}");
}
