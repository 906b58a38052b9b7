//! Losses as a heat map: one SVG that needs nothing else, readable in light and dark, with numbers in every field.

use super::blast::Struck;
use crate::explain::escaped;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The most rows that are drawn: the worst of them.
pub const ROWS_MAX: usize = 60;
const ROW: usize = 26;
const TOP: usize = 96;
const LETTER: usize = 8;
const WIDTH_MIN: usize = 64;
const WIDTH_ALL: usize = 1_000;
const DAY_US: u64 = 86_400_000_000;

/// How bad it is, from nothing to not over: the name of its class, from how many milliseconds on, and what it is called.
const GRADES: [(&str, u64, &str); 6] = [
    ("g0", 0, "nothing"),
    ("g1", 1, "under 10 s"),
    ("g2", 10_000, "10 s and more"),
    ("g3", 60_000, "1 min and more"),
    ("g4", 600_000, "10 min and more"),
    ("g5", u64::MAX, "not over"),
];

const STYLE: &str = "
svg { font: 13px system-ui, sans-serif; background: #fff; --ink: #1b1b1f; --soft: #5d5d66; --line: #d8d8de; }
text { fill: var(--ink); } .soft { fill: var(--soft); } .title { font-size: 16px; font-weight: 600; }
.g0 { fill: #f1f3f5; } .g1 { fill: #fde7b0; } .g2 { fill: #fbc26a; } .g3 { fill: #f08c4a; } .g4 { fill: #d9542f; }
.g5 { fill: #9c1c1c; } rect { stroke: var(--line); } .in4, .in5 { fill: #fff; } .in1, .in2, .in3 { fill: #1b1b1f; }
@media (prefers-color-scheme: dark) {
  svg { background: #16171a; --ink: #e8e8ec; --soft: #a0a0aa; --line: #34353b; }
  .g0 { fill: #232429; } .g1 { fill: #5a4a1c; } .g2 { fill: #80581a; } .g3 { fill: #b06a22; } .g4 { fill: #d9542f; }
  .g5 { fill: #ff8d7a; } .in1, .in2, .in3 { fill: #fff; } .in5 { fill: #1b1b1f; }
}
";

/// The heat map of losses.
pub fn heat_map(title: &str, struck: &[Struck]) -> String {
    let times: BTreeSet<Timestamp> = struck.iter().map(|one| one.at).collect();
    let mut rows: BTreeMap<&str, BTreeMap<Timestamp, &Struck>> = BTreeMap::new();
    for one in struck {
        rows.entry(&one.target).or_default().insert(one.at, one);
    }
    let all = rows.len();
    let mut rows: Vec<_> = rows.into_iter().collect();
    let worst = |row: &BTreeMap<Timestamp, &Struck>| row.values().map(|one| one.rank()).max();
    rows.sort_by(|one, other| (worst(&other.1), one.0).cmp(&(worst(&one.1), other.0)));
    rows.truncate(ROWS_MAX);
    let left = 24 + LETTER * rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).clamp(4, 40);
    let field = (WIDTH_ALL / times.len().max(1)).clamp(WIDTH_MIN, 110);
    let (width, height) = ((left + field * times.len() + 24).max(830), TOP + ROW * rows.len() + 70);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{0}</title>\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{0}</text>\n",
        escaped(title)
    );
    let cut = if all > rows.len() { format!("; the worst {} of {all}", rows.len()) } else { String::new() };
    let about = "how long the worst job was below its healthy minimum after the loss, beyond what it would have been";
    put(&mut out, &format!("<text class=\"soft\" x=\"16\" y=\"50\">{about}{cut}</text>\n"));
    let minutes: BTreeSet<u64> = times.iter().map(|at| at.0 / 60_000_000).collect();
    let letters = if minutes.len() < times.len() { 11..19 } else { 11..16 };
    for (index, at) in times.iter().enumerate() {
        let (x, time) = (left + field * index + field / 2, at.to_string());
        let clock = time.get(letters.clone()).unwrap_or(&time).to_string();
        let day = time.get(5..10).unwrap_or_default().to_string();
        put(
            &mut out,
            &format!("<text class=\"soft\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{clock}</text>\n", TOP - 8),
        );
        let yesterday =
            |at: &Timestamp| times.range(..at).next_back().is_none_or(|last| last.0 / DAY_US < at.0 / DAY_US);
        if yesterday(at) {
            let y = TOP - 24;
            put(&mut out, &format!("<text class=\"soft\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{day}</text>\n"));
        }
    }
    for (index, (name, fields)) in rows.iter().enumerate() {
        let y = TOP + ROW * index;
        put(
            &mut out,
            &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", left - 8, y + 17, short(name)),
        );
        for (column, at) in times.iter().enumerate() {
            if let Some(one) = fields.get(at) {
                put(&mut out, &square(one, left + field * column, y, field));
            }
        }
    }
    put(&mut out, &legend(height - 34));
    out + "</svg>\n"
}

fn put(out: &mut String, text: &str) {
    out.push_str(text);
}

fn grade(one: &Struck) -> usize {
    if !one.over() {
        return GRADES.len() - 1;
    }
    GRADES.iter().rposition(|(_, from, _)| one.worst() >= *from).unwrap_or(0)
}

fn square(one: &Struck, x: usize, y: usize, field: usize) -> String {
    let grade = grade(one);
    let said = match one.worst() {
        0 if one.over() => String::new(),
        worst => escaped(&brief(worst)) + if one.over() { "" } else { "+" },
    };
    let mut tip = format!("{} lost at {}", one.target, one.at);
    for hurt in &one.jobs {
        let _infallible = write!(tip, "\n{}: {} below, {} missing", hurt.job, brief(hurt.milliseconds), hurt.missing);
    }
    for homeless in &one.unplaceable {
        let _infallible = write!(tip, "\nno place: {} of {}", homeless.instances, homeless.what);
    }
    format!(
        "<g><title>{}</title><rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"3\"/>\
         <text class=\"in{grade}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{said}</text></g>\n",
        escaped(&tip),
        GRADES[grade].0,
        field - 3,
        ROW - 3,
        x + (field - 3) / 2,
        y + 16,
    )
}

fn legend(y: usize) -> String {
    let mut out = String::new();
    for (index, (class, _, name)) in GRADES.iter().enumerate() {
        let x = 16 + index * 134;
        put(&mut out, &format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"16\" height=\"16\" rx=\"3\"/>"));
        put(&mut out, &format!("<text class=\"soft\" x=\"{}\" y=\"{}\">{name}</text>\n", x + 22, y + 13));
    }
    out
}

/// A length of time in as few letters as may be.
pub fn brief(milliseconds: u64) -> String {
    match milliseconds {
        1..100 => "<0.1s".into(),
        0..10_000 => format!("{}.{}s", milliseconds / 1_000, milliseconds / 100 % 10),
        10_000..100_000 => format!("{}s", milliseconds / 1_000),
        100_000..6_000_000 => format!("{}m", milliseconds / 60_000),
        _ => format!("{}h", Span::milliseconds(milliseconds).0 / 3_600_000_000),
    }
}

fn short(name: &str) -> String {
    let whole = name.chars().count();
    let kept: String = name.chars().take(39).collect();
    escaped(&if whole > 40 { kept + "…" } else { name.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::blast::{Homeless, Hurt};
    use super::*;

    fn struck(target: &str, hour: u64, milliseconds: u64, over: bool) -> Struck {
        let job = "shop/a".to_string();
        let jobs = (milliseconds > 0).then_some(Hurt { job, milliseconds, missing: 2, over });
        let said = "no node has enough memory left".to_string();
        let homeless = (!over).then(|| Homeless { what: "shop/a no-memory".into(), instances: 2, said });
        Struck {
            at: Timestamp(1_700_000_000_000_000 + hour * 3_600_000_000),
            target: target.into(),
            nodes: 1,
            jobs: jobs.into_iter().collect(),
            unplaceable: homeless.into_iter().collect(),
            whole: true,
        }
    }

    #[test]
    fn the_worst_comes_first_and_names_are_escaped() {
        let all = [struck("n<1>", 0, 0, true), struck("n<1>", 1, 7_000, true), struck("n2", 0, 90_000, false)];
        let svg = heat_map("losses & more", &all);
        assert!(svg.find("n2").expect("it is drawn") < svg.find("n&lt;1&gt;").expect("it is drawn"), "{svg}");
        assert!(svg.contains("losses &amp; more") && svg.contains("class=\"g5\"") && svg.contains(">90s+<"), "{svg}");
        assert!(svg.contains("class=\"g1\"") && svg.contains(">7.0s<") && svg.contains("no place: 2 of"), "{svg}");
        assert!(!svg.contains("n<1>"));
    }

    #[test]
    fn no_more_rows_are_drawn_than_can_be_read_and_that_is_said() {
        let all: Vec<_> = (0..100).map(|number| struck(&format!("node-{number}"), 0, number * 100, true)).collect();
        let svg = heat_map("losses", &all);
        assert!(svg.contains("the worst 60 of 100") && svg.contains("node-99<") && !svg.contains(">node-3<"), "{svg}");
    }

    #[test]
    fn lengths_of_time_are_brief() {
        let told: Vec<_> = [0, 7, 950, 9_999, 61_000, 600_000, 7_200_000].into_iter().map(brief).collect();
        assert_eq!(told, ["0.0s", "<0.1s", "0.9s", "9.9s", "61s", "10m", "2h"]);
    }
}
