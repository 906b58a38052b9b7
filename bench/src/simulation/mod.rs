//! The simulator: how fast worlds run, how big they may be, whether they come to the same again, and what they catch.
//! Each row stands beside what must be reached and what is aimed at.

mod logs;
mod strength;
mod worlds;

pub use worlds::{RESTING, run};

use crate::row::{least, most};
use crate::setting::{Fault, Report, Setting};

/// Threads of the rows that say two cores.
const CORES: u64 = 2;

/// Measures a part of the group.
type Part = fn(&Setting, &mut Report) -> Result<(), Fault>;

/// What `--part` can name, in the order in which it is measured.
pub const PARTS: [(&str, Part); 6] = [
    ("worlds", worlds::large),
    ("seeds", worlds::small),
    ("pairs", worlds::pairs),
    ("planted", strength::planted),
    ("made", strength::made),
    ("logs", logs::measure),
];

/// Measures worlds, logs, and what is caught.
///
/// # Errors
/// When a world or a log does not come out as it must.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let mut report = Report::default();
    for (_, measure) in PARTS.iter().filter(|(name, _)| setting.wants(name)) {
        measure(setting, &mut report)?;
    }
    Ok(report)
}

/// What each item comes to, in their order; each core takes the next that nobody has taken.
fn on_cores<T: Sync, V: Send>(items: &[T], work: impl Fn(&T) -> V + Sync) -> Vec<V> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let (next, work) = (&next, &work);
    let mut done: Vec<(usize, V)> = std::thread::scope(|scope| {
        let mine = move || {
            let numbers = std::iter::repeat_with(move || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let items = numbers.map_while(|number| Some((number, items.get(number)?)));
            items.map(|(number, item)| (number, work(item))).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..CORES).map(|_| scope.spawn(mine)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, value)| value).collect()
}
