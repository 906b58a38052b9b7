//! Several schedulers over one fleet, each with a view that is not new: how often two want the same room.

mod world;

use crate::row::{Must, Row};
use crate::setting::{Fault, Setting};
use messages::time::Span;
use world::{Plan, Seen, World};

/// How many schedulers.
const SCHEDULERS: [usize; 3] = [2, 4, 8];
/// Messages handled with each number of them; together more than a million.
const STEPS: usize = 340_000;
const QUICK_STEPS: usize = 20_000;
/// Instances that arrive in a second: twice the load of which placements are measured.
const RATE: u64 = 2_000;
/// How old a view is when a scheduler hears it.
const AGE: Span = Span(100_000);
/// Claims that may be refused, in per cent, and those that are aimed at.
const MOST: f64 = 5.0;
const AIM: f64 = 1.0;

/// Runs fleets under two, four and eight schedulers.
///
/// # Errors
/// When nothing is claimed.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let mut all = Seen::default();
    let nodes = setting.count(1_000, 200);
    for schedulers in SCHEDULERS {
        let rate = RATE * nodes as u64 / 1_000;
        let plan = Plan { schedulers, nodes, rate, age: AGE, again: false };
        let seen = World::new(plan).run(setting.count(STEPS, QUICK_STEPS));
        if seen.claims == 0 {
            return Err(Fault::Failed(format!("{schedulers} schedulers claimed nothing in {} steps", seen.steps)));
        }
        let share = seen.refused as f64 * 100.0 / seen.claims as f64;
        let note = format!("{} of {} claims, views {} ms old", seen.refused, seen.claims, AGE.0 / 1_000);
        rows.push(
            Row::new(format!("scheduling.shared.{schedulers}"), share, "% refused")
                .must(Must::Most(MOST))
                .aim(AIM)
                .note(note),
        );
        all.steps += seen.steps;
        all.doubled += seen.doubled;
    }
    let note = format!("in {} steps", all.steps);
    rows.push(Row::new("scheduling.shared.doubled", all.doubled as f64, "bookings").must(Must::Zero).note(note));
    Ok(())
}
