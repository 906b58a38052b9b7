//! What one sees and does on the way through a run: where one is, what is open, and what each key does.

use super::look::{self, Actor, Line};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use messages::id::ActorId;
use simulator::explain::Names;
use simulator::travel::{Pursuit, Stop, Travel};

/// So many events are gone through before the screen is drawn again.
const CHUNK: u64 = 2_000;
/// A page of things that happened.
const PAGE: usize = 20;

/// What is shown beside the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    /// All that came of the event.
    Event,
    /// The actors, or the state of one.
    Actors,
    /// The machines.
    Machines,
    /// The faults under way, and what was violated.
    Faults,
}

impl Panel {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Event, Self::Actors, Self::Machines, Self::Faults];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Actors => "actors",
            Self::Machines => "machines",
            Self::Faults => "faults",
        }
    }
}

/// Something that is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Where to stop.
    Stop,
    /// Whither to go.
    Time,
}

/// What one sees and does.
pub(super) struct App {
    /// Where one is.
    pub travel: Travel,
    /// The names there.
    pub names: Names,
    /// What is shown beside the list.
    pub panel: Panel,
    /// The actor that is marked, and the actor whose state is open.
    pub marked: usize,
    /// The actor whose state is open.
    pub open: Option<ActorId>,
    /// How far the panel is scrolled down.
    pub scroll: u16,
    /// What is being typed.
    pub asked: Option<(Asked, String)>,
    /// Where one stops.
    pub stop: Option<Stop>,
    /// Whether the way to the next stop is under way, or to the end.
    pub underway: Option<Option<Stop>>,
    /// What was said last.
    pub said: String,
    /// Whether the keys are explained.
    pub help: bool,
    seen: (u64, bool),
}

impl App {
    /// Where one begins, with an actor open if one is wanted.
    pub fn new(travel: Travel, stop: Option<Stop>, wanted: Option<&str>) -> Self {
        let names = travel.names();
        let seen = (travel.event(), travel.at_end());
        let mut app = Self {
            travel,
            names,
            panel: Panel::Event,
            marked: 0,
            open: None,
            scroll: 0,
            asked: None,
            stop,
            underway: None,
            said: String::new(),
            help: false,
            seen,
        };
        if let Some(wanted) = wanted {
            app.panel = Panel::Actors;
            let wanted = wanted.to_lowercase();
            let found = app.actors().iter().position(|actor| actor.name.to_lowercase().contains(&wanted));
            (app.marked, app.open) = (found.unwrap_or(0), found.and_then(|found| Some(app.actors().get(found)?.id)));
            if found.is_none() {
                app.said = format!("no actor is called {wanted:?} yet");
            }
        }
        app
    }

    /// The actors there are.
    pub fn actors(&self) -> Vec<Actor> {
        look::actors(&self.travel, &self.names)
    }

    /// What is known to have happened, from one place on.
    pub fn lines(&self, from: usize, count: usize) -> Vec<Line> {
        let known = self.travel.known().iter().skip(from).take(count);
        known.map(|one| look::line(one, &self.names, &self.travel)).collect()
    }

    /// A key was pressed. Whether to leave.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return true;
        }
        if self.help {
            self.help = false;
            return false;
        }
        if self.underway.is_some() {
            self.underway = None;
            self.said = "stopped on the way".into();
            return false;
        }
        if self.asked.is_some() {
            self.type_in(key.code);
        } else if key.code == KeyCode::Char('q') {
            return true;
        } else {
            self.said.clear();
            self.go(key.code);
            self.look(key.code);
        }
        self.refresh();
        false
    }

    /// The names are those of where one is.
    fn refresh(&mut self) {
        let now = (self.travel.event(), self.travel.at_end());
        if now != self.seen {
            self.names = self.travel.names();
            self.seen = now;
        }
    }

    fn go(&mut self, code: KeyCode) {
        let at = self.travel.world().now();
        let moved = match code {
            KeyCode::Right | KeyCode::Char('l' | ' ') => self.travel.forward(),
            KeyCode::Left | KeyCode::Char('h') => self.travel.back(),
            KeyCode::PageDown => (0..PAGE).map(|_| self.travel.forward()).fold(false, |one, other| one | other),
            KeyCode::PageUp => {
                let position = self.travel.position();
                self.travel.go_to_position(position.saturating_sub(PAGE));
                position > 0
            }
            KeyCode::Home | KeyCode::Char('g') => {
                self.travel.go_to_position(0);
                true
            }
            KeyCode::End | KeyCode::Char('G') => {
                self.underway = Some(None);
                true
            }
            KeyCode::Char('.') => self.travel.advance(),
            KeyCode::Char(',') => {
                let event = self.travel.event();
                self.travel.go(event.saturating_sub(1));
                event > 0
            }
            KeyCode::Char(']') => self.go_to_time(at.saturating_add(1_000_000)),
            KeyCode::Char('[') => self.go_to_time(at.saturating_sub(1_000_000)),
            KeyCode::Char('}') => self.go_to_time(at.saturating_add(10_000_000)),
            KeyCode::Char('{') => self.go_to_time(at.saturating_sub(10_000_000)),
            KeyCode::Char('c' | 'n') => self.seek(self.stop.clone().unwrap_or(Stop::Violation)),
            KeyCode::Char('v') => self.seek(Stop::Violation),
            KeyCode::Char('f') => self.seek(Stop::Fault),
            KeyCode::Char('C' | 'N') => self.seek_back(&self.stop.clone().unwrap_or(Stop::Violation)),
            KeyCode::Char('V') => self.seek_back(&Stop::Violation),
            KeyCode::Char('F') => self.seek_back(&Stop::Fault),
            _ => return,
        };
        if moved {
            self.scroll = if self.panel == Panel::Event { 0 } else { self.scroll };
        } else if self.said.is_empty() {
            self.said = if self.travel.at_end() { "this is the end".into() } else { "this is the beginning".into() };
        }
    }

    fn go_to_time(&mut self, at: u64) -> bool {
        let before = (self.travel.event(), self.travel.at_end());
        self.travel.go_to_time(at);
        before != (self.travel.event(), self.travel.at_end())
    }

    fn seek(&mut self, stop: Stop) -> bool {
        self.underway = Some(Some(stop));
        true
    }

    fn seek_back(&mut self, stop: &Stop) -> bool {
        let found = self.travel.pursue_back(stop) == Pursuit::Reached;
        self.said = if found { format!("back to {stop}") } else { format!("there is no {stop} before this") };
        true
    }

    /// A stretch of the way to the next stop.
    pub fn pursue(&mut self) {
        let Some(to) = self.underway.take() else { return };
        let come = match &to {
            Some(stop) => self.travel.pursue(stop, CHUNK),
            None if (0..CHUNK).all(|_| self.travel.advance()) => Pursuit::Underway,
            None => Pursuit::Reached,
        };
        match (come, to) {
            (Pursuit::Underway, to) => self.underway = Some(to),
            (Pursuit::Reached, Some(stop)) => self.said = format!("stopped at {stop}"),
            (Pursuit::Reached, None) => self.said = "this is the end".into(),
            (Pursuit::Never, stop) => {
                let what = stop.map_or_else(String::new, |stop| stop.to_string());
                self.said = format!("there is no {what} up to the end");
            }
        }
        self.scroll = 0;
        self.refresh();
    }

    fn look(&mut self, code: KeyCode) {
        let last = self.actors().len().saturating_sub(1);
        let list = self.panel == Panel::Actors && self.open.is_none();
        match code {
            KeyCode::Tab => self.turn(1),
            KeyCode::BackTab => self.turn(Panel::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='4') => {
                let index = digit as usize - '1' as usize;
                (self.panel, self.scroll, self.open) = (Panel::ALL[index], 0, None);
            }
            KeyCode::Down | KeyCode::Char('j') if list => self.marked = (self.marked + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') if list => self.marked = self.marked.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Char('d') => self.scroll = self.scroll.saturating_add(10),
            KeyCode::Char('u') => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Enter if list => {
                self.open = self.actors().get(self.marked).map(|actor| actor.id);
                self.scroll = 0;
            }
            KeyCode::Char('a') => self.open_current(),
            KeyCode::Esc => (self.open, self.scroll) = (None, 0),
            KeyCode::Char('b') => self.asked = Some((Asked::Stop, String::new())),
            KeyCode::Char('t') => self.asked = Some((Asked::Time, String::new())),
            KeyCode::Char('?') => self.help = true,
            _ => {}
        }
    }

    fn turn(&mut self, by: usize) {
        let here = Panel::ALL.iter().position(|panel| *panel == self.panel).unwrap_or(0);
        self.panel = Panel::ALL[(here + by) % Panel::ALL.len()];
        (self.scroll, self.open) = (0, None);
    }

    /// The actor to whom it happened.
    fn open_current(&mut self) {
        let position = self.travel.position();
        let happened = position.checked_sub(1).and_then(|last| self.travel.known().get(last));
        let actor = happened.and_then(|one| one.records.iter().find_map(simulator::explain::actor_of));
        match actor.filter(|actor| self.travel.world().fold().cell(*actor).is_some()) {
            Some(actor) => {
                (self.panel, self.open, self.scroll) = (Panel::Actors, Some(actor), 0);
                self.marked = self.actors().iter().position(|one| one.id == actor).unwrap_or(0);
            }
            None => self.said = "this happened to no actor".into(),
        }
    }

    fn type_in(&mut self, code: KeyCode) {
        let Some((asked, text)) = &mut self.asked else { return };
        match code {
            KeyCode::Char(letter) => text.push(letter),
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Esc => self.asked = None,
            KeyCode::Enter => {
                let (asked, text) = (*asked, text.clone());
                self.asked = None;
                self.answer(asked, &text);
            }
            _ => {}
        }
    }

    fn answer(&mut self, asked: Asked, text: &str) {
        match asked {
            Asked::Stop => match Stop::parse(text) {
                Ok(stop) => {
                    self.stop = Some(stop.clone());
                    self.underway = Some(Some(stop));
                }
                Err(why) => self.said = why,
            },
            Asked::Time => match super::time(text) {
                Ok(at) => drop(self.go_to_time(at)),
                Err(why) => self.said = why.to_string(),
            },
        }
    }
}
