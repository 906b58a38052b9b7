//! What the proxies are told: routes, services and the endpoints behind them. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::target::{host_name, normalise};

/// The host of a route that takes every host.
pub const ANY_HOST: &str = "*";

/// One running instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The instance's id.
    pub instance: String,
    /// Its name for people, such as `a/3`.
    pub label: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The revision of its job that it runs.
    pub revision: u32,
    /// Whether it may be given requests.
    pub healthy: bool,
}

/// The endpoints behind one name, and how much of the traffic each revision gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backends {
    /// All instances, healthy or not.
    pub endpoints: Vec<Endpoint>,
    /// Percent by revision; a revision that is not listed gets nothing. Empty: all endpoints share
    /// alike, whatever their revision.
    pub weights: BTreeMap<u32, u32>,
}

/// A way in from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The route's name, as people and the log call it.
    pub name: String,
    /// The host it answers for, or [`ANY_HOST`].
    pub host: String,
    /// The path prefix it answers for; `/` is everything.
    pub prefix: String,
    /// Who may enter: `group:staff`, `user:ann`. Empty: everyone.
    pub permit: Vec<String>,
    /// Where it leads.
    pub backends: Backends,
}

/// Everything the proxies of one node are told; replaced as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The ways in from outside.
    pub routes: Vec<Route>,
    /// What links lead to, by name (`shop/b`).
    pub services: BTreeMap<String, Backends>,
}

/// Why a table was not taken; the one before it stays in force.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// The host cannot be matched.
    #[error("route {route:?}: {host:?} is not a host name; write a name without a port, or *")]
    Host {
        /// The route.
        route: String,
        /// Its host.
        host: String,
    },
    /// The prefix cannot be matched.
    #[error("route {route:?}: {prefix:?} is not a path prefix; write it plainly, such as /shop")]
    Prefix {
        /// The route.
        route: String,
        /// Its prefix.
        prefix: String,
    },
    /// Two routes have one name.
    #[error("two routes are named {route:?}; a name belongs to one route")]
    TwoNames {
        /// The name.
        route: String,
    },
    /// Two routes want the same requests.
    #[error("routes {first:?} and {second:?} both answer for {host}{prefix}; change one")]
    SamePlace {
        /// The one listed first.
        first: String,
        /// The other.
        second: String,
        /// Their host.
        host: String,
        /// Their prefix.
        prefix: String,
    },
}

impl Table {
    /// Checks what routing relies on. Returns for each route its normalised host and prefix (the
    /// latter without its last slash).
    pub(crate) fn places(&self) -> Result<Vec<(String, String)>, TableError> {
        let mut names = BTreeSet::new();
        let mut taken: BTreeMap<(String, String), &str> = BTreeMap::new();
        let mut places = Vec::with_capacity(self.routes.len());
        for route in &self.routes {
            let name = &route.name;
            if !names.insert(name) {
                return Err(TableError::TwoNames { route: name.clone() });
            }
            let host = match route.host.as_str() {
                ANY_HOST => Some(ANY_HOST.to_owned()),
                named => host_name(named).filter(|_| !has_port(named)).map(|host| host.into_owned()),
            };
            let host = host.ok_or_else(|| TableError::Host { route: name.clone(), host: route.host.clone() })?;
            let prefix = normalise(&route.prefix)
                .map_err(|_| TableError::Prefix { route: name.clone(), prefix: route.prefix.clone() })?;
            let prefix = prefix.trim_end_matches('/').to_owned();
            let place = (host, prefix);
            if let Some(first) = taken.insert(place.clone(), name) {
                return Err(TableError::SamePlace {
                    first: first.to_owned(),
                    second: name.clone(),
                    host: place.0,
                    prefix: route.prefix.clone(),
                });
            }
            places.push(place);
        }
        Ok(places)
    }
}

fn has_port(host: &str) -> bool {
    !host.starts_with('[') && host.contains(':') || host.contains("]:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, host: &str, prefix: &str) -> Route {
        Route {
            name: name.to_owned(),
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            permit: Vec::new(),
            backends: Backends::default(),
        }
    }

    #[test]
    fn places_are_normalised_and_belong_to_one_route() {
        let routes = vec![route("a", "A.Test", "/x/"), route("b", "*", "/")];
        let mut table = Table { routes, ..Table::default() };
        let places = table.places().expect("two different places");
        assert_eq!(places, [("a.test".into(), "/x".into()), ("*".into(), String::new())]);

        table.routes.push(route("c", "a.test", "/y/../x"));
        assert!(matches!(table.places(), Err(TableError::SamePlace { .. })));
        table.routes[2] = route("a", "c.test", "/");
        assert!(matches!(table.places(), Err(TableError::TwoNames { .. })));
        table.routes[2] = route("c", "c.test:80", "/");
        assert!(matches!(table.places(), Err(TableError::Host { .. })));
        table.routes[2] = route("c", "c.test", "x");
        assert!(matches!(table.places(), Err(TableError::Prefix { .. })));
    }
}
