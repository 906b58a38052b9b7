//! What the machines of a scenario have.

use super::super::Special;
use super::Reader;
use crate::text::written;
use messages::manifest::Tag;
use messages::resources::{Dimension, Resources};
use toml_span::value::{Table, Value};

/// What a machine has of which nothing is said.
pub(super) fn usual() -> Resources {
    let gibibyte = 1 << 30;
    Resources {
        cpu_milli: 4_000,
        memory_bytes: 8 * gibibyte,
        disk_bytes: 100 * gibibyte,
        network_bits: 1_000_000_000,
        ports: 1_000,
        ..Resources::default()
    }
}

impl Reader<'_> {
    /// What each machine has, and as much of the rest as others.
    pub(super) fn capacity(&mut self, table: &mut Table<'_>, others: &Resources) -> Resources {
        let mut capacity = others.clone();
        let Some(mut value) = table.remove("capacity") else { return capacity };
        let Some(inner) = self.table(&mut value, "a table like { cpu = \"4\", memory = \"8GiB\" }") else {
            return capacity;
        };
        for (key, value) in inner {
            self.amount(&key.name, key.span.start, value, &mut capacity);
        }
        capacity
    }

    fn amount(&mut self, name: &str, place: usize, mut value: Value<'_>, capacity: &mut Resources) {
        let at = value.span.start;
        let Some(dimension) = Dimension::of_name(name) else {
            let known = Dimension::FIXED.map(Dimension::name).join(", ");
            let message = format!("there is no field {name:?} here; known are {known}, and names with a dot");
            return self.fault(place, message);
        };
        let text = written(value.take());
        match dimension.read(&text) {
            Ok(amount) => capacity.set(dimension, amount),
            Err(error) => self.fault(at, format!("{name}: {error}")),
        }
    }

    /// Machines that are not like the others.
    pub(super) fn special(&mut self, table: &mut Table<'_>, others: &Resources) -> Vec<Special> {
        let rows = self.rows(table, "special");
        let special = |(_, mut row): (usize, Table<'_>)| {
            let capacity = self.capacity(&mut row, others);
            let gpu_model = self.text(&mut row, "gpu_model").unwrap_or_default();
            let taint = |text: &str| Tag::parse(text).filter(|taint| !taint.negated);
            let taint = self.parsed(&mut row, "taint", "a taint like \"dedicated=ml\"", taint);
            let taints = taint.into_iter().map(|taint| (taint.key, taint.value.unwrap_or_default())).collect();
            let machines = self.counts(&mut row, "machines", super::Range::exactly(1)).high;
            self.rest(&row, "machines, capacity, gpu_model, taint");
            Special { machines, capacity, gpu_model, taints }
        };
        rows.into_iter().map(special).collect()
    }
}
