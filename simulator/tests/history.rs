//! A made-up day is taken again, run on without a change and with one, and struck.

use messages::manifest::Level;
use messages::time::{Span, Timestamp};
use simulator::history::blast::Blast;
use simulator::history::change::{self, Change};
use simulator::history::day::{BEGINS, Day};
use simulator::history::heat::heat_map;
use simulator::history::moment::{Moment, Reader, When};
use simulator::history::report::{Ended, Report};
use simulator::history::verify::{Piece, verify};
use simulator::history::whatif::{compare, prepare};
use simulator::text::TextFault;
use std::sync::LazyLock;

/// Twelve machines, of which one is enough for all of a job; an hour with troubles of all kinds.
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

type Frames = Vec<(actors::ports::Position, Vec<u8>)>;

static FRAMES: LazyLock<Frames> = LazyLock::new(|| DAY.frames());

fn moment(from: When, until: Option<When>) -> Result<Moment, String> {
    let mut reader = Reader::new(from, until, 1);
    for (position, bytes) in FRAMES.iter() {
        reader.frame(*position, bytes)?;
    }
    reader.finish()
}

fn minute(minute: u64) -> When {
    When::Time(BEGINS.after(Span::seconds(60 * minute)))
}

fn changed(text: &str) -> Result<Change, Vec<TextFault>> {
    change::read(text, "change.toml", &|name| Err(format!("there is no file {name}")))
}

fn report(moment: &Moment, text: &str) -> Report {
    let change = changed(text).expect("the change makes sense");
    let control = prepare(moment, &Change::default()).expect("nothing is changed").to(moment.until);
    let changed = prepare(moment, &change).expect("the change can be made").to(moment.until);
    compare(moment, &control, &changed)
}

#[test]
fn a_planned_day_is_taken_again_byte_for_byte() {
    let mut piece = Piece::default();
    for (position, bytes) in FRAMES.iter() {
        piece.push(*position, bytes).expect("the frame is sound");
    }
    let mut entries = 0;
    for actor in piece.actors() {
        let taken = verify(&mut actors::cast::AnyCell::new(actor), &piece).expect("it is read");
        assert_eq!(taken.mismatches, []);
        entries += taken.entries;
    }
    assert!(entries > 1_000, "something happens: {entries}");
}

#[test]
fn without_a_change_the_record_is_repeated() {
    for from in [When::Frame(actors::ports::Position(0)), minute(20)] {
        let moment = moment(from, None).expect("the moment lies in the log");
        let report = report(&moment, "");
        let fidelity = &report.fidelity;
        assert!(fidelity.placements > 50, "something is placed after it: {fidelity:?}");
        assert_eq!(fidelity.placements_same, fidelity.placements, "{fidelity:#?}");
        assert_eq!((fidelity.commands_same, fidelity.commands > 0), (fidelity.commands, true), "{fidelity:#?}");
        assert!(report.same() && report.whole);
    }
}

#[test]
fn the_same_what_if_gives_the_same_report() {
    let moment = moment(minute(20), Some(minute(50))).expect("the moment lies in the log");
    let text = "[[remove]]\nnode = \"node-3\"\nat = \"30s\"\n";
    let told = |report: Report| format!("{report:?}");
    assert_eq!(told(report(&moment, text)), told(report(&moment, text)));
}

#[test]
fn a_node_fewer_moves_what_was_on_it_and_dips_while_it_does() {
    let moment = moment(minute(20), None).expect("the moment lies in the log");
    let report = report(&moment, "[[remove]]\nnode = \"node-3\"\nat = \"30s\"\n");
    assert!(
        report.placements_different.0 > 0
            && report.placements.iter().all(|one| one.changed.as_deref() != Some("node-3"))
    );
    let lost: u64 = report.departures.iter().filter(|one| one.what.ends_with("node-lost")).map(|one| one.changed).sum();
    assert!(lost > 0, "{:?}", report.departures);
    assert!(report.below.iter().any(|below| below.milliseconds.1 > below.milliseconds.0), "{:?}", report.below);
    assert!(report.cost.1.node_milli_hours < report.cost.0.node_milli_hours, "{:?}", report.cost);
}

#[test]
fn too_few_nodes_leave_instances_without_a_place_and_say_why() {
    let moment = moment(minute(20), None).expect("the moment lies in the log");
    let report = report(
        &moment,
        "[[resize]]\nrack = \"rack-0\"\ncpu = \"500m\"\nat = \"1s\"\n[[scale]]\njob = \"job-1\"\ninstances = 200\nat = \"5s\"\n",
    );
    let no_cpu = report.unplaceable.iter().find(|one| one.what == "shop/job-1 no-cpu").expect("there is no room");
    assert!(no_cpu.changed > 0 && no_cpu.control == 0 && no_cpu.said.is_some(), "{no_cpu:?}");
    assert_eq!(report.own_commands.len(), 1);
}

#[test]
fn more_nodes_faults_and_other_commands_have_their_effect() {
    let moment = moment(minute(20), None).expect("the moment lies in the log");
    let added = report(&moment, "[[add]]\nlike = \"node-0\"\ncount = 4\n");
    assert!(added.cost.1.node_milli_hours > added.cost.0.node_milli_hours);
    assert!(added.placements.iter().any(|one| one.changed.as_deref().is_some_and(|node| node.starts_with("added-"))));
    let sick = report(
        &moment,
        "[[fault]]\nwhat = \"workload-sick\"\njob = \"job-1\"\nslot = 0\nat = \"10s\"\nlasts = \"1m\"\n",
    );
    assert!(sick.departures.iter().any(|one| one.what == "shop/job-1 unhealthy" && one.changed > one.control));
    let cut = report(&moment, "[[fault]]\nwhat = \"partition\"\nnode = \"node-2\"\nat = \"10s\"\nlasts = \"2m\"\n");
    assert!(cut.departures.iter().any(|one| one.what.ends_with("node-lost") && one.changed > one.control));
    let dropped = report(&moment, "[[command]]\naction = \"scale\"\ndrop = true\n");
    assert!(dropped.commands.iter().all(|one| one.changed.is_none()) && !dropped.commands.is_empty());
    let halved = report(&moment, "[[command]]\naction = \"scale\"\npercent = 50\n");
    assert!(halved.cost.1.cpu_milli_hours < halved.cost.0.cpu_milli_hours, "{:?}", halved.cost);
    let drained = report(&moment, "[[remove]]\nnode = \"node-3\"\ndrained = true\n");
    assert!(drained.departures.iter().any(|one| one.what.ends_with("node-drained") && one.changed > 0));
    let policy = "[[policy]]\nmode = \"enforce\"\ntext = \"\"\"\npermit(principal, action, resource);\nforbid(principal, action == Action::\"scale\", resource);\n\"\"\"\n";
    let policy = report(&moment, policy);
    let refused = |one: &Ended| one.changed.as_deref().is_some_and(|end| end.starts_with("refused"));
    assert!(policy.commands.iter().any(refused), "{:?} {:?}", policy.own_commands, policy.commands);
}

#[test]
fn a_control_plane_that_is_away_decides_nothing() {
    let moment = moment(minute(20), None).expect("the moment lies in the log");
    let text = "[[fault]]\nwhat = \"control-crash\"\nat = \"10s\"\nlasts = \"3m\"\n[[remove]]\nnode = \"node-3\"\nat = \"20s\"\n";
    let (with, without) = (report(&moment, text), report(&moment, "[[remove]]\nnode = \"node-3\"\nat = \"20s\"\n"));
    let longest = |report: &Report| report.below.iter().flat_map(|below| &below.changed).map(|dip| dip.from).min();
    assert!(longest(&with) > longest(&without), "it hears later that the node is gone");
}

#[test]
fn the_worst_losses_are_found_and_drawn() {
    let moment = moment(minute(10), None).expect("the moment lies in the log");
    let mut blast = Blast::new(&moment, Span::seconds(1_200), Span::seconds(300)).expect("nothing is changed");
    let mut losses = Vec::new();
    for at in blast.times.clone() {
        let hour = blast.hour(at);
        let targets = hour.targets(Level::Node);
        assert!(targets.len() > 8, "{}", targets.len());
        losses.extend(targets.iter().map(|target| hour.lose(target)));
        assert_eq!(hour.targets(Level::Rack).len(), 1);
        let all = hour.lose(&hour.targets(Level::Site)[0]);
        assert!(!all.over() && all.jobs.iter().any(|hurt| hurt.missing >= 4) && !all.unplaceable.is_empty(), "{all:?}");
    }
    assert_eq!(blast.times.len(), 3);
    assert!(losses.iter().any(|struck| struck.worst() > 2_000), "a loss is felt");
    assert!(losses.iter().all(|struck| struck.over()), "and there is room for what was lost");
    assert!(heat_map("losses", &losses).matches("<rect").count() >= losses.len());
}

#[test]
fn a_moment_outside_the_log_is_refused() {
    let later = When::Time(Timestamp(BEGINS.0 * 2));
    assert!(moment(later, None).expect_err("it is later").contains("nothing was recorded after --from"));
    let before = When::Time(Timestamp(5));
    assert!(moment(before, None).expect_err("it is before").contains("lies before the log"));
}

#[test]
fn what_makes_no_sense_in_a_change_is_told_with_its_place() {
    let told = |text: &str| {
        let faults = changed(text).expect_err("it makes no sense");
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(told("[[remove]]\nnod = \"x\"\n").contains("change.toml:2:1: there is no field \"nod\" here"));
    assert!(told("[[remove]]\nnod = \"x\"\n").contains("change.toml:1:1: which nodes?"));
    assert!(told("[[delete]]\nnode = \"x\"\n").contains("there is no table [[delete]] in a change"));
    assert!(told("[[scale]]\njob = \"a\"\ninstances = \"many\"\n").contains("change.toml:3:"));
    assert!(told("[[fault]]\nwhat = \"earthquake\"\n").contains("a what-if knows no fault \"earthquake\""));
    assert!(told("[[apply]]\nmanifest = \"none.toml\"\n").contains("there is no file none.toml"));
    assert!(told("[[policy]]\ntext = \"\"\"\nnonsense\n\"\"\"\n").contains("the policy does not parse"));
    assert!(told("[[remove]\n").contains("change.toml:1:"));
}

#[test]
fn what_cannot_be_in_a_change_is_told_with_its_row() {
    let moment = moment(minute(20), None).expect("the moment lies in the log");
    let impossible = |text: &str| {
        let change = changed(text).expect("it can be read");
        prepare(&moment, &change).expect_err("it cannot be").into_iter().map(|(_, told)| told).collect::<String>()
    };
    assert!(
        impossible("[[remove]]\nnode = \"node-33\"\n")
            .contains("there is no node \"node-33\" in this log; did you mean")
    );
    assert!(impossible("[[remove]]\nrack = \"rack-9\"\n").contains("there is no rack \"rack-9\""));
    assert!(impossible("[[scale]]\njob = \"shop/jobb-1\"\ninstances = 3\n").contains("did you mean \"shop/job-1\"?"));
    let late = "[[remove]]\nnode = \"node-1\"\nat = \"2h\"\n";
    assert!(impossible(late).contains("nothing is left to change: the log ends"));
    assert!(impossible("[[add]]\nlike = \"none\"\n").contains("there is no node \"none\""));
    assert!(impossible("[[command]]\naction = \"drain\"\ndrop = true\n").contains("no recorded command"));
}
