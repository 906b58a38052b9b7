//! `resources`: what an instance needs, by name.

use super::fault::Stretch;
use super::reader::{Item, Reader};
use super::tree::Value;
use crate::resources::{Dimension, Resources, is_added_name};

/// What can be asked for everywhere. Ports are counted by their names.
const FIELDS: &[&str] = &["cpu", "memory", "disk", "network", "disk_io", "gpus", "gpu_model"];

/// What an instance needs, and the models of GPU that will do.
pub(super) fn resources(reader: &mut Reader<'_>, item: &Item<'_>) -> (Resources, Vec<String>) {
    let (mut needs, mut models) = (Resources::default(), Vec::new());
    let mut models_at: Option<(Stretch, String)> = None;
    let mut asks_for_gpus = false;
    for (name, field) in reader.entries(item, "a table like { cpu = \"250m\", memory = \"64MiB\" }") {
        asks_for_gpus |= name == "gpus";
        match name {
            "gpu_model" => {
                models = gpu_models(reader, &field);
                models_at = Some((field.key_at, field.path));
            }
            "ports" => reader.unknown(field.key_at, &item.path, "field", name, FIELDS),
            _ => need(reader, name, &field, item, &mut needs),
        }
    }
    if let Some((at, path)) = models_at.filter(|_| !asks_for_gpus) {
        let expected = Some("gpus, like gpus = 1 or gpus = 0.25, beside it".to_owned());
        reader.note(at, &path, "names models of GPU where no GPU is asked for", expected, None);
    }
    (needs, models)
}

/// One resource. `license.x = 2` without quotes is a table within a table, and means the same.
fn need(reader: &mut Reader<'_>, name: &str, field: &Item<'_>, table: &Item<'_>, needs: &mut Resources) {
    if Dimension::of_name(name).is_none() && matches!(field.value(), Value::Table(_)) {
        for (tail, inner) in reader.entries(field, "a table of whole numbers") {
            need(reader, &format!("{name}.{tail}"), &inner, table, needs);
        }
        return;
    }
    let Some(dimension) = Dimension::of_name(name) else {
        if name.contains('.') {
            let message = format!("{name:?} is not a name for a resource");
            let expected = Some("words of small letters with dots between them, like \"license.x\"".to_owned());
            let tidy = Some(name.trim().to_lowercase().replace(' ', "-")).filter(|tidy| is_added_name(tidy));
            reader.note(field.key_at, &table.path, message, expected, tidy);
        } else {
            reader.unknown(field.key_at, &table.path, "field", name, FIELDS);
        }
        return;
    };
    if let Some(amount) = reader.measured(field, |text| dimension.read(text)) {
        needs.set(dimension, amount);
    }
}

fn gpu_models(reader: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let items = reader.one_or_many(item, "a model, or a list of them, like [\"A100\", \"H100\"]");
    let models: Vec<String> = items
        .iter()
        .filter_map(|item| {
            let model = reader.text(item, "a model of GPU, like \"A100\"")?;
            if model.trim().is_empty() {
                reader.fault(item.at(), &item.path, "is no model of GPU");
            }
            Some(model.trim().to_owned())
        })
        .collect();
    if items.is_empty() {
        reader.fault(item.at(), &item.path, "is a list of no models, so no GPU would do");
    }
    models
}
