//! The manifest: what a person declares, and the reader that turns its text into data or says exactly what is wrong.
//!
//! TOML, YAML and JSON become one tree whose values know their places; one reader turns the tree into a [`Manifest`].

mod check;
mod fault;
mod job;
mod model;
mod place;
mod reader;
mod resources;
mod route;
mod tree;
mod watch;
mod yaml;

pub use fault::{Fault, did_you_mean};
pub use job::port_variable;
pub use model::*;
pub use reader::is_name;

use check::Reference;
use fault::Stretch;
use reader::{Item, Reader};

/// The longest manifest that is read, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// The notation of a manifest's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// TOML, the one we write.
    #[default]
    Toml,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// The notation that a file's name tells; TOML when it tells none.
    pub fn of_file(file_name: &str) -> Self {
        match file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            _ => Self::Toml,
        }
    }
}

/// What the text itself does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The directory that relative paths start from: the manifest's own.
    pub base_directory: String,
}

/// Reads a manifest; relative paths stay relative.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn read(text: &str, file_name: &str, format: Format) -> Result<Manifest, Vec<Fault>> {
    read_with(text, file_name, format, &Options::default())
}

/// Reads a manifest.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn read_with(text: &str, file_name: &str, format: Format, options: &Options) -> Result<Manifest, Vec<Fault>> {
    let mut reader = Reader::new(text, file_name);
    if text.len() > MANIFEST_BYTES_MAX {
        let message = format!("is {} bytes long; the longest that is read is {MANIFEST_BYTES_MAX}", text.len());
        reader.fault(Stretch::default(), "", message);
        return Err(reader.finish());
    }
    let tree = match format {
        Format::Toml => tree::from_toml(text),
        Format::Yaml => yaml::from_yaml(text),
        Format::Json => yaml::from_json(text),
    };
    let root = match tree {
        Ok(root) => root,
        Err(syntax) => {
            reader.fault(syntax.at, "", syntax.message);
            return Err(reader.finish());
        }
    };
    let mut references = Vec::new();
    let manifest = whole(&mut reader, &Item::whole(&root), options, &mut references);
    check::references(&mut reader, &manifest, &references);
    check::cycles(&mut reader, &references);
    check::one_sided(&mut reader, &manifest, &references);
    let faults = reader.finish();
    if faults.is_empty() { Ok(manifest) } else { Err(faults) }
}

fn whole(reader: &mut Reader<'_>, item: &Item<'_>, options: &Options, references: &mut Vec<Reference>) -> Manifest {
    let mut manifest = Manifest::default();
    let Some(table) = reader.table(item, &["realm", "build", "job", "route"]) else { return manifest };
    match table.get("realm") {
        Some(realm) => {
            if let Some(name) = reader.text(&realm, "the name of a realm")
                && reader.name(realm.at(), &realm.path, "a realm", &name)
            {
                manifest.realm = name;
            }
        }
        None => {
            let expected = Some("a line like realm = \"shop\" at the top".to_owned());
            reader.note(item.key_at, "", "missing field \"realm\"", expected, None);
        }
    }
    if let Some(builds) = table.get("build") {
        let entries = reader.entries(&builds, "tables like [build.NAME]");
        manifest.build = entries.iter().filter_map(|(name, item)| job::build(reader, name, item)).collect();
    }
    if let Some(jobs) = table.get("job") {
        for (name, item) in reader.entries(&jobs, "tables like [job.NAME]") {
            reader.name(item.key_at, &item.path, "a job", name);
            let about = job::About { realm: &manifest.realm, name, base_directory: &options.base_directory };
            manifest.jobs.insert(name.into(), job::job(reader, &about, &item, references));
        }
    }
    if let Some(routes) = table.get("route") {
        route::routes(reader, &routes, &mut manifest, references);
    }
    manifest
}
