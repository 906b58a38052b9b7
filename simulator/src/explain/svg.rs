//! A story as a picture: a file of its own that any browser shows, light or dark as its reader likes it.

use super::text::seconds;
use super::{Band, Step, StepKind, Story};
use std::fmt::Write;

/// Times are written to the left of this.
const LEFT: usize = 110;
/// From one line of life to the next.
const COLUMN: usize = 176;
/// From one thing that happened to the next.
const ROW: usize = 34;
/// Above all of it.
const TOP: usize = 118;
/// To the right of the last line, for what was done there.
const RIGHT: usize = 300;
/// Longer texts are cut; the whole is shown when pointed at.
const TEXT_MAX: usize = 64;

const STYLE: &str = "
svg { font: 13px/1.3 ui-sans-serif, system-ui, 'Segoe UI', Roboto, sans-serif; background: #fbfaf7; color: #23262b; }
text { fill: currentColor; } .time { fill: #6d737c; font-size: 11px; text-anchor: end; font-variant-numeric: tabular-nums; }
.title { font-size: 18px; font-weight: 650; } .sub { fill: #6d737c; }
.head { fill: #fff; stroke: #c9c6bd; } .name { text-anchor: middle; font-weight: 600; }
.life { stroke: #d4d1c8; stroke-dasharray: 2 4; } .said { stroke: #2f6db3; stroke-width: 1.6; fill: none; }
.word { text-anchor: middle; fill: #2f6db3; font-size: 12px; paint-order: stroke; stroke: #fbfaf7; stroke-width: 4px; }
.lost { stroke: #b4462f; stroke-dasharray: 5 4; stroke-width: 1.6; } .lostword { fill: #b4462f; }
.did { fill: #23262b; } .what { paint-order: stroke; stroke: #fbfaf7; stroke-width: 4px; font-size: 12px; }
.bad { fill: #b4462f; } .badwhat { fill: #b4462f; font-weight: 650; }
.band { fill: #e0a33a; fill-opacity: .16; stroke: #e0a33a; stroke-opacity: .55; }
.bandname { fill: #8a5d0b; font-size: 11px; paint-order: stroke; stroke: #fbfaf7; stroke-width: 3px; }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; color: #e4e2dc; } .time, .sub { fill: #8d939c; } .head { fill: #20242a; stroke: #3b4048; }
.life { stroke: #363b43; } .said { stroke: #78aee8; } .word { fill: #78aee8; stroke: #16181c; }
.lost { stroke: #ef8268; } .lostword { fill: #ef8268; } .did { fill: #e4e2dc; } .what { stroke: #16181c; }
.bad, .badwhat { fill: #ef8268; } .bandname { fill: #e8bf6d; stroke: #16181c; } }
";

/// A story as a picture.
pub fn svg(story: &Story) -> String {
    let width = LEFT + story.columns.len() * COLUMN + RIGHT;
    let height = TOP + (story.steps.len() + 1) * ROW + 20;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<style>{STYLE}</style>\n{MARKERS}\n"
    );
    let violation = &story.violation;
    let sub = format!("{} at {}: {}", violation.invariant.name(), seconds(violation.at), violation.message);
    out += &format!("<title>{}</title>\n", escaped(&violation.signature));
    out += &format!("<text class=\"title\" x=\"20\" y=\"32\">{}</text>\n", escaped(&violation.signature));
    out += &format!("<text class=\"sub\" x=\"20\" y=\"52\">{}</text>\n", escaped(&sub));
    for (index, band) in story.bands.iter().enumerate() {
        out += &drawn_band(story, band, index);
    }
    for (column, name) in story.columns.iter().enumerate() {
        out += &drawn_column(column, name, height);
    }
    for (row, step) in story.steps.iter().enumerate() {
        out += &drawn_step(step, row);
    }
    out + "</svg>\n"
}

const MARKERS: &str = "<defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
                       markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0 0 8 4 0 8z\" fill=\"#2f6db3\"/>\
                       </marker></defs>";

/// Text as it stands in a picture.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

const fn x_of(column: usize) -> usize {
    LEFT + column * COLUMN + COLUMN / 2
}

const fn y_of(row: usize) -> usize {
    TOP + row * ROW + ROW / 2
}

fn drawn_column(column: usize, name: &str, height: usize) -> String {
    let x = x_of(column);
    let (left, width) = (x - COLUMN / 2 + 8, COLUMN - 16);
    format!(
        "<line class=\"life\" x1=\"{x}\" y1=\"100\" x2=\"{x}\" y2=\"{}\"/>\n\
         <rect class=\"head\" x=\"{left}\" y=\"72\" width=\"{width}\" height=\"28\" rx=\"6\"/>\n\
         <text class=\"name\" x=\"{x}\" y=\"91\">{}<title>{}</title></text>\n",
        height - 16,
        escaped(&cut(name, 22)),
        escaped(name)
    )
}

/// From the first thing that happened in its time to the last, behind those it touched.
fn drawn_band(story: &Story, band: &Band, index: usize) -> String {
    let first = story.steps.iter().position(|step| step.at >= band.from).unwrap_or(story.steps.len());
    let last = story.steps.iter().rposition(|step| step.at <= band.to);
    let rows = last.map_or(0, |last| (last + 1).saturating_sub(first));
    let (top, height) = (y_of(first) - ROW / 2 + 2, (rows * ROW).max(6));
    let name = format!("{}, {} to {}", band.name, seconds(band.from), seconds(band.to));
    let boxes: Vec<(usize, usize)> = match band.columns.as_slice() {
        [] => vec![(LEFT + 4 + index * 5, story.columns.len() * COLUMN - 8 - index * 10)],
        columns => columns.iter().map(|column| (x_of(*column) - COLUMN / 2 + 12, COLUMN - 24)).collect(),
    };
    let mut out = String::new();
    for (left, width) in boxes {
        let _always_fits = writeln!(
            out,
            "<rect class=\"band\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"4\">\
             <title>{0}</title></rect>\n<text class=\"bandname\" x=\"{1}\" y=\"{2}\">{3}<title>{0}</title></text>",
            escaped(&name),
            left + 6,
            top + 11,
            escaped(&cut(&band.name, width / 7))
        );
    }
    out
}

fn drawn_step(step: &Step, row: usize) -> String {
    let (x, y) = (x_of(step.column), y_of(row));
    let time = format!("<text class=\"time\" x=\"{}\" y=\"{}\">{}</text>\n", LEFT - 14, y + 4, seconds(step.at));
    let drawn = match &step.kind {
        StepKind::Said { from, name, arrived } => {
            let from = x_of(*from);
            let middle = from.midpoint(x);
            let name = escaped(&cut(name, 40));
            match arrived {
                Some(at) => format!(
                    "<line class=\"said\" x1=\"{from}\" y1=\"{y}\" x2=\"{x}\" y2=\"{y}\" marker-end=\"url(#to)\"/>\n\
                     <text class=\"word\" x=\"{middle}\" y=\"{}\">{name}<title>arrives at {}</title></text>\n",
                    y - 5,
                    seconds(*at)
                ),
                None => format!(
                    "<line class=\"lost\" x1=\"{from}\" y1=\"{y}\" x2=\"{middle}\" y2=\"{y}\"/>\n\
                     <text class=\"badwhat\" x=\"{middle}\" y=\"{}\">✕</text>\n\
                     <text class=\"word lostword\" x=\"{}\" y=\"{}\">{name} (lost)</text>\n",
                    y + 5,
                    from.midpoint(middle),
                    y - 5
                ),
            }
        }
        StepKind::Did { what } => marked(x, y, what, "did", "what"),
        StepKind::Violated { what } => marked(x, y, what, "bad", "what badwhat"),
    };
    time + &drawn
}

fn marked(x: usize, y: usize, what: &str, mark: &str, class: &str) -> String {
    format!(
        "<circle class=\"{mark}\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>\n<text class=\"{class}\" x=\"{}\" y=\"{}\">{}\
         <title>{}</title></text>\n",
        x + 10,
        y + 4,
        escaped(&cut(what, TEXT_MAX)),
        escaped(what)
    )
}
