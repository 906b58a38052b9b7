//! The storefront (A): shows what there is and what it costs, and takes orders, kept in `orders.log`.

use std::env;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::client::{Client, ClientError};
use crate::http::{Answer, Request};
use crate::journal::Journal;
use crate::server::Handler;
use crate::service::Identity;
use crate::stock::Reservation;

/// The variables that say where prices and stock are reached.
const LINKS: [&str; 2] = ["LINK_B", "LINK_C"];

struct Storefront {
    identity: Identity,
    prices: Client,
    stock: Client,
    kept: Mutex<Kept>,
    /// Sets the orders of this process apart from those of the one before.
    started_ms: u128,
}

struct Kept {
    journal: Journal,
    orders: u64,
    begun: u64,
}

/// Opens the orders kept in this directory, and finds prices and stock in the environment.
pub fn open(identity: &Identity, directory: &Path) -> Result<Arc<dyn Handler>, String> {
    let [prices, stock] = LINKS.map(|variable| {
        let address = env::var(variable)
            .map_err(|_| format!("{variable} is not set; it says where to reach the service, http://127.0.0.1:PORT"))?;
        Client::new(&address).map_err(|problem| format!("{variable}: {problem}"))
    });
    Ok(Arc::new(Storefront::open(identity, directory, prices?, stock?)?))
}

impl Storefront {
    fn open(identity: &Identity, directory: &Path, prices: Client, stock: Client) -> Result<Storefront, String> {
        let path = directory.join("orders.log");
        let (journal, lines) =
            Journal::open(&path).map_err(|problem| format!("cannot keep orders in {}: {problem}", path.display()))?;
        let kept = Mutex::new(Kept { journal, orders: lines.len() as u64, begun: 0 });
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let started_ms = started.as_millis();
        Ok(Storefront { identity: identity.clone(), prices, stock, kept, started_ms })
    }
}

impl Handler for Storefront {
    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => self.show(),
            ("POST", "/orders") => self.order(&request.body),
            (_, "/" | "/orders") => self.identity.problem(405, "look with GET /, order with POST /orders"),
            _ => self.identity.problem(404, "here are /, /orders and /healthz"),
        }
    }
}

impl Storefront {
    fn show(&self) -> Answer {
        let shown = self.ask("prices (b)", self.prices.get("/prices")).and_then(|prices| {
            let stock = self.ask("stock (c)", self.stock.get("/stock"))?;
            Ok((prices, stock))
        });
        match shown {
            Ok((prices, stock)) => {
                let orders = self.kept.lock().unwrap_or_else(PoisonError::into_inner).orders;
                let object = self.identity.object().number("orders", orders);
                Answer::new(200, object.json("prices", &prices).json("stock", &stock).finish())
            }
            Err(answer) => answer,
        }
    }

    fn order(&self, body: &[u8]) -> Answer {
        let line = format!("{} {}", self.next_order(), String::from_utf8_lossy(body));
        let Some(reservation) = Reservation::parse(&line) else {
            return self.identity.problem(400, "an order is a body like `tea 2`, of 1 to 1000");
        };
        let reserved = match self.stock.post("/reserve", reservation.line().as_bytes()) {
            Ok(refused) if refused.status == 409 => return refused,
            result => self.ask("stock (c)", result),
        };
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(answer) => return answer,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(problem) = kept.journal.append(&reservation.line()) {
            return self.identity.problem(500, &format!("the order could not be kept: {problem}"));
        }
        kept.orders += 1;
        let object = self.identity.object().text("order", &reservation.order).number("orders", kept.orders);
        Answer::new(201, object.json("stock", &reserved).finish())
    }

    /// A name for an order that no other order of the shop has.
    fn next_order(&self) -> String {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.begun += 1;
        format!("{}-{}-{}", self.identity.instance, self.started_ms, kept.begun)
    }

    /// The JSON of a good answer, or what to tell the visitor instead.
    fn ask(&self, whom: &str, result: Result<Answer, ClientError>) -> Result<String, Answer> {
        match result {
            Ok(answer) if answer.is_success() => String::from_utf8(answer.body)
                .map_err(|_| self.identity.problem(502, &format!("{whom} answered with something that is not text"))),
            Ok(answer) => Err(self.identity.problem(502, &format!("{whom} answered with status {}", answer.status))),
            Err(problem) => Err(self.identity.problem(502, &format!("{whom}: {problem}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::directory;
    use crate::server::Server;
    use crate::service::test_identity;
    use crate::{prices, stock};
    use std::net::SocketAddr;

    fn client(server: &Server) -> Client {
        Client::new(&format!("http://{}", server.address())).expect("an address")
    }

    fn start(handler: Arc<dyn Handler>) -> Server {
        Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), handler).expect("a free port")
    }

    fn text(answer: Answer) -> String {
        String::from_utf8(answer.body).expect("text")
    }

    #[test]
    fn a_visitor_sees_prices_and_stock_and_orders() {
        let directory = directory("a_visitor");
        let b = start(prices::open(&test_identity("b/1"), &directory).expect("opened"));
        let c = start(stock::open(&test_identity("c/2"), &directory).expect("opened"));
        let a = Storefront::open(&test_identity("a/3"), &directory, client(&b), client(&c)).expect("opened");
        let a = start(Arc::new(a));
        let visitor = client(&a);

        let ordered = visitor.post("/orders", b"tea 2").expect("answered");
        assert_eq!(ordered.status, 201);
        assert!(text(ordered).contains(r#""left":99998"#));
        assert_eq!(visitor.post("/orders", b"tea lots").expect("answered").status, 400);
        assert_eq!(visitor.post("/orders", b"gold 1").expect("answered").status, 409);

        let page = visitor.get("/").expect("answered");
        assert_eq!(page.status, 200);
        let page = text(page);
        for part in [r#""instance":"a/3""#, r#""instance":"b/1""#, r#""instance":"c/2""#, r#""orders":1,"#] {
            assert!(page.contains(part), "{part} in {page}");
        }
        let kept = std::fs::read_to_string(directory.join("orders.log")).expect("orders are kept");
        assert!(kept.starts_with("a/3-") && kept.ends_with(" tea 2\n"), "{kept}");
    }

    #[test]
    fn a_part_that_cannot_be_reached_is_named() {
        let directory = directory("a_part_that_cannot_be_reached");
        let b = start(prices::open(&test_identity("b/1"), &directory).expect("opened"));
        let c = start(stock::open(&test_identity("c/2"), &directory).expect("opened"));
        let a = Storefront::open(&test_identity("a/3"), &directory, client(&b), client(&c)).expect("opened");
        let a = start(Arc::new(a));
        let visitor = client(&a);
        assert_eq!(visitor.get("/").expect("answered").status, 200);
        assert!(c.stop());
        for answer in [visitor.get("/"), visitor.post("/orders", b"tea 1")] {
            let answer = answer.expect("answered");
            assert_eq!(answer.status, 502);
            let said = text(answer);
            assert!(said.contains(&format!("stock (c): no answer from http://{}", c.address())), "{said}");
        }
        assert_eq!(visitor.get("/healthz").expect("answered").status, 404, "health is answered a layer above");
    }
}
