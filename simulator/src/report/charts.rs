//! The charts: pictures without words, as wide as the page, all over the same time.

use super::Report;
use super::sample::{Fill, Job, Row};
use messages::node::Standing;
use messages::resources::Dimension;
use std::fmt::Write;

/// The width of every picture, in its own units.
pub(super) const WIDTH: u64 = 1_000;
/// A line has no more points than this: of what lies closer, the least and the most are drawn.
const POINTS_MAX: u64 = 1_000;

/// Where a moment lies.
pub(super) fn x(at: u64, end: u64) -> u64 {
    u64::try_from(u128::from(at.min(end)) * u128::from(WIDTH) / u128::from(end.max(1))).unwrap_or(WIDTH)
}

/// A share of the width, as a style sheet says it.
pub(super) fn percent(at: u64, end: u64) -> String {
    let parts = u128::from(at.min(end)) * 10_000 / u128::from(end.max(1));
    format!("{}.{:02}%", parts / 100, parts % 100)
}

/// What lies behind every chart: faults as bands, and where it was violated.
pub(super) fn backdrop(report: &Report) -> String {
    let end = report.end();
    let mut out = String::from(
        "<svg width=\"0\" height=\"0\" style=\"position:absolute\"><symbol id=\"back\" viewBox=\"0 0 1000 100\" \
         preserveAspectRatio=\"none\">",
    );
    for (from, to) in
        together(report.drawn.faults.iter().chain(&report.drawn.down).map(|span| (x(span.from, end), x(span.to, end))))
    {
        let width = (to - from).max(1);
        put(&mut out, &format!("<rect class=\"b\" x=\"{from}\" y=\"0\" width=\"{width}\" height=\"100\"/>"));
    }
    let heal = x(report.plan.heal_at, end);
    put(&mut out, &format!("<path class=\"h\" d=\"M{heal} 0V100\"/>"));
    for violation in &report.verdict.violations {
        put(&mut out, &format!("<path class=\"v\" d=\"M{0} 0V100\"/>", x(violation.at, end)));
    }
    out + "</symbol></svg>\n"
}

/// What overlaps, as one.
fn together(spans: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = spans.collect();
    spans.sort_unstable();
    let mut whole: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spans {
        match whole.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => whole.push((from, to)),
        }
    }
    whole
}

fn picture(class: &str, height: u64, back: bool, drawn: &str) -> String {
    let back =
        if back { format!("<use href=\"#back\" width=\"{WIDTH}\" height=\"{height}\"/>") } else { String::new() };
    format!(
        "<div class=\"plot {class}\"><svg viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\" \
         height=\"{height}\">{back}{drawn}</svg></div>"
    )
}

/// A value at its height, with room for a line at the top and the bottom.
fn y(value: u64, most: u64, height: u64) -> u64 {
    let room = u128::from(height - 4);
    let up = u128::from(value.min(most)) * room / u128::from(most.max(1));
    height - 2 - u64::try_from(up).unwrap_or(0)
}

/// A line of steps through points in the order of time.
fn steps(points: &[(u64, u64)], most: u64, height: u64, end: u64) -> String {
    let points = thinned(points, end);
    let mut path = String::new();
    for (index, (at, value)) in points.iter().enumerate() {
        let (x, y) = (x(*at, end), y(*value, most, height));
        put(&mut path, &if index == 0 { format!("M{x} {y}") } else { format!("H{x}V{y}") });
    }
    path
}

/// Of points that lie on the same place, the first, the least, the most and the last.
fn thinned(points: &[(u64, u64)], end: u64) -> Vec<(u64, u64)> {
    let place = |at: u64| u128::from(at) * u128::from(POINTS_MAX) / u128::from(end.max(1));
    let mut kept: Vec<(u64, u64)> = Vec::new();
    for group in points.chunk_by(|one, other| place(one.0) == place(other.0)) {
        let least = group.iter().min_by_key(|point| point.1);
        let most = group.iter().max_by_key(|point| point.1);
        let mut chosen: Vec<(u64, u64)> =
            [group.first(), least, most, group.last()].into_iter().flatten().copied().collect();
        chosen.sort_by_key(|point| point.0);
        chosen.dedup();
        kept.extend(chosen);
    }
    kept
}

/// A line of steps, and all below it.
fn area(points: &[(u64, u64)], most: u64, height: u64, end: u64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let (left, right) = (x(first.0, end), x(last.0, end));
    format!("{}H{right}V{height}H{left}Z", steps(points, most, height, end))
}

/// How much of a resource there is, is claimed, and is used.
pub(super) fn fill(fills: &[Fill], dimension: Dimension<'_>, end: u64) -> String {
    const HEIGHT: u64 = 64;
    let of = |pick: fn(&Fill) -> &messages::resources::Resources| -> Vec<(u64, u64)> {
        fills.iter().map(|fill| (fill.at, pick(fill).get(dimension))).collect()
    };
    let (capacity, claimed, runs) = (of(|fill| &fill.capacity), of(|fill| &fill.claimed), of(|fill| &fill.runs));
    let most = [&capacity, &claimed, &runs].into_iter().flatten().map(|point| point.1).max().unwrap_or(1);
    let drawn = format!(
        "<path class=\"claim\" d=\"{}\"/><path class=\"runs\" d=\"{}\"/><path class=\"cap\" d=\"{}\"/>",
        area(&claimed, most, HEIGHT, end),
        steps(&runs, most, HEIGHT, end),
        steps(&capacity, most, HEIGHT, end)
    );
    picture("chart", HEIGHT, true, &drawn)
}

/// How many instances of a job were wanted and healthy.
pub(super) fn job(job: &Job, end: u64) -> String {
    const HEIGHT: u64 = 48;
    let wanted: Vec<(u64, u64)> = job.points.iter().map(|point| (point.0, point.1.into())).collect();
    let healthy: Vec<(u64, u64)> = job.points.iter().map(|point| (point.0, point.2.into())).collect();
    let most = wanted.iter().chain(&healthy).map(|point| point.1).max().unwrap_or(1);
    let mut drawn = format!("<path class=\"well\" d=\"{}\"/>", area(&healthy, most, HEIGHT, end));
    for pair in job.points.windows(2).filter(|pair| pair[0].2 < pair[0].1) {
        let (left, right) = (x(pair[0].0, end), x(pair[1].0, end));
        let (top, bottom) = (y(pair[0].1.into(), most, HEIGHT), y(pair[0].2.into(), most, HEIGHT));
        let width = (right - left).max(1);
        let height = bottom - top;
        put(
            &mut drawn,
            &format!("<rect class=\"lack\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"),
        );
    }
    put(&mut drawn, &format!("<path class=\"wanted\" d=\"{}\"/>", steps(&wanted, most, HEIGHT, end)));
    picture("chart", HEIGHT, true, &drawn)
}

/// A row of machines: how full, and how the control plane sees them.
pub(super) fn machines(fills: &[Fill], row: usize, end: u64) -> String {
    let state = |fill: &Fill| fill.rows.get(row).map_or("none", class);
    let mut drawn = String::new();
    let mut from = 0;
    for same in fills.chunk_by(|one, other| state(one) == state(other)) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
        let next = fills.iter().find(|fill| fill.at > last.at).map_or(end, |fill| fill.at);
        let (left, right) = (x(first.at.min(from), end), x(next, end));
        from = next;
        let width = (right.max(left + 1)) - left;
        let class = state(first);
        put(&mut drawn, &format!("<rect class=\"{class}\" x=\"{left}\" y=\"0\" width=\"{width}\" height=\"13\"/>"));
    }
    picture("strip", 13, false, &drawn)
}

const fn class(row: &Row) -> &'static str {
    match (row.standing, row.percent) {
        (Standing::Unknown, 0) => "none",
        (Standing::Suspect, _) => "suspect",
        (Standing::Lost, _) => "lost",
        (Standing::Cordoned | Standing::Draining, 0) => "aside",
        (_, 0) => "s0",
        (_, 1..=25) => "s1",
        (_, 26..=50) => "s2",
        (_, 51..=75) => "s3",
        (_, _) => "s4",
    }
}

/// The height of a length of time on a scale on which each doubling takes as much room, in sixteenths of a doubling.
fn doublings(microseconds: u64) -> u64 {
    let whole = u64::from(microseconds.max(16).ilog2());
    whole * 16 + (microseconds.max(16) >> (whole - 4) & 15)
}

/// When instances were wanted, and how long each took until it was healthy.
pub(super) fn waits(waits: &[(u64, u64)], end: u64) -> (String, u64, u64) {
    const HEIGHT: u64 = 110;
    let least = waits.iter().map(|wait| wait.1).min().unwrap_or(1);
    let most = waits.iter().map(|wait| wait.1).max().unwrap_or(1);
    let (low, high) = (doublings(least), doublings(most).max(doublings(least) + 1));
    let every = waits.len().div_ceil(2_000).max(1);
    let mut drawn = String::new();
    for (at, took) in waits.iter().step_by(every) {
        let y = y(doublings(*took) - low, high - low, HEIGHT - 6) + 3;
        put(&mut drawn, &format!("<ellipse class=\"dot\" cx=\"{}\" cy=\"{y}\" rx=\"2.6\" ry=\"2.8\"/>", x(*at, end)));
    }
    (picture("chart", HEIGHT, true, &drawn), least, most)
}

/// How many of so many lengths of time lie in each doubling from `least` to `most`, as bars.
pub(super) fn spread(sorted: &[u64], least: u64, most: u64) -> String {
    let (low, high) = (doublings(least) / 8, doublings(most) / 8);
    let bars = high - low + 1;
    let mut counts = vec![0_u64; usize::try_from(bars).unwrap_or(1)];
    for one in sorted {
        let place = usize::try_from((doublings(*one) / 8).clamp(low, high) - low).unwrap_or(0);
        counts[place] += 1;
    }
    let tallest = counts.iter().copied().max().unwrap_or(1).max(1);
    let mut out = format!(
        "<svg viewBox=\"0 0 {} 24\" width=\"220\" height=\"24\" preserveAspectRatio=\"none\">",
        bars.saturating_mul(10)
    );
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (count * 22 / tallest).max(1);
        let (x, y) = (place * 10, 24 - height);
        put(&mut out, &format!("<rect class=\"tall\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{height}\"/>"));
    }
    out + "</svg>"
}

pub(super) fn put(out: &mut String, text: &str) {
    let _always_fits = out.write_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_drawn_once() {
        assert_eq!(together([(5, 7), (0, 3), (2, 4), (7, 9)].into_iter()), [(0, 4), (5, 9)]);
    }

    #[test]
    fn lines_have_no_more_points_than_can_be_seen() {
        let points: Vec<(u64, u64)> = (0..100_000).map(|at| (at, at % 17)).collect();
        let kept = thinned(&points, 100_000);
        assert!(kept.len() <= 4_000 && kept.iter().any(|point| point.1 == 16), "{}", kept.len());
        assert!(kept.is_sorted_by_key(|point| point.0));
    }

    #[test]
    fn each_doubling_takes_as_much_room() {
        assert_eq!(doublings(32_768) - doublings(16_384), 16);
        assert_eq!(doublings(49_152) - doublings(32_768), 8);
        assert_eq!(doublings(0), doublings(16));
    }
}
