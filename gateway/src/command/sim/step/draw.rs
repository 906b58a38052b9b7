//! Draws where one is in a run.

use super::app::{App, Asked, Panel};
use super::look::{self, seconds};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};
use simulator::world::tape::What;

/// A smaller terminal shows the list or the panel, not both.
const BOTH_WIDTH_MIN: u16 = 60;

const KEYS: &str = "\
 ← →        one thing back, on        , .   one event back, on
 PgUp PgDn  20 things back, on        [ ]   1 s back, on   { } 10 s
 Home End   to the beginning, the end
 v V        to the next, last violation
 f F        to the next, last fault
 b          stop at: violation, fault, event NAME, actor NAME
 c C        on to the next stop, back to the last
 t          to a time, like 12.5s
 tab 1-4    event, actors, machines, faults
 ↑ ↓ u d    mark or scroll            enter   the actor's state
 a          the actor of this event   esc     back
 ?          this                      q       leave";

/// Draws all of it.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>) {
    let rows = [1, 1].map(Constraint::Length).into_iter().chain([Constraint::Min(3), Constraint::Length(1)]);
    let [title, bar, middle, foot] = Layout::vertical(rows.collect::<Vec<_>>()).areas(frame.area());
    frame.render_widget(Paragraph::new(titled(app)), title);
    frame.render_widget(Paragraph::new(scrubbed(app, usize::from(bar.width))), bar);
    if middle.width >= BOTH_WIDTH_MIN {
        let parts = [Constraint::Percentage(48), Constraint::Percentage(52)];
        let [list, panel] = Layout::horizontal(parts).areas(middle);
        happened(app, list, frame);
        beside(app, panel, frame);
    } else if app.panel == Panel::Event {
        happened(app, middle, frame);
    } else {
        beside(app, middle, frame);
    }
    frame.render_widget(Paragraph::new(footed(app)), foot);
    if app.help {
        let area = frame.area();
        let width = area.width.min(70);
        let height = area.height.min(KEYS.lines().count() as u16 + 2);
        let area = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
        frame.render_widget(Clear, area);
        frame.render_widget(Paragraph::new(KEYS).block(Block::bordered().title(" keys ")), area);
    }
}

fn titled(app: &App) -> Line<'static> {
    let (world, plan) = (app.travel.world(), app.travel.world().plan());
    let end = if app.travel.at_end() { ", the end" } else { "" };
    let violations = app.travel.violations().len();
    let mut spans = vec![
        Span::styled(format!("{} seed {}", plan.scenario, plan.seed), Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!(
            "  {} of {} s  event {}{end}",
            seconds(world.now()),
            plan.end_at / 1_000_000,
            app.travel.event()
        )),
    ];
    if violations > 0 {
        spans.push(Span::styled(format!("  {violations} violated"), red()));
    }
    if let Some(stop) = &app.stop {
        spans.push(Span::styled(format!("  stops at {stop}"), dim()));
    }
    Line::from(spans)
}

/// All of time in a row: where faults are, where it was violated, and where one is.
fn scrubbed(app: &App, width: usize) -> Line<'static> {
    let end = app.travel.world().plan().end_at.max(1);
    let place = |at: u64| {
        let place = u128::from(at.min(end)) * (width.max(1) as u128 - 1) / u128::from(end);
        usize::try_from(place).unwrap_or(0)
    };
    let mut cells = vec![("─", dim()); width.max(1)];
    let mut begun = std::collections::BTreeMap::new();
    let known = app.travel.known().last().map_or(0, |last| last.at);
    for record in app.travel.known().iter().flat_map(|one| &one.records) {
        match &record.what {
            What::Begins { fault, .. } => drop(begun.insert(*fault, record.at)),
            What::Ends(fault) => {
                let from = begun.remove(fault).unwrap_or(record.at);
                cells[place(from)..=place(record.at)].fill(("▒", amber()));
            }
            _ => {}
        }
    }
    begun.values().for_each(|from| cells[place(*from)..=place(known)].fill(("▒", amber())));
    for one in app.travel.known() {
        if one.records.iter().any(|record| matches!(record.what, What::Violated(_))) {
            cells[place(one.at)] = ("✗", red());
        }
    }
    let here = app.travel.world().now();
    cells[place(if app.travel.at_end() { end } else { here })] = ("█", Style::new());
    Line::from(cells.into_iter().map(|(text, style)| Span::styled(text, style)).collect::<Vec<_>>())
}

/// What happened, around where one is; what comes later is dim.
fn happened(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let position = app.travel.position();
    let rows = usize::from(area.height.saturating_sub(2));
    let all = app.travel.known().len();
    let from = position.saturating_sub(1 + rows / 2).min(all.saturating_sub(rows));
    let lines = app.lines(from, rows).into_iter().zip(from..).map(|(line, index)| {
        let here = index + 1 == position;
        let at = format!("{:>4}.{:03} ", line.at / 1_000_000, line.at / 1_000 % 1_000);
        let style = match () {
            () if line.what.starts_with("VIOLATED") => red(),
            () if line.what.ends_with(" begins") || line.what.ends_with(" is over") => amber(),
            () => Style::new(),
        };
        let style = match (here, index < position) {
            (true, _) => style.add_modifier(Modifier::REVERSED),
            (false, true) => style,
            (false, false) => style.patch(dim()),
        };
        Line::from(vec![
            Span::styled(at, style),
            Span::styled(line.who, style.add_modifier(Modifier::BOLD)),
            Span::styled(format!(" {}", line.what), style),
        ])
    });
    let title = format!(" what happened: {position} of {all} known ");
    let block = Block::new().borders(Borders::TOP | Borders::RIGHT).title(title);
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), area);
}

/// The panel beside the list.
fn beside(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let mut title = vec![Span::raw(" ")];
    for (panel, number) in Panel::ALL.into_iter().zip(1..) {
        let style = if panel == app.panel { Style::new().add_modifier(Modifier::REVERSED) } else { dim() };
        title.push(Span::styled(format!("{number} {}", panel.name()), style));
        title.push(Span::raw(" "));
    }
    let lines: Vec<Line<'_>> = match app.panel {
        Panel::Event => event(app),
        Panel::Actors => actors(app, usize::from(area.height.saturating_sub(1))),
        Panel::Machines => machines(app),
        Panel::Faults => faults(app),
    };
    let scroll = app.scroll.min(u16::try_from(lines.len().saturating_sub(1)).unwrap_or(u16::MAX));
    let block = Block::new().borders(Borders::TOP).title(Line::from(title));
    let shown = Paragraph::new(lines).block(block).scroll((scroll, 0));
    let list = app.panel == Panel::Actors && app.open.is_none();
    frame.render_widget(if list { shown } else { shown.wrap(Wrap { trim: false }) }, area);
}

fn event(app: &App) -> Vec<Line<'static>> {
    let position = app.travel.position();
    let Some(one) = position.checked_sub(1).and_then(|last| app.travel.known().get(last)) else {
        return vec![Line::from("nothing has happened yet; → goes on, ? shows the keys")];
    };
    let mut lines = vec![Line::from(format!("event {} at {}", one.event, seconds(one.at)))];
    for record in &one.records {
        let (who, what) = look::told(&record.what, &app.names, &app.travel);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        lines.push(Line::from(vec![Span::styled(who, bold), Span::raw(format!("  {what}"))]));
        match &record.what {
            What::Sent { arrives: [None, None], .. } => lines.push(Line::styled("  it is lost on the way", red())),
            What::Sent { arrives, .. } => {
                let arrives: Vec<String> = arrives.iter().flatten().map(|at| seconds(*at)).collect();
                lines.push(Line::styled(format!("  it arrives at {}", arrives.join(" and ")), dim()));
            }
            What::Violated(violation) => lines.push(Line::styled(app.names.said(&violation.message), red())),
            What::Committed(entry) => {
                let whole = app.names.said(&format!("{entry:#?}"));
                lines.extend(whole.lines().map(|line| Line::styled(format!("  {line}"), dim())));
            }
            _ => {}
        }
    }
    lines
}

fn actors(app: &App, rows: usize) -> Vec<Line<'static>> {
    let fold = app.travel.world().fold();
    if let Some(cell) = app.open.and_then(|open| fold.cell(open)) {
        let name = app.names.actor(cell.id());
        let mut lines = vec![Line::styled(name, Style::new().add_modifier(Modifier::BOLD))];
        lines.extend(look::whole(cell).lines().map(|line| Line::from(line.to_owned())));
        return lines;
    }
    if app.open.is_some() {
        return vec![Line::from("it does not exist yet")];
    }
    let from = app.marked.saturating_sub(rows.saturating_sub(2));
    let line = |(index, actor): (usize, look::Actor)| {
        let style = if index == app.marked { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        Line::styled(format!("{:<16} {:>3}  {}", actor.name, actor.entries, actor.state), style)
    };
    app.actors().into_iter().enumerate().skip(from).map(line).collect()
}

fn machines(app: &App) -> Vec<Line<'static>> {
    let all = (0..).map_while(|index| app.travel.world().machine(index));
    all.flat_map(|machine| machine.lines().map(|line| Line::from(line.to_owned())).collect::<Vec<_>>()).collect()
}

fn faults(app: &App) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for violation in app.travel.violations() {
        lines.push(Line::styled(format!("violated at {}: {}", seconds(violation.at), violation.signature), red()));
        lines.push(Line::from(app.names.said(&violation.message)));
    }
    let under = look::faults(&app.travel);
    lines.push(Line::styled(format!("{} faults under way", under.len()), Style::new().add_modifier(Modifier::BOLD)));
    for fault in under {
        let what = format!("{} {}", fault.what, fault.machines.join(", "));
        lines.push(Line::from(vec![Span::styled(what, amber()), Span::styled(format!("  {}", fault.when), dim())]));
    }
    lines
}

fn footed(app: &App) -> Line<'static> {
    if let Some((asked, text)) = &app.asked {
        let question = match asked {
            Asked::Stop => "stop at (violation, fault, event NAME, actor NAME): ",
            Asked::Time => "go to (like 12.5s): ",
        };
        return Line::from(vec![Span::styled(question, amber()), Span::raw(format!("{text}▏"))]);
    }
    if let Some(to) = &app.underway {
        let to = to.as_ref().map_or_else(|| "the end".into(), ToString::to_string);
        return Line::styled(format!("on the way to {to}; any key stops"), amber());
    }
    if !app.said.is_empty() {
        return Line::styled(app.said.clone(), amber());
    }
    Line::styled("← → step  [ ] 1 s  v violation  b stop at  c on  tab panel  ? keys  q leave", dim())
}

const fn red() -> Style {
    Style::new().fg(Color::Red)
}

const fn amber() -> Style {
    Style::new().fg(Color::Yellow)
}

const fn dim() -> Style {
    Style::new().fg(Color::DarkGray)
}
