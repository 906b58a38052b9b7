//! The table in force, shared by the ingress and all links of a process.
//!
//! `publish` turns a `Table` into an immutable snapshot and swaps it in. What must outlive one
//! table goes over from snapshot to snapshot: connections by endpoint, turns by route, counters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::balance::{Balance, Member, SharedWheel};
use super::meter::{Meter, Reading};
use super::table::{ANY_HOST, Backends, Endpoint, Table, TableError};
use super::target::is_under;
use super::upstream::{Upstream, locked};

/// Revisions of one route whose counters are kept after they left the table.
const PAST_REVISIONS_MAX: usize = 32;

/// What a name belongs to: routes and services may be called alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From outside.
    Route,
    /// From another job.
    Service,
}

/// A route or service, ready for use.
pub(crate) struct Destination {
    pub name: String,
    pub permit: Vec<String>,
    pub balance: Balance,
    prefix: String,
}

/// One table, ready for use.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// By host; the longest prefix first.
    hosts: BTreeMap<String, Vec<Arc<Destination>>>,
    services: BTreeMap<String, Arc<Destination>>,
}

impl Snapshot {
    /// The route for a normalised host and path: the host's own routes go before those of any host,
    /// a longer prefix before a shorter one.
    pub(crate) fn route(&self, host: &str, path: &str) -> Option<&Arc<Destination>> {
        let of = |host: &str| {
            let routes = self.hosts.get(host)?;
            routes.iter().find(|route| is_under(path, &route.prefix))
        };
        of(host).or_else(|| of(ANY_HOST))
    }

    pub(crate) fn service(&self, name: &str) -> Option<&Arc<Destination>> {
        self.services.get(name)
    }
}

type EndpointKey = (Way, String, u32, String);

/// What goes over from one table to the next.
#[derive(Default)]
struct Lasting {
    upstreams: BTreeMap<(String, SocketAddr), Arc<Upstream>>,
    wheels: BTreeMap<(Way, String), SharedWheel>,
    revisions: BTreeMap<(Way, String), BTreeMap<u32, Arc<Meter>>>,
    endpoints: BTreeMap<EndpointKey, (String, Arc<Meter>)>,
}

#[derive(Default)]
struct Shared {
    snapshot: RwLock<Arc<Snapshot>>,
    lasting: Mutex<Lasting>,
}

/// A handle to the table in force. Clones are the same table.
#[derive(Clone, Default)]
pub struct Tables(Arc<Shared>);

/// Counters of one revision, or of one endpoint, on one route or service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Route or service.
    pub way: Way,
    /// Its name.
    pub name: String,
    /// The revision.
    pub revision: u32,
    /// The instance id and label; none for the revision as a whole.
    pub endpoint: Option<(String, String)>,
    /// The counters.
    pub reading: Reading,
}

impl Tables {
    /// An empty table: every request is answered with 404.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `table` in force. Requests under way finish as they began; connections kept for
    /// endpoints that are gone are closed. A table that contradicts itself changes nothing.
    pub fn publish(&self, table: &Table) -> Result<(), TableError> {
        let places = table.places()?;
        let mut lasting = locked(&self.0.lasting);
        let mut next = Carried { before: &lasting, after: Lasting::default() };
        let mut snapshot = Snapshot::default();
        for (route, (host, prefix)) in table.routes.iter().zip(places) {
            let balance = next.balance(Way::Route, &route.name, &route.backends);
            let destination = Destination { name: route.name.clone(), permit: route.permit.clone(), balance, prefix };
            snapshot.hosts.entry(host).or_default().push(Arc::new(destination));
        }
        for routes in snapshot.hosts.values_mut() {
            routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        }
        for (name, backends) in &table.services {
            let destination = Destination {
                name: name.clone(),
                permit: Vec::new(),
                balance: next.balance(Way::Service, name, backends),
                prefix: String::new(),
            };
            snapshot.services.insert(name.clone(), Arc::new(destination));
        }
        let after = next.after;
        *self.0.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        for upstream in after.upstreams.values() {
            upstream.sweep_idle();
        }
        for (key, upstream) in &lasting.upstreams {
            if !after.upstreams.contains_key(key) {
                upstream.retire();
            }
        }
        *lasting = after;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        self.0.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests answered on a route, by revision, since the route exists.
    pub fn served(&self, route: &str) -> BTreeMap<u32, u64> {
        let lasting = locked(&self.0.lasting);
        let meters = lasting.revisions.get(&(Way::Route, route.to_owned()));
        let meters = meters.into_iter().flatten();
        meters.map(|(revision, meter)| (*revision, meter.read().requests)).collect()
    }

    /// All counters: by revision, then by endpoint.
    pub fn usage(&self) -> Vec<Usage> {
        let lasting = locked(&self.0.lasting);
        let mut all = Vec::new();
        for ((way, name), revisions) in &lasting.revisions {
            all.extend(revisions.iter().map(|(revision, meter)| Usage {
                way: *way,
                name: name.clone(),
                revision: *revision,
                endpoint: None,
                reading: meter.read(),
            }));
        }
        for ((way, name, revision, instance), (label, meter)) in &lasting.endpoints {
            all.push(Usage {
                way: *way,
                name: name.clone(),
                revision: *revision,
                endpoint: Some((instance.clone(), label.clone())),
                reading: meter.read(),
            });
        }
        all
    }
}

/// Builds what comes after out of what was before.
struct Carried<'a> {
    before: &'a Lasting,
    after: Lasting,
}

impl Carried<'_> {
    fn balance(&mut self, way: Way, name: &str, backends: &Backends) -> Balance {
        let key = (way, name.to_owned());
        let wheel = match self.before.wheels.get(&key) {
            Some(wheel) if wheel.fits(&backends.weights) => wheel.clone(),
            _ => SharedWheel::new(&backends.weights),
        };
        let mut revisions = self.before.revisions.get(&key).cloned().unwrap_or_default();
        let mut members = Vec::new();
        for endpoint in &backends.endpoints {
            let revision_meter = revisions.entry(endpoint.revision).or_default().clone();
            let member = self.member(way, name, endpoint, revision_meter);
            if endpoint.healthy {
                members.push(Arc::new(member));
            }
        }
        while revisions.len() > PAST_REVISIONS_MAX {
            let in_use = |revision: &u32| backends.endpoints.iter().any(|e| e.revision == *revision);
            let Some(past) = revisions.keys().find(|revision| !in_use(revision)).copied() else {
                break;
            };
            revisions.remove(&past);
        }
        self.after.revisions.insert(key.clone(), revisions);
        self.after.wheels.insert(key, wheel.clone());
        Balance::new(members, wheel)
    }

    fn member(&mut self, way: Way, name: &str, endpoint: &Endpoint, revision_meter: Arc<Meter>) -> Member {
        let place = (endpoint.instance.clone(), endpoint.address);
        let before = self.before.upstreams.get(&place);
        let upstream = self.after.upstreams.entry(place).or_insert_with(|| match before {
            Some(upstream) => upstream.clone(),
            None => Arc::new(Upstream::new(endpoint.address)),
        });
        let key = (way, name.to_owned(), endpoint.revision, endpoint.instance.clone());
        let meter = match self.before.endpoints.get(&key) {
            Some((_, meter)) => meter.clone(),
            None => Arc::default(),
        };
        self.after.endpoints.insert(key, (endpoint.label.clone(), meter.clone()));
        Member {
            label: endpoint.label.clone(),
            revision: endpoint.revision,
            upstream: upstream.clone(),
            meter,
            revision_meter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::table::Route;

    fn route(name: &str, host: &str, prefix: &str) -> Route {
        let (name, host, prefix) = (name.to_owned(), host.to_owned(), prefix.to_owned());
        Route { name, host, prefix, permit: Vec::new(), backends: Backends::default() }
    }

    #[test]
    fn the_longest_prefix_of_the_own_host_wins() {
        let mut table = Table::default();
        table.routes.push(route("any", "*", "/"));
        table.routes.push(route("shop", "shop.test", "/"));
        table.routes.push(route("deny", "shop.test", "/deny"));
        table.routes.push(route("deeper", "shop.test", "/deny/but/this"));
        let tables = Tables::new();
        tables.publish(&table).expect("a sound table");
        let snapshot = tables.current();
        for (host, path, name) in [
            ("shop.test", "/", "shop"),
            ("shop.test", "/denying", "shop"),
            ("shop.test", "/deny", "deny"),
            ("shop.test", "/deny/but/that", "deny"),
            ("shop.test", "/deny/but/this/one", "deeper"),
            ("other.test", "/deny", "any"),
        ] {
            let found = snapshot.route(host, path).map(|route| route.name.as_str());
            assert_eq!(found, Some(name), "{host}{path}");
        }
    }
}
