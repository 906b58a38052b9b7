//! What went wrong, one below the other, each with its name; and the time above it.

use super::charts::{percent, put};
use super::{Report, Span};
use crate::explain::escaped;

/// More lanes than this cannot be read; what has no lane is a band all the same.
const LANES_MAX: usize = 40;
/// So wide is a letter, in thousandths of all time.
const LETTER: u64 = 7;
/// No more marks of time than this.
const TICKS_MAX: u64 = 10;
/// How far marks of time may lie apart, in microseconds.
const TICKS: [u64; 18] = [
    1_000,
    10_000,
    100_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
    7_200_000_000,
    21_600_000_000,
    43_200_000_000,
    86_400_000_000,
];

/// A length of time for people.
pub(super) fn time(microseconds: u64) -> String {
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    match seconds {
        0 if microseconds == 0 => "0".into(),
        0 => format!("{}.{:03} ms", microseconds / 1_000, microseconds % 1_000),
        1..600 => format!("{seconds}.{:03} s", rest / 1_000),
        600..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min {} s", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

/// The time, above what has it in common.
pub(super) fn ticks(end: u64) -> String {
    let every = TICKS.into_iter().find(|every| end / every <= TICKS_MAX).unwrap_or(end.div_ceil(TICKS_MAX));
    let mut out = String::from("<div class=\"row\"><label></label><div class=\"plot ticks\">");
    let mut at = 0;
    while at <= end {
        let class = match at {
            0 => " class=\"first\"",
            at if at > end / 20 * 19 => " class=\"last\"",
            _ => "",
        };
        put(&mut out, &format!("<span{class} style=\"left:{}\">{}</span>", percent(at, end), tick(at)));
        at += every;
    }
    out + "</div></div>\n"
}

fn tick(at: u64) -> String {
    let seconds = at / 1_000_000;
    match at {
        0 => "0".into(),
        1..1_000_000 => format!("{} ms", at / 1_000),
        1_000_000..120_000_000 => format!("{seconds} s"),
        120_000_000..7_200_000_000 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

/// Everything that went wrong, and the commands that were given, over time.
pub(super) fn lanes(report: &Report) -> String {
    let end = report.end();
    let mut out = String::new();
    if !report.drawn.down.is_empty() {
        let bars: String = report.drawn.down.iter().map(|down| bar(down, "bar down", false, end)).collect();
        put(&mut out, &lane("control plane", &bars));
    }
    let (lanes, left_out) = packed(&report.drawn.faults, end);
    for (index, spans) in lanes.iter().enumerate() {
        let bars = spans.iter().map(|span| {
            let cut = label_end(span, end) > end;
            bar(span, if cut { "bar end" } else { "bar" }, true, end)
        });
        put(&mut out, &lane(if index == 0 { "faults" } else { "" }, &bars.collect::<String>()));
    }
    if left_out > 0 {
        put(&mut out, &lane("", &format!("<span class=\"soft\">and {left_out} more, drawn as bands only</span>")));
    }
    let commands: String = report
        .plan
        .operations
        .iter()
        .map(|operation| {
            let told =
                format!("{} of client {} at {}", operation.request.action(), operation.client, time(operation.at));
            let left = percent(operation.at, end);
            format!("<div class=\"cut\" style=\"left:{left}\" title=\"{}\"></div>", escaped(&told))
        })
        .collect();
    put(&mut out, &lane("commands", &commands));
    out
}

fn lane(name: &str, drawn: &str) -> String {
    format!("<div class=\"row\"><label>{name}</label><div class=\"plot lane\">{drawn}</div></div>\n")
}

fn bar(span: &Span, class: &str, named: bool, end: u64) -> String {
    let width = percent(span.to.saturating_sub(span.from), end);
    let told = format!("{} {}, {} to {}", span.name, span.whom, time(span.from), time(span.to));
    let name = if named { format!("<span>{}</span>", escaped(&label(span))) } else { String::new() };
    format!(
        "<div class=\"{class}\" style=\"left:{};width:{width}\" title=\"{}\">{name}</div>",
        percent(span.from, end),
        escaped(&told)
    )
}

fn label(span: &Span) -> String {
    if span.whom.is_empty() { span.name.clone() } else { format!("{} {}", span.name, span.whom) }
}

/// How far a bar reaches with its name.
fn label_end(span: &Span, end: u64) -> u64 {
    let letters = label(span).chars().count() as u64 + 2;
    span.to.max(span.from.saturating_add(end / 1_000 * LETTER * letters))
}

/// Each in the first lane in which nothing is in its way, and how many found none.
fn packed(spans: &[Span], end: u64) -> (Vec<Vec<&Span>>, usize) {
    let mut lanes: Vec<(u64, Vec<&Span>)> = Vec::new();
    let mut left_out = 0;
    for span in spans {
        // A name that has no room to the right of its beginning is written to the left of its end.
        let (from, to) = match label_end(span, end) {
            to if to > end => (span.to.saturating_sub(to - span.from), end),
            to => (span.from, to),
        };
        match lanes.iter().position(|lane| lane.0 <= from) {
            Some(free) => {
                lanes[free].0 = to;
                lanes[free].1.push(span);
            }
            None if lanes.len() < LANES_MAX => lanes.push((to, vec![span])),
            None => left_out += 1,
        }
    }
    (lanes.into_iter().map(|lane| lane.1).collect(), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        Span { name: "loss".into(), whom: String::new(), from, to }
    }

    #[test]
    fn what_overlaps_lies_in_lanes_of_its_own() {
        let all = [span(0, 500_000), span(100_000, 200_000), span(600_000, 700_000)];
        let (lanes, left_out) = packed(&all, 1_000_000);
        assert_eq!(lanes, [vec![&all[0], &all[2]], vec![&all[1]]]);
        assert_eq!(left_out, 0);
        let many: Vec<Span> = (0..44).map(|from| span(from, 900_000)).collect();
        assert_eq!(packed(&many, 1_000_000).1, 4);
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let told: Vec<String> = [0, 1_500, 61_500_000, 700_000_000, 7_260_000_000].map(time).into();
        assert_eq!(told, ["0", "1.500 ms", "61.500 s", "11 min 40 s", "2 h 1 min 0 s"]);
        assert_eq!(ticks(85_000_000).matches("<span").count(), 9);
    }
}
