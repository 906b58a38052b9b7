//! Stock (C): how much there is of everything, in memory, with every reservation kept in `stock.log`.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::{Answer, Request};
use crate::journal::Journal;
use crate::json::Object;
use crate::server::Handler;
use crate::service::Identity;

/// What lies in the shelves of a new instance.
const FIRST_STOCK: [(&str, u64); 3] = [("cake", 1_000), ("coffee", 100_000), ("tea", 100_000)];

/// How many orders are remembered, so that one that comes again is known.
const ORDERS_REMEMBERED_MAX: usize = 10_000;

struct Stock {
    identity: Identity,
    kept: Mutex<Kept>,
}

struct Kept {
    journal: Journal,
    left: BTreeMap<String, u64>,
    /// Orders that were served already: an order that comes twice is taken from the shelves once.
    orders: BTreeMap<String, Reservation>,
    /// The names of those orders, oldest first.
    names: VecDeque<String>,
}

/// So many of an item, taken for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Whose it is; a name that is never used twice.
    pub order: String,
    /// What was ordered.
    pub item: String,
    /// How many.
    pub count: u64,
}

impl Reservation {
    /// Reads `ORDER ITEM COUNT`.
    pub fn parse(line: &str) -> Option<Reservation> {
        let mut words = line.split_whitespace();
        let (order, item, count) = (words.next()?, words.next()?, words.next()?);
        let count = count.parse().ok().filter(|count| (1..=1_000).contains(count))?;
        words.next().is_none().then(|| Reservation { order: order.to_owned(), item: item.to_owned(), count })
    }

    /// Writes what `parse` reads.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.order, self.item, self.count)
    }
}

/// Opens the stock kept in this directory.
pub fn open(identity: &Identity, directory: &Path) -> Result<Arc<dyn Handler>, String> {
    let path = directory.join("stock.log");
    let (journal, lines) =
        Journal::open(&path).map_err(|problem| format!("cannot keep stock in {}: {problem}", path.display()))?;
    let left = FIRST_STOCK.map(|(item, count)| (item.to_owned(), count)).into();
    let mut kept = Kept { journal, left, orders: BTreeMap::new(), names: VecDeque::new() };
    for line in &lines {
        let reservation =
            Reservation::parse(line).ok_or_else(|| format!("{} has a strange line: {line}", path.display()))?;
        kept.take(&reservation);
    }
    Ok(Arc::new(Stock { identity: identity.clone(), kept: Mutex::new(kept) }))
}

impl Handler for Stock {
    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/stock") => self.list(),
            ("POST", "/reserve") => self.reserve(&request.body),
            (_, "/stock" | "/reserve") => self.identity.problem(405, "stock is read with GET, reserved with POST"),
            _ => self.identity.problem(404, "here are /stock, /reserve and /healthz"),
        }
    }
}

impl Stock {
    fn list(&self) -> Answer {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let list = kept.left.iter().fold(Object::new(), |list, (item, left)| list.number(item, *left));
        Answer::new(200, self.identity.object().json("left", &list.finish()).finish())
    }

    fn reserve(&self, body: &[u8]) -> Answer {
        let Some(reservation) = Reservation::parse(&String::from_utf8_lossy(body)) else {
            return self.identity.problem(400, "a reservation is a body like `ORDER tea 2`, of 1 to 1000");
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = kept.orders.get(&reservation.order) {
            if *earlier != reservation {
                return self.identity.problem(409, "this order was another one before");
            }
            return self.reserved(&reservation, &kept);
        }
        let left = kept.left.get(&reservation.item).copied().unwrap_or(0);
        if left < reservation.count {
            return self.identity.problem(409, &format!("there are {left} of {} left", reservation.item));
        }
        if let Err(problem) = kept.journal.append(&reservation.line()) {
            return self.identity.problem(500, &format!("the reservation could not be kept: {problem}"));
        }
        kept.take(&reservation);
        self.reserved(&reservation, &kept)
    }

    fn reserved(&self, reservation: &Reservation, kept: &Kept) -> Answer {
        let left = kept.left.get(&reservation.item).copied().unwrap_or(0);
        let object = self.identity.object().text("order", &reservation.order).text("item", &reservation.item);
        Answer::new(200, object.number("count", reservation.count).number("left", left).finish())
    }
}

impl Kept {
    fn take(&mut self, reservation: &Reservation) {
        if let Some(left) = self.left.get_mut(&reservation.item) {
            *left = left.saturating_sub(reservation.count);
        }
        self.orders.insert(reservation.order.clone(), reservation.clone());
        self.names.push_back(reservation.order.clone());
        if self.names.len() > ORDERS_REMEMBERED_MAX
            && let Some(oldest) = self.names.pop_front()
        {
            self.orders.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::directory;
    use crate::service::test_identity;

    fn request(method: &str, path: &str, body: &str) -> Request {
        Request { method: method.into(), path: path.into(), body: body.into(), keep_alive: true }
    }

    fn text(answer: Answer) -> String {
        String::from_utf8(answer.body).expect("text")
    }

    #[test]
    fn an_order_is_taken_from_the_shelves_once_and_stays_taken() {
        let directory = directory("an_order_is_taken");
        let stock = open(&test_identity("c/0"), &directory).expect("opened");
        for _ in 0..2 {
            let answer = text(stock.answer(&request("POST", "/reserve", "a/3-1 tea 2")));
            assert!(answer.ends_with(r#""order":"a/3-1","item":"tea","count":2,"left":99998}"#), "{answer}");
        }
        assert_eq!(stock.answer(&request("POST", "/reserve", "a/3-1 tea 3")).status, 409);
        drop(stock);
        let stock = open(&test_identity("c/0"), &directory).expect("opened again");
        let list = text(stock.answer(&request("GET", "/stock", "")));
        assert!(list.ends_with(r#""left":{"cake":1000,"coffee":100000,"tea":99998}}"#), "{list}");
    }

    #[test]
    fn what_is_not_there_cannot_be_ordered() {
        let stock = open(&test_identity("c/0"), &directory("what_is_not_there")).expect("opened");
        assert_eq!(stock.answer(&request("POST", "/reserve", "1 cake 1000")).status, 200);
        let refused = stock.answer(&request("POST", "/reserve", "2 cake 1"));
        assert_eq!(refused.status, 409);
        assert!(text(refused).contains("there are 0 of cake left"));
        for body in ["", "3 tea", "3 tea 0", "3 tea 1001", "3 tea many", "3 tea 1 more"] {
            assert_eq!(stock.answer(&request("POST", "/reserve", body)).status, 400, "{body}");
        }
    }
}
