//! Every planted bug is found by the simulator, within a thousand seeds of the scenario that is named for it.
//!
//! Each prints the scenario, the first seed, the invariant and the signature. A seed counts only if it passes without the
//! bug. With `ORRERY_MUTANTS_FULL=1` the test `mutants_in_full` tells how many seeds each takes from several beginnings.
#![cfg(feature = "mutant")]

use actors::mutant::{Mutant, plant};
use simulator::scenario::{self, Scenario};
use std::sync::{Mutex, PoisonError};

/// So many seeds at the most.
const SEEDS_MAX: u64 = 1_000;

/// Where the seeds begin in full.
const BEGINNINGS: [u64; 5] = [0, 10_000, 20_000, 30_000, 40_000];

/// A bug is planted in the whole process, so one test runs at a time where they share a process.
static PLANTED: Mutex<()> = Mutex::new(());

/// A seed that finds a bug: how manieth it was, and what was violated.
struct Catch {
    tries: u64,
    seed: u64,
    found: String,
}

fn scenario_of(name: &str) -> Scenario {
    let text = scenario::own(name).expect("the scenario comes with Orrery");
    scenario::read(text, name).expect("the scenario makes sense")
}

/// Runs a scenario seed by seed until one finds the bug that passes without it.
fn first_catch(mutant: Mutant, scenario: &Scenario, from: u64) -> Option<Catch> {
    let _turn = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    (from..from + SEEDS_MAX).find_map(|seed| {
        let plan = simulator::plan(scenario, seed);
        plant(Some(mutant));
        let verdict = simulator::run(&plan);
        plant(None);
        let violation = verdict.violations.first()?;
        let found = format!("{:?}: {}", violation.invariant, violation.signature);
        simulator::run(&plan).passed().then_some(Catch { tries: seed - from + 1, seed, found })
    })
}

fn catches(mutant: Mutant, name: &str) {
    match first_catch(mutant, &scenario_of(name), 0) {
        Some(Catch { seed, found, .. }) => println!("{mutant:?}: {name} seed {seed}: {found}"),
        None => panic!("{mutant:?} is caught by none of {SEEDS_MAX} seeds of {name}"),
    }
}

macro_rules! mutants {
    ($($test:ident: $mutant:ident in $scenario:literal,)*) => {
        const TRIED: &[(Mutant, &str)] = &[$((Mutant::$mutant, $scenario)),*];

        $(#[test]
        fn $test() {
            catches(Mutant::$mutant, $scenario);
        })*
    };
}

mutants! {
    mutant_release_before_durable: ReleaseBeforeDurable in "steady",
    mutant_forget_inbox: ForgetInbox in "operators",
    mutant_lease_from_receipt: LeaseFromReceipt in "exclusive",
    mutant_silenced_session_answered: SilencedSessionAnswered in "lossy-bus",
    mutant_stale_desired_heeded: StaleDesiredHeeded in "operators",
    mutant_no_lease_wait: NoLeaseWait in "crashing-nodes",
    mutant_claim_over_capacity: ClaimOverCapacity in "everything",
    mutant_tombstone_forgotten: TombstoneForgotten in "everything",
    mutant_released_before_ended: ReleasedBeforeEnded in "exclusive",
    mutant_start_without_goal_run: StartWithoutGoalRun in "operators",
    mutant_hello_forgets_claims: HelloForgetsClaims in "crashing-nodes",
    mutant_policy_not_validated: PolicyNotValidated in "tight",
    mutant_forbid_error_skipped: ForbidErrorSkipped in "tight",
    mutant_reservation_ignored: ReservationIgnored in "placement",
    mutant_near_ignored: NearIgnored in "tight",
    mutant_placed_twice: PlacedTwice in "rollouts",
    mutant_quota_off_by_one: QuotaOffByOne in "tight",
    mutant_half_applied: HalfApplied in "tight",
    mutant_restart_without_release: RestartWithoutRelease in "everything",
    mutant_forget_min_healthy: ForgetMinHealthy in "rollouts",
    mutant_take_stale_observed: TakeStaleObserved in "operators",
    mutant_released_by_any_node: ReleasedByAnyNode in "everything",
    mutant_stop_before_withdrawn: StopBeforeWithdrawn in "steady",
    mutant_weight_before_healthy: WeightBeforeHealthy in "steady",
    mutant_forget_failures: ForgetFailures in "everything",
    mutant_baseline_too_early: BaselineTooEarly in "steady",
    mutant_take_stale_endpoints: TakeStaleEndpoints in "exclusive",
    mutant_sync_forgotten: SyncForgotten in "control-plane-crashes",
    mutant_sync_failure_ignored: SyncFailureIgnored in "everything",
    mutant_torn_tail_kept: TornTailKept in "control-plane-crashes",
    mutant_damage_cut_off: DamageCutOff in "disks",
    mutant_last_batch_believed: LastBatchBelieved in "disks",
    mutant_marks_of_last_segment_only: MarksOfLastSegmentOnly in "steady",
    mutant_roll_without_directory_sync: RollWithoutDirectorySync in "control-plane-crashes",
    mutant_snapshot_not_synced: SnapshotNotSynced in "rollouts",
    mutant_base_let_go: BaseLetGo in "operators",
    mutant_snapshot_labelled_late: SnapshotLabelledLate in "operators",
    mutant_full_disk_ignored: FullDiskIgnored in "disks",
    mutant_read_starts_late: ReadStartsLate in "steady",
    mutant_overtaken_taken: OvertakenTaken in "operators",
    mutant_outside_forgotten: OutsideForgotten in "hostile",
    mutant_snapshot_forgets_inbox: SnapshotForgetsInbox in "steady",
    mutant_correlation_lost: CorrelationLost in "steady",
    mutant_principal_dropped: PrincipalDropped in "steady",
    mutant_wake_names_last_entry: WakeNamesLastEntry in "steady",
    mutant_answer_not_held_back: AnswerNotHeldBack in "operators",
    mutant_split_releases_early: SplitReleasesEarly in "hostile",
    mutant_passivated_never_wakes: PassivatedNeverWakes in "everything",
    mutant_sleepers_left_out: SleepersLeftOut in "steady",
    mutant_restored_never_wakes: RestoredNeverWakes in "disks",
    mutant_retry_only_once: RetryOnlyOnce in "lossy-bus",
    mutant_welcome_of_other_boot: WelcomeOfOtherBoot in "gray",
    mutant_report_once: ReportOnce in "rollouts",
    mutant_any_report_heard: AnyReportHeard in "hostile",
    mutant_ended_starts_again: EndedStartsAgain in "steady",
    mutant_starts_before_cleared: StartsBeforeCleared in "everything",
    mutant_adopts_nothing: AdoptsNothing in "crashing-nodes",
    mutant_hello_says_nothing: HelloSaysNothing in "gray",
    mutant_early_verdict_dropped: EarlyVerdictDropped in "steady",
    mutant_stop_without_grace: StopWithoutGrace in "steady",
    mutant_exclusive_starts_unleased: ExclusiveStartsUnleased in "exclusive",
    mutant_unwanted_left_running: UnwantedLeftRunning in "partitions",
    mutant_hello_once: HelloOnce in "control-plane-crashes",
    mutant_no_margin: NoMargin in "crashing-nodes",
    mutant_cordon_ignored: CordonIgnored in "gray",
    mutant_suspect_takes_claims: SuspectTakesClaims in "tight",
    mutant_claim_twice: ClaimTwice in "everything",
    mutant_epoch_kept: EpochKept in "partitions",
    mutant_reconciled_of_old_epoch: ReconciledOfOldEpoch in "gray",
    mutant_reservation_held_forever: ReservationHeldForever in "placement",
    mutant_moving_not_repeated: MovingNotRepeated in "hostile",
    mutant_stopping_holds_no_room: StoppingHoldsNoRoom in "everything",
    mutant_check_counts_all: CheckCountsAll in "tight",
    mutant_welcome_forgets_version: WelcomeForgetsVersion in "hostile",
    mutant_never_stays: NeverStays in "placement",
    mutant_sync_tried_again: SyncTriedAgain in "disks",
    mutant_welcome_leases: WelcomeLeases in "exclusive",
    mutant_resumed_as_it_was: ResumedAsItWas in "operators",
    mutant_other_boot_let_in: OtherBootLetIn in "gray",
    mutant_overtaken_hello_heeded: OvertakenHelloHeeded in "hostile",
    mutant_overtaken_report_heeded: OvertakenReportHeeded in "everything",
    mutant_silence_of_old_session: SilenceOfOldSession in "exclusive",
    mutant_desired_not_repeated: DesiredNotRepeated in "hostile",
    mutant_any_change_heeded: AnyChangeHeeded in "hostile",
    mutant_stop_not_among_changes: StopNotAmongChanges in "operators",
    mutant_view_not_repeated: ViewNotRepeated in "lossy-bus",
    mutant_observed_not_repeated: ObservedNotRepeated in "lossy-bus",
    mutant_release_not_repeated: ReleaseNotRepeated in "everything",
    mutant_drain_ends_early: DrainEndsEarly in "operators",
    mutant_uncordon_keeps_drain: UncordonKeepsDrain in "operators",
    mutant_lost_keeps_claims: LostKeepsClaims in "crashing-nodes",
    mutant_suspect_not_told: SuspectNotTold in "crashing-nodes",
    mutant_tags_ignored: TagsIgnored in "placement",
    mutant_apart_ignored: ApartIgnored in "placement",
    mutant_repelled_ignored: RepelledIgnored in "placement",
    mutant_spread_ignored: SpreadIgnored in "placement",
    mutant_per_node_off_by_one: PerNodeOffByOne in "placement",
    mutant_gpu_given_twice: GpuGivenTwice in "devices",
    mutant_gpus_summed: GpusSummed in "devices",
    mutant_gpu_model_ignored: GpuModelIgnored in "devices",
    mutant_added_ignored: AddedIgnored in "devices",
    mutant_taints_ignored: TaintsIgnored in "classes",
    mutant_gang_placed_one_by_one: GangPlacedOneByOne in "classes",
    mutant_gang_starts_one_by_one: GangStartsOneByOne in "classes",
    mutant_gang_keeps_places: GangKeepsPlaces in "classes",
    mutant_standing_ignored: StandingIgnored in "crashing-nodes",
    mutant_place_policy_ignored: PlacePolicyIgnored in "placement",
    mutant_floors_over_all: FloorsOverAll in "placement",
    mutant_memory_ignored: MemoryIgnored in "placement",
    mutant_newest_first: NewestFirst in "crashing-nodes",
    mutant_old_view_taken: OldViewTaken in "rollouts",
    mutant_unplaced_silently: UnplacedSilently in "crashing-nodes",
    mutant_claims_ignored: ClaimsIgnored in "gray",
    mutant_holders_forgotten: HoldersForgotten in "everything",
    mutant_check_job_by_job: CheckJobByJob in "placement",
    mutant_second_best_chosen: SecondBestChosen in "steady",
    mutant_audit_enforced: AuditEnforced in "placement",
    mutant_lock_out_allowed: LockOutAllowed in "placement",
    mutant_last_verdict_counts: LastVerdictCounts in "placement",
    mutant_old_rules_place: OldRulesPlace in "placement",
    mutant_answer_forgotten: AnswerForgotten in "rollouts",
    mutant_lane_forgotten: LaneForgotten in "control-plane-crashes",
    mutant_passed_on_once: PassedOnOnce in "lossy-bus",
    mutant_first_answer_counts: FirstAnswerCounts in "steady",
    mutant_rules_sent_once: RulesSentOnce in "tight",
    mutant_smaller_refused: SmallerRefused in "placement",
    mutant_quota_counts_twice: QuotaCountsTwice in "placement",
    mutant_no_backoff: NoBackoff in "crashing-nodes",
    mutant_backoff_uncapped: BackoffUncapped in "crash-loops",
    mutant_failures_forgotten: FailuresForgotten in "control-plane-crashes",
    mutant_end_not_counted: EndNotCounted in "crashing-nodes",
    mutant_move_away_ignored: MoveAwayIgnored in "operators",
    mutant_stranger_kept: StrangerKept in "operators",
    mutant_revision_reused: RevisionReused in "steady",
    mutant_ticket_forgotten: TicketForgotten in "lossy-bus",
    mutant_healthy_go_first: HealthyGoFirst in "rollouts",
    mutant_exclusive_surges: ExclusiveSurges in "exclusive",
    mutant_restarts_all_at_once: RestartsAllAtOnce in "operators",
    mutant_endpoints_not_repeated: EndpointsNotRepeated in "lossy-bus",
    mutant_stop_not_repeated: StopNotRepeated in "lossy-bus",
    mutant_place_not_repeated: PlaceNotRepeated in "lossy-bus",
    mutant_progress_not_repeated: ProgressNotRepeated in "hostile",
    mutant_unseen_stays_healthy: UnseenStaysHealthy in "crashing-nodes",
    mutant_scale_not_counted: ScaleNotCounted in "control-plane-crashes",
    mutant_weights_kept_at_settle: WeightsKeptAtSettle in "disks",
    mutant_step_skipped: StepSkipped in "rollouts",
    mutant_hold_ignored: HoldIgnored in "steady",
    mutant_never_late: NeverLate in "hostile",
    mutant_impatient_deadline: ImpatientDeadline in "hostile",
    mutant_old_failures_count: OldFailuresCount in "rollouts",
    mutant_held_goes_on: HeldGoesOn in "operators",
    mutant_health_lost_ignored: HealthLostIgnored in "operators",
    mutant_promote_skips_health: PromoteSkipsHealth in "operators",
    mutant_supersede_ignored: SupersedeIgnored in "disks",
    mutant_old_progress_taken: OldProgressTaken in "hostile",
    mutant_min_healthy_ignored: MinHealthyIgnored in "steady",
    mutant_weights_do_not_sum: WeightsDoNotSum in "steady",
    mutant_targets_not_repeated: TargetsNotRepeated in "operators",
    mutant_passed_counts_ahead: PassedCountsAhead in "steady",
    mutant_weights_dropped: WeightsDropped in "steady",
    mutant_sick_serves: SickServes in "steady",
    mutant_dark_forever: DarkForever in "steady",
    mutant_dark_not_told: DarkNotTold in "steady",
    mutant_old_job_heeded: OldJobHeeded in "hostile",
    mutant_subscribed_once: SubscribedOnce in "hostile",
    mutant_noted_left_out: NotedLeftOut in "steady",
}

#[test]
fn mutant_table_has_every_planted_bug() {
    let tried = |mutant: &Mutant| TRIED.iter().any(|(tried, _)| tried == mutant);
    let missing: Vec<_> = Mutant::ALL.iter().filter(|mutant| !tried(mutant)).collect();
    assert!(missing.is_empty(), "no scenario is named for {missing:?}");
    assert!(Mutant::ALL.len() >= 100, "only {} bugs are planted", Mutant::ALL.len());
}

fn middle(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

/// The score: how many seeds each planted bug takes, from several beginnings. Takes minutes, so only when asked for.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test that takes minutes runs only when it is asked for")]
fn mutants_in_full() {
    if std::env::var_os("ORRERY_MUTANTS_FULL").is_none() {
        return;
    }
    let mut medians = Vec::new();
    let mut missed = Vec::new();
    for (mutant, name) in TRIED {
        let scenario = scenario_of(name);
        let catches = BEGINNINGS.map(|from| first_catch(*mutant, &scenario, from));
        let found = catches.iter().flatten().next().map_or("nothing", |catch| &catch.found);
        let tries: Vec<u64> =
            catches.iter().map(|catch| catch.as_ref().map_or(u64::MAX, |catch| catch.tries)).collect();
        println!("{mutant:?} | {name} | {tries:?} | {found}");
        if tries.contains(&u64::MAX) {
            missed.push(mutant);
        }
        medians.push(middle(tries));
    }
    let (worst, all) = (medians.iter().max().copied().unwrap_or_default(), medians.len());
    println!(
        "{all} bugs, the middle one in {} seeds, the worst in {worst}; missed once or more: {missed:?}",
        middle(medians)
    );
    assert!(missed.len() * 20 <= all, "more than one in twenty was missed: {missed:?}");
}
