//! Prices (B): what everything costs, in cents, with every change kept in `prices.log`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::{Answer, Request};
use crate::journal::Journal;
use crate::json::Object;
use crate::server::Handler;
use crate::service::Identity;

/// What the shop asks before anybody changed a price.
const FIRST_PRICES: [(&str, u64); 3] = [("cake", 420), ("coffee", 310), ("tea", 250)];

struct Prices {
    identity: Identity,
    kept: Mutex<Kept>,
}

struct Kept {
    journal: Journal,
    cents: BTreeMap<String, u64>,
}

/// Opens the price list kept in this directory.
pub fn open(identity: &Identity, directory: &Path) -> Result<Arc<dyn Handler>, String> {
    let path = directory.join("prices.log");
    let said = |problem| format!("cannot keep prices in {}: {problem}", path.display());
    let (journal, lines) = Journal::open(&path).map_err(said)?;
    let mut cents: BTreeMap<String, u64> = FIRST_PRICES.map(|(item, cents)| (item.to_owned(), cents)).into();
    for line in &lines {
        let (item, price) = parse(line).ok_or_else(|| format!("{} has a strange line: {line}", path.display()))?;
        cents.insert(item, price);
    }
    Ok(Arc::new(Prices { identity: identity.clone(), kept: Mutex::new(Kept { journal, cents }) }))
}

impl Handler for Prices {
    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/prices") => self.list(200),
            ("POST", "/prices") => self.change(&request.body),
            (_, "/prices") => self.identity.problem(405, "prices are read with GET and changed with POST"),
            _ => self.identity.problem(404, "here are /prices and /healthz"),
        }
    }
}

impl Prices {
    fn list(&self, status: u16) -> Answer {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let list = kept.cents.iter().fold(Object::new(), |list, (item, cents)| list.number(item, *cents));
        Answer::new(status, self.identity.object().json("cents", &list.finish()).finish())
    }

    fn change(&self, body: &[u8]) -> Answer {
        let line = String::from_utf8_lossy(body);
        let Some((item, price)) = parse(&line) else {
            return self.identity.problem(400, "a price is changed with a body like `tea=250`, in cents");
        };
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(problem) = kept.journal.append(&format!("{item}={price}")) {
                return self.identity.problem(500, &format!("the price could not be kept: {problem}"));
            }
            kept.cents.insert(item, price);
        }
        self.list(200)
    }
}

fn parse(line: &str) -> Option<(String, u64)> {
    let (item, cents) = line.trim().split_once('=')?;
    let plain = !item.is_empty() && item.len() <= 64 && item.chars().all(|letter| letter.is_ascii_alphanumeric());
    plain.then_some((item.to_owned(), cents.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::directory;
    use crate::service::test_identity;

    #[test]
    fn a_changed_price_is_still_changed_after_a_restart() {
        let directory = directory("a_changed_price");
        let identity = test_identity("b/0");
        let post =
            |body: &str| Request { method: "POST".into(), path: "/prices".into(), body: body.into(), keep_alive: true };
        let prices = open(&identity, &directory).expect("opened");
        assert_eq!(prices.answer(&post("tea=275")).status, 200);
        assert_eq!(prices.answer(&post("tea")).status, 400);
        drop(prices);
        let prices = open(&identity, &directory).expect("opened again");
        let list = prices.answer(&Request { method: "GET".into(), ..post("") });
        let text = String::from_utf8(list.body).expect("text");
        assert!(text.contains(r#""instance":"b/0""#), "{text}");
        assert!(text.ends_with(r#""cents":{"cake":420,"coffee":310,"tea":275}}"#), "{text}");
    }
}
