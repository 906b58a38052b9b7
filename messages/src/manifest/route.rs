//! `[route."host/path"]`.

use super::check::{Reference, Relation};
use super::model::{Manifest, RouteSpec};
use super::reader::{Item, Reader, is_name};
use std::collections::BTreeMap;

/// Every route of a manifest.
pub(super) fn routes(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    manifest: &mut Manifest,
    references: &mut Vec<Reference>,
) {
    let mut taken: BTreeMap<(String, String), String> = BTreeMap::new();
    for (name, item) in reader.entries(item, "tables like [route.\"host/path\"]") {
        let Some(spec) = route(reader, &manifest.realm, name, &item, references) else { continue };
        if let Some(other) = taken.insert((spec.host.clone(), spec.path.clone()), name.into()) {
            reader.fault(item.key_at, &item.path, format!("answers to the same host and path as route {other:?}"));
        }
        manifest.routes.insert(name.into(), spec);
    }
}

fn route(
    reader: &mut Reader<'_>,
    realm: &str,
    name: &str,
    item: &Item<'_>,
    references: &mut Vec<Reference>,
) -> Option<RouteSpec> {
    let table = reader.table(item, &["to", "port", "permit", "path"])?;
    let (host, tail) = name.split_once('/').map_or((name, None), |(host, tail)| (host, Some(format!("/{tail}"))));
    let host = host.to_ascii_lowercase();
    if !is_host(&host) {
        let expected = Some("a host and perhaps a path, like \"a.shop.test/api\"".to_owned());
        let suggestion = without_scheme(name);
        reader.note(item.key_at, &item.path, format!("{name:?} does not begin with a host"), expected, suggestion);
        return None;
    }
    let written = table.get("path").and_then(|item| Some((reader.text(&item, "a path")?, item)));
    if let (Some(tail), Some((_, item))) = (&tail, &written) {
        let message = format!("the route's name has a path already, {tail:?}; say it once");
        reader.fault(item.key_at, &item.path, message);
    }
    let path_item = written.as_ref().map_or(item, |(_, item)| item);
    let path = tail.or_else(|| written.as_ref().map(|(path, _)| path.clone())).unwrap_or_else(|| "/".into());
    let path = tidy_path(reader, path_item, &path);
    let permit = table.get("permit").map(|item| permit(reader, &item)).unwrap_or_default();
    let port_item = table.get("port");
    let port = port_item.as_ref().and_then(|item| reader.text(item, "the name of a port"));
    let Some(to) = table.get("to") else {
        let expected = Some("the job it leads to, like to = \"a\"".to_owned());
        reader.note(item.key_at, &item.path, "missing field \"to\"", expected, None);
        return None;
    };
    let target = reader.text(&to, "the name of a job")?;
    references.push(Reference {
        from: name.into(),
        to: target.clone(),
        relation: Relation::Route,
        at: to.at(),
        path: to.path.clone(),
        port: port.clone(),
        port_at: port_item.map_or(to.at(), |item| item.at()),
    });
    Some(RouteSpec { realm: realm.into(), name: name.into(), host, path, to: target, port, permit })
}

fn without_scheme(name: &str) -> Option<String> {
    let bare = name.split_once("://")?.1.trim_end_matches('/');
    is_host(bare.split('/').next()?).then(|| bare.to_owned())
}

/// A DNS name or an address: labels between dots.
fn is_host(host: &str) -> bool {
    host.len() <= 253 && host.split('.').all(is_name)
}

/// The path as the proxy compares it: no trailing slash, nothing that would be normalised away.
fn tidy_path(reader: &mut Reader<'_>, item: &Item<'_>, path: &str) -> String {
    let strange =
        |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '%' | '?' | '#' | '\\');
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let inner = trimmed.strip_prefix('/').unwrap_or(trimmed);
    let rooted = path.starts_with('/');
    let plain = inner.is_empty() || inner.split('/').all(|piece| !matches!(piece, "" | "." | ".."));
    if !rooted || !plain || path.contains(strange) {
        let expected = Some("one that begins with /, without //, . and .., %, ?, # or spaces".to_owned());
        reader.note(item.key_at, &item.path, format!("{path:?} is not a plain path"), expected, None);
    }
    if trimmed.is_empty() { "/".into() } else { trimmed.into() }
}

fn permit(reader: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let mut permits = Vec::new();
    for item in reader.list(item, "a list, like [\"group:staff\", \"user:ann\"]") {
        let Some(who) = reader.text(&item, "user:NAME or group:NAME") else { continue };
        let named = ["user:", "group:"].iter().filter_map(|prefix| who.strip_prefix(prefix)).any(|name| {
            !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        });
        if !named {
            let suggestion = Some(format!("group:{who}")).filter(|_| !who.is_empty() && !who.contains([':', ' ']));
            let expected = Some("user:NAME or group:NAME".to_owned());
            reader.note(item.at(), &item.path, format!("{who:?} does not say who may enter"), expected, suggestion);
        }
        permits.push(who);
    }
    permits
}
