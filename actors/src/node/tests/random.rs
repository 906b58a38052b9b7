//! Whatever is said in whatever order: capacity holds, deadlines move, the fold equals the state.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Hello { reboot: bool, seen: Vec<(u64, u8)> },
    Report { stale: bool, seen: Vec<(u64, u8)> },
    Silent { ago: u64 },
    Claim(u64, u64),
    Start(u64),
    Stop(u64),
    Noted(u64, u64),
    Reconciled(u64),
    ViewNoted(u64),
    Cordon(u8),
    Pass(u64),
}

fn seen() -> impl Strategy<Value = Vec<(u64, u8)>> {
    prop::collection::vec((0..6u64, 0..3u8), 0..4)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), seen()).prop_map(|(reboot, seen)| Step::Hello { reboot, seen }),
        (any::<bool>(), seen()).prop_map(|(stale, seen)| Step::Report { stale, seen }),
        (0..2u64).prop_map(|ago| Step::Silent { ago }),
        (0..6u64, 0..600u64).prop_map(|(number, cpu)| Step::Claim(number, cpu)),
        (0..6u64).prop_map(Step::Start),
        (0..6u64).prop_map(Step::Stop),
        (0..6u64, 0..8u64).prop_map(|(number, version)| Step::Noted(number, version)),
        (0..30u64).prop_map(Step::Reconciled),
        (0..30u64).prop_map(Step::ViewNoted),
        (0..3u8).prop_map(Step::Cordon),
        (0..9_000u64).prop_map(Step::Pass),
    ]
}

fn observations(seen: &[(u64, u8)]) -> Vec<(InstanceId, Observation)> {
    let kinds = [running(), healthy(), exited()];
    seen.iter().map(|(number, kind)| (instance(*number), kinds[usize::from(*kind) % 3].clone())).collect()
}

fn take(story: &mut Story, step: &Step, boot: &mut u128, number: &mut u64) {
    *number += 1;
    match step {
        Step::Hello { reboot, seen } => {
            *boot += u128::from(*reboot);
            story.hello(Uuid::from_u128(*boot), *number, &observations(seen));
        }
        Step::Report { stale, seen } => story.report(if *stale { 1 } else { *number }, &observations(seen)),
        Step::Silent { ago } => {
            let session = story.state().session().saturating_sub(*ago);
            story.tell(Address::Host, Message::Silent { session, heard: story.now });
        }
        Step::Claim(which, cpu) => story.claim(instance(*which), *cpu),
        Step::Start(which) => story.start(instance(*which)),
        Step::Stop(which) => story.stop(instance(*which)),
        Step::Noted(which, version) => {
            story.tell(job().into(), Message::Noted { instance: instance(*which), version: *version });
        }
        Step::Reconciled(version) => {
            let epoch = story.state().epoch();
            story.tell(Address::Agent(me()), Message::Reconciled { epoch, version: *version });
        }
        Step::ViewNoted(version) => {
            story.tell(SchedulerId::of_site(DEFAULT_SITE).into(), Message::ViewNoted { version: *version });
        }
        Step::Cordon(0) => story.command(Message::Cordon { ticket: *number }),
        Step::Cordon(1) => story.command(Message::Uncordon { ticket: *number }),
        Step::Cordon(_) => story.command(Message::Drain { ticket: *number }),
        Step::Pass(milliseconds) => story.pass(*milliseconds),
    }
}

proptest! {
    #[test]
    fn nothing_breaks_a_node(steps in prop::collection::vec(step(), 1..80)) {
        let mut story = Story::blank();
        let (mut boot, mut number) = (1, 0);
        let mut gone = Vec::new();
        for step in &steps {
            let held: Vec<_> = story.state().claims().map(|claim| claim.spec().instance).collect();
            take(&mut story, step, &mut boot, &mut number);
            let state = story.state();
            prop_assert!(state.spec().capacity.fits(&state.used()));
            prop_assert!(!state.claims().any(|claim| gone.contains(&claim.spec().instance)), "a claim came back");
            gone.extend(held.into_iter().filter(|instance| state.claim(*instance).is_none()));
            let copy = Cell::<Node>::restore(story.cell.id(), &story.cell.snapshot()).expect("a snapshot is read back");
            prop_assert_eq!(copy.state(), state);
        }
    }
}
