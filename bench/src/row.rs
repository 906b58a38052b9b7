//! A row of the result: what was measured, beside what, and whether it is as it must be.

use crate::people::{fixed, number};
use serde_json::{Value, json};

/// What stands beside a value: another program doing the same, or what the machine can do at best.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// What it is.
    pub name: String,
    /// Its value, in the unit of the row.
    pub value: f64,
}

/// What must hold, relative to the peer of the same run wherever there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Must {
    /// At least so many times the peer's value.
    AtLeast(f64),
    /// At most so many times the peer's value.
    AtMost(f64),
    /// No further from the peer's value, in the unit of the row.
    Within(f64),
    /// At least this value.
    Least(f64),
    /// At most this value.
    Most(f64),
    /// Nothing at all may be counted.
    Zero,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Group and what in it, with dots between.
    pub name: String,
    /// The median.
    pub value: f64,
    /// What the value counts.
    pub unit: &'static str,
    /// What must hold; nothing, when the row only reports.
    pub must: Option<Must>,
    /// What is aimed at, in the unit of the row.
    pub aim: Option<f64>,
    /// What it is measured beside; none when the peer is missing or there is none.
    pub peer: Option<Peer>,
    /// What else must be known to read the value: of how many it is, or from how much it was extrapolated.
    pub note: Option<String>,
}

impl Must {
    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("ratio >= {bound}"),
            Self::AtMost(bound) => format!("ratio <= {bound}"),
            Self::Within(bound) => format!("within {bound:.2}"),
            Self::Least(bound) => format!("value >= {bound}"),
            Self::Most(bound) => format!("value <= {bound}"),
            Self::Zero => "value = 0".into(),
        }
    }
}

impl Row {
    /// A row that only reports, with nothing beside it yet.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, must: None, aim: None, peer: None, note: None }
    }

    /// With what must hold.
    pub const fn must(mut self, must: Must) -> Self {
        self.must = Some(must);
        self
    }

    /// With a peer beside it.
    pub fn beside(mut self, name: impl Into<String>, value: f64) -> Self {
        self.peer = Some(Peer { name: name.into(), value });
        self
    }

    /// With what is aimed at.
    pub const fn aim(mut self, aim: f64) -> Self {
        self.aim = Some(aim);
        self
    }

    /// With what must be known to read it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The value as a multiple of the peer's.
    pub fn ratio(&self) -> Option<f64> {
        let peer = self.peer.as_ref()?;
        (peer.value > 0.0).then(|| self.value / peer.value)
    }

    /// Whether what must hold does; unknown without a must, or without the peer it is relative to.
    pub fn ok(&self) -> Option<bool> {
        match self.must? {
            Must::AtLeast(bound) => self.ratio().map(|ratio| ratio >= bound),
            Must::AtMost(bound) => self.ratio().map(|ratio| ratio <= bound),
            Must::Within(bound) => self.peer.as_ref().map(|peer| (self.value - peer.value).abs() <= bound),
            Must::Least(bound) => Some(self.value >= bound),
            Must::Most(bound) => Some(self.value <= bound),
            Must::Zero => Some(self.value == 0.0),
        }
    }

    /// The row as one JSON object.
    pub fn json(&self) -> Value {
        let peer = self.peer.as_ref().map(|peer| json!({ "name": peer.name, "value": rounded(peer.value) }));
        json!({
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "must": self.must.map(Must::text),
            "aim": self.aim,
            "ok": self.ok(),
            "peer": peer,
            "ratio": self.ratio().map(|ratio| (ratio * 10_000.0).round() / 10_000.0),
            "note": self.note,
        })
    }

    /// The heads of the columns.
    pub fn head() -> String {
        columns(["NAME", "VALUE", "UNIT", "MUST", "AIM", "OK", "PEER", "RATIO", "NOTE"].map(str::to_owned))
    }

    /// The row as a line of the table.
    pub fn line(&self) -> String {
        let ok = match self.ok() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        let relative = matches!(self.must, Some(Must::AtLeast(_) | Must::AtMost(_) | Must::Within(_)));
        let peer = match &self.peer {
            Some(peer) => format!("{} {}", number(peer.value), peer.name),
            None if relative => "missing".into(),
            None => "-".into(),
        };
        columns([
            self.name.clone(),
            number(self.value),
            self.unit.into(),
            self.must.map_or_else(|| "-".into(), Must::text),
            self.aim.map_or_else(|| "-".into(), number),
            ok.into(),
            peer,
            self.ratio().map_or_else(|| "-".into(), fixed),
            self.note.clone().unwrap_or_default(),
        ])
    }
}

/// A row of which there must be at least so many.
pub fn least(name: &str, value: f64, unit: &'static str, must: f64, aim: f64) -> Row {
    Row::new(name, value, unit).must(Must::Least(must)).aim(aim)
}

/// A row of which there must be at most so many.
pub fn most(name: &str, value: f64, unit: &'static str, must: f64, aim: f64) -> Row {
    Row::new(name, value, unit).must(Must::Most(must)).aim(aim)
}

fn columns([name, value, unit, must, aim, ok, peer, ratio, note]: [String; 9]) -> String {
    let judged = format!("{name:<26} {value:>12}  {unit:<12} {must:<16} {aim:>10} {ok:<3}");
    format!("{judged} {peer:<48} {ratio:>8}  {note}").trim_end().to_owned()
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_must_is_judged_by_the_peer_of_the_same_run() {
        let row = Row::new("a.b", 50.0, "turns/s").must(Must::AtLeast(0.5));
        assert_eq!(row.ok(), None, "nothing to judge it by");
        assert!(row.line().contains("missing"));
        assert_eq!(row.clone().beside("x", 100.0).ok(), Some(true));
        assert_eq!(row.clone().beside("x", 101.0).ok(), Some(false));
        let row = row.must(Must::AtMost(2.0));
        assert_eq!(row.clone().beside("x", 25.0).ok(), Some(true));
        assert_eq!(row.beside("x", 24.0).ok(), Some(false));
        assert_eq!(Row::new("a", 0.0, "requests").must(Must::Zero).ok(), Some(true));
        assert_eq!(Row::new("a", 1.0, "requests").must(Must::Zero).ok(), Some(false));
    }

    #[test]
    fn json_has_every_field_and_null_where_there_is_nothing() {
        let bare = Row::new("a", 1.5, "ms").json();
        assert_eq!(
            bare,
            json!({
                "name": "a", "value": 1.5, "unit": "ms", "must": null, "aim": null, "ok": null, "peer": null,
                "ratio": null, "note": null
            })
        );
        let whole = Row::new("a", 3.0, "ms").must(Must::AtMost(4.0)).beside("b", 2.0).json();
        assert_eq!(whole["peer"], json!({ "name": "b", "value": 2.0 }));
        assert_eq!((&whole["ratio"], &whole["ok"]), (&json!(1.5), &json!(true)));
        assert_eq!(whole["must"], "ratio <= 4");
        let judged = Row::new("a", 9.0, "runs").must(Must::Least(1e6)).aim(3e6).note("of ten").json();
        assert_eq!((&judged["must"], &judged["ok"]), (&json!("value >= 1000000"), &json!(false)));
        assert_eq!((&judged["aim"], &judged["note"]), (&json!(3e6), &json!("of ten")));
    }
}
