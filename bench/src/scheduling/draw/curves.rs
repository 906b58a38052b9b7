//! How much of the GPUs is stranded, over how much was asked for.

use super::framed;
use std::fmt::Write;

const LEFT: f64 = 64.0;
const TOP: f64 = 74.0;
const WIDE: f64 = 620.0;
const HIGH: f64 = 300.0;

/// A name, a colour, and points in per cent.
pub type Line<'a> = (&'a str, &'a str, Vec<(f64, f64)>);

/// The picture.
pub fn picture(lines: &[Line<'_>]) -> String {
    let most = lines.iter().flat_map(|(.., points)| points).map(|(_, y)| *y).fold(1.0, f64::max);
    let ceiling = (most / 2.0).ceil() * 2.0;
    let (x, y) = (|percent: f64| LEFT + WIDE * percent / 100.0, |percent: f64| TOP + HIGH * (1.0 - percent / ceiling));
    let mut text = format!(
        "<text class=\"title\" x=\"{LEFT}\" y=\"34\">Stranded GPUs</text>\n<text class=\"soft\" x=\"{LEFT}\" y=\"54\">\
         per cent of all GPUs that the next pod cannot use, over per cent of them asked for</text>\n"
    );
    for tick in 0..=(ceiling / 2.0) as usize {
        let value = tick as f64 * 2.0;
        let _ = writeln!(
            text,
            "<path class=\"line\" d=\"M{LEFT} {0:.1}h{WIDE}\"/><text class=\"soft\" x=\"{1}\" y=\"{2:.1}\" \
             text-anchor=\"end\">{value}</text>",
            y(value),
            LEFT - 10.0,
            y(value) + 4.0
        );
    }
    for tick in [0.0, 20.0, 40.0, 60.0, 80.0, 100.0] {
        let (at, below) = (x(tick), TOP + HIGH + 20.0);
        let _ = writeln!(text, "<text class=\"soft\" x=\"{at}\" y=\"{below}\" text-anchor=\"middle\">{tick}</text>");
    }
    for (at, (name, colour, points)) in lines.iter().enumerate() {
        let path: Vec<String> =
            points.iter().map(|(asked, stranded)| format!("{:.1} {:.1}", x(*asked), y(*stranded))).collect();
        let key = TOP + 14.0 + at as f64 * 20.0;
        let last = points.last().map_or(0.0, |(_, stranded)| *stranded);
        let _ = writeln!(
            text,
            "<path class=\"curve\" stroke=\"var(--{colour})\" d=\"M{}\"/><path class=\"curve\" stroke=\"var(--{colour})\" \
             d=\"M{1} {key}h24\"/><text x=\"{2}\" y=\"{3}\">{name}, {last:.1} at the end</text>",
            path.join("L"),
            x(100.0) + 24.0,
            x(100.0) + 56.0,
            key + 4.0
        );
    }
    framed((LEFT + WIDE + 240.0) as usize, (TOP + HIGH + 44.0) as usize, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_points_and_its_name() {
        let picture = picture(&[("ours", "used", vec![(50.0, 1.0), (100.0, 3.0)])]);
        assert!(picture.starts_with("<svg") && picture.contains("ours, 3.0 at the end"));
        assert!(picture.contains("d=\"M374.0 299.0L684.0 149.0\""), "half way along and a quarter of 4 up: {picture}");
    }
}
