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
    /// What it is measured beside; none when the peer is missing or there is none.
    pub peer: Option<Peer>,
}

impl Must {
    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("ratio >= {bound}"),
            Self::AtMost(bound) => format!("ratio <= {bound}"),
            Self::Within(bound) => format!("within {bound:.2}"),
            Self::Zero => "value = 0".into(),
        }
    }
}

impl Row {
    /// A row that only reports, with nothing beside it yet.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, must: None, peer: None }
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
            "ok": self.ok(),
            "peer": peer,
            "ratio": self.ratio().map(|ratio| (ratio * 10_000.0).round() / 10_000.0),
        })
    }

    /// The heads of the columns.
    pub fn head() -> String {
        columns(["NAME", "VALUE", "UNIT", "MUST", "OK", "PEER", "RATIO"].map(str::to_owned))
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
            ok.into(),
            peer,
            self.ratio().map_or_else(|| "-".into(), fixed),
        ])
    }
}

fn columns([name, value, unit, must, ok, peer, ratio]: [String; 7]) -> String {
    format!("{name:<24} {value:>12}  {unit:<12} {must:<14} {ok:<3} {peer:<48} {ratio:>8}").trim_end().to_owned()
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
            json!({ "name": "a", "value": 1.5, "unit": "ms", "must": null, "ok": null, "peer": null, "ratio": null })
        );
        let whole = Row::new("a", 3.0, "ms").must(Must::AtMost(4.0)).beside("b", 2.0).json();
        assert_eq!(whole["peer"], json!({ "name": "b", "value": 2.0 }));
        assert_eq!((&whole["ratio"], &whole["ok"]), (&json!(1.5), &json!(true)));
        assert_eq!(whole["must"], "ratio <= 4");
    }
}
