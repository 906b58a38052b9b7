//! The picture of a cluster: how full each node is, what is used of everything, and what waits and why.

use messages::api::{InstanceState, NodeStatus, Status};
use messages::node::Standing;
use messages::resources::{Dimension, Resources};
use ratatui::Frame;
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::collections::BTreeMap;

/// How wide a bar is.
const BAR_CELLS: u64 = 30;
/// How wide the names beside the bars are at least.
const NAME_COLUMNS: usize = 7;
/// How wide a picture is that is printed.
const PRINTED_COLUMNS: u16 = 120;
/// How full a node is, from empty to full.
const SHADES: [&str; 5] = ["·", "░", "▒", "▓", "█"];

/// Draws the cluster.
pub(super) fn draw(status: &Status, trouble: Option<&str>, frame: &mut Frame<'_>) {
    let all = lines(status);
    let [body, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(Paragraph::new(all), body);
    let foot_line = match trouble {
        Some(trouble) => Line::styled(format!("{trouble}  q leave"), Style::new().fg(Color::Red)),
        None => Line::styled("q leave", Style::new().fg(Color::DarkGray)),
    };
    frame.render_widget(Paragraph::new(foot_line), foot);
}

/// The picture as text, for scripts.
pub(super) fn printed(status: &Status) -> String {
    let all = lines(status);
    let rows = u16::try_from(all.len()).unwrap_or(u16::MAX).max(1);
    let mut terminal = match ratatui::Terminal::new(TestBackend::new(PRINTED_COLUMNS, rows)) {
        Ok(terminal) => terminal,
        Err(never) => match never {},
    };
    match terminal.draw(|frame| frame.render_widget(Paragraph::new(all), frame.area())) {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let buffer = terminal.backend().buffer();
    let row = |y: u16| {
        let cells: String =
            (0..PRINTED_COLUMNS).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol()).collect();
        cells.trim_end().to_owned() + "\n"
    };
    (0..rows).map(row).collect()
}

fn lines(status: &Status) -> Vec<Line<'static>> {
    let mut lines = vec![headed(status), Line::default()];
    lines.extend(used(status));
    lines.push(Line::default());
    lines.extend(heat(status));
    lines.push(Line::default());
    lines.extend(pending(status));
    lines
}

fn headed(status: &Status) -> Line<'static> {
    let open = status.nodes.iter().filter(|node| node.state == Standing::Ready).count();
    let wanted: u32 = status.jobs.iter().map(|job| job.desired).sum();
    let healthy: u32 = status.jobs.iter().map(|job| job.healthy).sum();
    Line::from(vec![
        Span::styled("orrery top", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!(
            "  {open} of {} nodes take work, {} jobs, {healthy} of {wanted} instances healthy, position {}",
            status.nodes.len(),
            status.jobs.len(),
            status.position
        )),
    ])
}

/// What is used of everything, on all nodes that take work.
fn used(status: &Status) -> Vec<Line<'static>> {
    let open = || status.nodes.iter().filter(|node| node.state == Standing::Ready);
    let capacity = open().fold(Resources::default(), |sum, node| sum.plus(&node.capacity));
    let claimed = open().fold(Resources::default(), |sum, node| sum.plus(&node.claimed));
    let there: Vec<Dimension<'_>> = capacity.dimensions().filter(|of| capacity.get(*of) > 0).collect();
    let wide = there.iter().map(|of| of.name().len()).max().unwrap_or(0).max(NAME_COLUMNS);
    let bar = |of: Dimension<'_>| {
        let (have, taken) = (capacity.get(of), claimed.get(of));
        let percent = percent(taken, have);
        let full = (percent * BAR_CELLS).div_ceil(100).min(BAR_CELLS);
        let bar = "█".repeat(usize::try_from(full).unwrap_or(0));
        let rest = "░".repeat(usize::try_from(BAR_CELLS - full).unwrap_or(0));
        Line::from(vec![
            Span::raw(format!("{:<wide$} ", of.name())),
            Span::styled(bar, heat_of(percent)),
            Span::styled(rest, Style::new().fg(Color::DarkGray)),
            Span::raw(format!(" {percent:>3}%  {} of {}", of.amount(taken), of.amount(have))),
        ])
    };
    there.into_iter().map(bar).collect()
}

fn percent(part: u64, whole: u64) -> u64 {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(percent.min(100)).unwrap_or(100)
}

/// How full a node is: by what it has least left of.
fn fullness(node: &NodeStatus) -> u64 {
    let there = node.capacity.dimensions().filter(|of| node.capacity.get(*of) > 0);
    there.map(|of| percent(node.claimed.get(of), node.capacity.get(of))).max().unwrap_or(0)
}

const fn heat_of(percent: u64) -> Style {
    Style::new().fg(match percent {
        0..50 => Color::Green,
        50..80 => Color::Yellow,
        _ => Color::Red,
    })
}

/// A row for each rack, a cell for each of its nodes.
fn heat(status: &Status) -> Vec<Line<'static>> {
    let mut racks: BTreeMap<String, Vec<&NodeStatus>> = BTreeMap::new();
    for node in &status.nodes {
        racks.entry(format!("{}/{}/{}", node.region, node.site, node.rack)).or_default().push(node);
    }
    let wide = racks.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut lines = vec![Line::from(format!(
        "{:<wide$}  nodes, each by what it has least left of: {} empty to {} full, x takes nothing new, ! away",
        "RACK", SHADES[0], SHADES[4]
    ))];
    for (rack, nodes) in racks {
        let mut spans = vec![Span::raw(format!("{rack:<wide$}  "))];
        spans.extend(nodes.iter().map(|node| cell(node)));
        let fullest = nodes.iter().max_by_key(|node| fullness(node));
        spans.extend(fullest.map(|node| Span::raw(format!("  fullest {} {}%", node.name, fullness(node)))));
        lines.push(Line::from(spans));
    }
    lines
}

fn cell(node: &NodeStatus) -> Span<'static> {
    match node.state {
        Standing::Ready => {
            let full = fullness(node);
            let shade = usize::try_from(full.div_ceil(25)).unwrap_or(4).min(4);
            Span::styled(SHADES[shade], heat_of(full))
        }
        Standing::Cordoned | Standing::Draining => Span::styled("x", Style::new().fg(Color::DarkGray)),
        _ => Span::styled("!", Style::new().fg(Color::Red)),
    }
}

/// What waits, and why.
fn pending(status: &Status) -> Vec<Line<'static>> {
    let waits = status.jobs.iter().flat_map(|job| {
        let waits = |state| matches!(state, InstanceState::Waiting | InstanceState::BackingOff);
        let mine = job.instances.iter().filter(move |one| waits(one.state));
        mine.map(move |one| (format!("{}/{}", job.realm, one.label), one))
    });
    let waits: Vec<_> = waits.collect();
    if waits.is_empty() {
        return vec![Line::from("nothing waits")];
    }
    let mut lines = vec![Line::from(format!("{:<24}{:<16}WHY", "WAITS", "REASON"))];
    for (label, one) in waits {
        let why = one.detail.clone().unwrap_or_default();
        lines.push(Line::from(vec![
            Span::raw(format!("{label:<24}")),
            Span::styled(format!("{:<16}", one.reason.code()), Style::new().fg(Color::Yellow)),
            Span::raw(why),
        ]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use messages::time::Timestamp;

    fn node(name: &str, rack: &str, claimed: u64, state: Standing) -> NodeStatus {
        NodeStatus {
            id: name.into(),
            name: name.into(),
            state,
            since: Timestamp::default(),
            epoch: 1,
            rack: rack.into(),
            site: "s".into(),
            region: "r".into(),
            tags: BTreeMap::new(),
            taints: BTreeMap::new(),
            capacity: Resources { cpu_milli: 1_000, ..Resources::default() },
            claimed: Resources { cpu_milli: claimed, ..Resources::default() },
            instances: Vec::new(),
        }
    }

    #[test]
    fn a_picture_shows_every_node_and_what_is_used() {
        let nodes = vec![
            node("n1", "r1", 0, Standing::Ready),
            node("n2", "r1", 1_000, Standing::Ready),
            node("n3", "r2", 100, Standing::Cordoned),
            node("n4", "r2", 100, Standing::Lost),
        ];
        let text = printed(&Status { nodes, ..Status::default() });
        assert!(text.contains("2 of 4 nodes take work"), "{text}");
        assert!(text.contains("r/s/r1  ·█  fullest n2 100%"), "{text}");
        assert!(text.contains("r/s/r2  x!"), "{text}");
        assert!(text.contains(" 50%  1000m of 2000m"), "{text}");
        assert!(text.contains("nothing waits"), "{text}");
        assert!(!text.contains("gpus"), "what nobody has is not shown: {text}");
    }

    #[test]
    fn gpus_and_what_a_site_adds_are_shown_where_there_are_any() {
        let mut one = node("n1", "r1", 100, Standing::Ready);
        (one.capacity.gpu_milli, one.claimed.gpu_milli) = (4_000, 2_500);
        one.capacity.set(Dimension::Named("license.matlab"), 3);
        let text = printed(&Status { nodes: vec![one], ..Status::default() });
        assert!(text.contains(" 62%  2.5 of 4\n"), "{text}");
        assert!(text.contains("license.matlab ") && text.contains("  0%  0 of 3\n"), "{text}");
    }
}
