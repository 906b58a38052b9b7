//! A made-up day under other policies: what nothing is said against stays as it was, and what is forbidden flips, all of it.

use actors::backtest::Backtest;
use actors::ports::Position;
use messages::api;
use messages::api::Becomes;
use messages::frame;
use messages::time::{Span, Timestamp};
use simulator::history::day::{Day, REALM};
use std::sync::LazyLock;

const PERMIT: &str = "permit(principal, action, resource);\n";

const DAY: Day = Day {
    nodes: 12,
    jobs: 6,
    instances: 8,
    length: Span::seconds(3_600),
    scalings: 20,
    deaths: 20,
    crashes: 4,
    seed: 7,
};

static FRAMES: LazyLock<Vec<(Position, Vec<u8>)>> = LazyLock::new(|| DAY.frames());

fn test(text: &str) -> api::Backtest {
    let mut backtest = Backtest::new(REALM, text, Timestamp::default()).expect("the policy is valid");
    for (position, bytes) in FRAMES.iter() {
        let (_, entries) = frame::decode(bytes).expect("the frame is sound");
        entries.iter().try_for_each(|entry| backtest.take(*position, entry)).expect("entries follow each other");
    }
    backtest.finish()
}

#[test]
fn a_policy_that_forbids_nothing_flips_nothing_whatever_it_looks_at() {
    let looks = format!(
        "{PERMIT}forbid(principal is Job, action == Action::\"place\", resource)\n\
                         when {{ resource.name == \"none of these\" || principal.name == resource.name }};"
    );
    for text in [PERMIT, &looks] {
        let tested = test(text);
        assert_eq!((tested.flips, tested.to_forbidden, tested.to_allowed), (Vec::new(), 0, 0));
        assert!(tested.commands >= 20 && tested.placements >= 48, "{} {}", tested.commands, tested.placements);
    }
}

#[test]
fn a_policy_that_forbids_every_placement_flips_all_that_were_placed() {
    let tested = test(&format!("{PERMIT}forbid(principal, action == Action::\"place\", resource);"));
    let placed: u64 = tested.flips.iter().filter(|flips| flips.action == "place").map(|flips| flips.count).sum();
    assert!(placed >= 48, "{placed} of {}", tested.placements);
    assert_eq!(tested.to_allowed, 0);
    let all = tested.flips.iter().flat_map(|flips| &flips.first);
    assert!(all.clone().all(|flip| flip.instead.is_none()), "there is nowhere else");
    assert!(tested.flips.iter().all(|flips| flips.becomes == Becomes::Forbidden));
}

#[test]
fn a_policy_against_one_command_flips_those_commands_alone() {
    let tested = test(&format!("{PERMIT}forbid(principal, action == Action::\"scale\", resource);"));
    assert!(tested.flips.iter().all(|flips| flips.action == "scale"), "{:#?}", tested.flips);
    let counted: u64 = tested.flips.iter().map(|flips| flips.count).sum();
    assert_eq!((counted, tested.to_forbidden), (20, 20));
}
