//! What one sees of a run on a screen, and what each key does.

use super::app::{App, Panel};
use super::draw::draw;
use super::*;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use simulator::scenario::{own, read};

fn app(scenario: &str, seed: u64) -> App {
    let text = own(scenario).expect("it comes with Orrery");
    let plan = simulator::plan(&read(text, scenario).expect("it makes sense"), seed);
    App::new(Travel::new(&plan), None, None)
}

fn screen(app: &App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it can be drawn on");
    terminal.draw(|frame| draw(app, frame)).expect("it is drawn");
    let cells = terminal.backend().buffer().content().chunks(usize::from(width));
    cells.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}

fn press(app: &mut App, keys: &str) {
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '→' => KeyCode::Right,
            '←' => KeyCode::Left,
            '⇥' => KeyCode::Tab,
            '⎋' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            letter => KeyCode::Char(letter),
        };
        app.key(KeyEvent::new(code, KeyModifiers::NONE));
        while app.underway.is_some() {
            app.pursue();
        }
    }
}

#[test]
fn one_sees_where_one_is_and_what_the_keys_are() {
    let mut app = app("crashing-nodes", 3);
    let first = screen(&app, 80, 24);
    assert!(first.contains("crashing-nodes seed 3") && first.contains("0.000000 s"), "{first}");
    assert!(first.contains("q leave") && first.contains("nothing has happened yet"), "{first}");
    press(&mut app, "→→→");
    let third = screen(&app, 80, 24);
    assert!(third.contains("what happened: 3 of 3 known"), "{third}");
    press(&mut app, "←");
    assert!(screen(&app, 80, 24).contains("what happened: 2 of 3 known"));
    press(&mut app, "?");
    assert!(screen(&app, 80, 24).contains("this is") || screen(&app, 80, 24).contains(" keys "));
    press(&mut app, "?");
    assert!(!app.help);
    assert!(app.key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE)));
}

#[test]
fn one_stops_at_an_event_and_looks_at_the_actor_it_happened_to() {
    let mut app = app("crashing-nodes", 3);
    press(&mut app, "bevent Suspected\n");
    assert!(app.said.starts_with("stopped at event Suspected"), "{}", app.said);
    let at = app.travel.event();
    press(&mut app, "a");
    assert_eq!(app.panel, Panel::Actors);
    let state = screen(&app, 100, 30);
    assert!(state.contains("node m") && state.contains("Node("), "{state}");
    press(&mut app, "c");
    assert!(app.travel.event() > at || app.said.contains("there is no"), "{}", app.said);
    press(&mut app, "bnowhere\n");
    assert!(app.said.contains("expected violation"), "{}", app.said);
    press(&mut app, "t2.5s\n");
    assert!(app.travel.world().now() <= 2_500_000);
    press(&mut app, "C");
    assert!(app.said.contains("before this"), "{}", app.said);
}

#[test]
fn every_panel_is_drawn_at_every_size() {
    let mut app = app("everything", 7);
    press(&mut app, "f");
    for size in [(80, 24), (40, 10), (200, 60), (20, 5), (1, 1)] {
        for panel in ["1", "2", "3", "4"] {
            press(&mut app, panel);
            let drawn = screen(&app, size.0, size.1);
            assert_eq!(drawn.lines().count(), usize::from(size.1));
        }
    }
    press(&mut app, "4");
    assert!(screen(&app, 80, 24).contains("1 faults under way"), "{}", screen(&app, 80, 24));
    press(&mut app, "3");
    assert!(screen(&app, 80, 24).contains("boot"), "{}", screen(&app, 80, 24));
    press(&mut app, "2↓\n");
    assert!(app.open.is_some());
    press(&mut app, "⎋");
    assert!(app.open.is_none());
    press(&mut app, "G");
    assert!(app.travel.at_end() && screen(&app, 80, 24).contains("the end"));
    press(&mut app, "g");
    assert_eq!(app.travel.position(), 0);
}

#[test]
fn times_are_read_as_people_write_them() {
    for (text, at) in
        [("12.5s", 12_500_000), ("3", 3_000_000), ("250ms", 250_000), ("1m30s", 90_000_000), ("0.000001", 1)]
    {
        assert_eq!(time(text).ok(), Some(at), "{text}");
    }
    assert!(time("soon").is_err() && time("-1s").is_err() && time("1.5.2").is_err());
}
