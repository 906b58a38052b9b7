//! Alibaba's "openb" lists of pods and nodes (cluster-trace-gpu-v2023; Weng et al., ATC'23).
//!
//! Pods: `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time`.
//! Nodes: `sn,cpu_milli,memory_mib,gpu,model`. Times are seconds.

use super::damage::{Damage, Wrong, number};
use super::{Arrival, Shape, Trace, beside};
use crate::text::TextFault;
use messages::manifest::Tag;

const MIB: u64 = 1 << 20;

/// Reads a list of pods, each a text with its name for people, and of nodes.
///
/// # Errors
/// When a list as a whole is none of these.
pub fn read(pods: (&str, &str), nodes: Option<(&str, &str)>) -> Result<Trace, TextFault> {
    let mut trace = Trace::default();
    let (text, file) = pods;
    let columns =
        Columns::of(text, file, &["name", "cpu_milli", "memory_mib", "num_gpu", "creation_time", "deletion_time"])?;
    let (mut damage, mut gpus, mut several) = (Damage::new(file), 0_u64, 0_u64);
    for (line, row) in rows(text) {
        trace.rows += 1;
        match columns.pod(row) {
            Ok((arrival, gpu, choice)) => {
                gpus += u64::from(gpu);
                several += u64::from(choice);
                trace.arrivals.push(arrival);
            }
            Err(wrong) => damage.note(line, row, wrong),
        }
    }
    trace.skipped = damage.all();
    if let Some((text, file)) = nodes {
        let columns = Columns::of(text, file, &["sn", "cpu_milli", "memory_mib", "gpu", "model"])?;
        let mut damage = Damage::new(file);
        for (line, row) in rows(text) {
            trace.rows += 1;
            match columns.node(row) {
                Ok(shape) => trace.machines.push(shape),
                Err(wrong) => damage.note(line, row, wrong),
            }
        }
        trace.skipped.extend(damage.all());
    }
    if gpus > 0 {
        let said = format!("{gpus} pods want GPUs: they go to machines that have some, and how many is not counted");
        trace.left_out.push(said);
    }
    if several > 0 {
        trace.left_out.push(format!("{several} pods allow several models of GPU: they go to machines with any"));
    }
    trace.arrivals.sort_by(|one, other| (one.at, &one.name).cmp(&(other.at, &other.name)));
    Ok(trace)
}

/// The rows below the heading, with the number of their lines.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().skip(1).filter(|(_, row)| !row.trim().is_empty()).map(|(index, row)| (index + 1, row))
}

/// Where each wanted column is.
struct Columns<'w> {
    wanted: Vec<(&'w str, usize)>,
    count: usize,
    model: Option<usize>,
}

impl<'w> Columns<'w> {
    fn of(text: &str, file: &str, wanted: &[&'w str]) -> Result<Self, TextFault> {
        let heading = text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}');
        let names: Vec<&str> = heading.split(',').map(str::trim).collect();
        let place = |name: &&'w str| match names.iter().position(|known| known == name) {
            Some(place) => Ok((*name, place)),
            None => Err(TextFault::at(
                file,
                text,
                0,
                format!("there is no column {name:?}; expected {}, and there are {heading}", wanted.join(", ")),
            )),
        };
        let model = names.iter().position(|name| *name == "gpu_spec");
        Ok(Self { wanted: wanted.iter().map(place).collect::<Result<_, _>>()?, count: names.len(), model })
    }

    /// The fields of a row, each with the byte at which it begins.
    fn fields<'r>(&self, row: &'r str) -> Result<Vec<(usize, &'r str)>, Wrong> {
        let mut byte = 0;
        let fields: Vec<(usize, &str)> = row
            .split(',')
            .map(|field| {
                let begin = byte;
                byte += field.len() + 1;
                (begin, field)
            })
            .collect();
        if fields.len() == self.count {
            return Ok(fields);
        }
        let message = format!("{} fields; the heading has {}", fields.len(), self.count);
        Err(("a row has another number of fields than the heading", 0, message))
    }

    fn named<'r>(&self, fields: &[(usize, &'r str)], name: &str) -> (usize, &'r str) {
        let place = self.wanted.iter().find(|(known, _)| *known == name).map_or(0, |(_, place)| *place);
        fields.get(place).copied().unwrap_or_default()
    }

    fn pod(&self, row: &str) -> Result<(Arrival, bool, bool), Wrong> {
        let fields = self.fields(row)?;
        let of = |name: &str| number(name, self.named(&fields, name));
        let (byte, name) = self.named(&fields, "name");
        if name.is_empty() {
            return Err(("a pod has no name", byte, "name is empty".into()));
        }
        let (at, until) = (of("creation_time")?, of("deletion_time")?);
        if until < at {
            let (byte, _) = self.named(&fields, "deletion_time");
            return Err(("a pod ends before it comes", byte, format!("it comes at {at} s and ends at {until} s")));
        }
        let needs = beside(of("cpu_milli")?, of("memory_mib")?.saturating_mul(MIB));
        if needs == beside(0, 0) {
            return Err(("a pod needs nothing", 0, format!("{name} needs neither processor nor memory")));
        }
        let gpu = of("num_gpu")? > 0;
        let models = self.model.and_then(|model| fields.get(model)).map_or("", |field| field.1);
        let choice = models.contains('|');
        let one = Some(models).filter(|models| !models.is_empty() && !choice).map(str::to_owned);
        let require = gpu.then(|| Tag { key: "gpu".into(), value: one, negated: false });
        let arrival = Arrival { name: name.into(), at, ends: vec![until], instances: 1, needs, require };
        Ok((arrival, gpu, gpu && choice))
    }

    fn node(&self, row: &str) -> Result<Shape, Wrong> {
        let fields = self.fields(row)?;
        let of = |name: &str| number(name, self.named(&fields, name));
        let (byte, name) = self.named(&fields, "sn");
        if name.is_empty() {
            return Err(("a node has no name", byte, "sn is empty".into()));
        }
        let capacity = beside(of("cpu_milli")?, of("memory_mib")?.saturating_mul(MIB));
        let model = self.named(&fields, "model").1;
        let gpu = (of("gpu")? > 0).then(|| if model.is_empty() { "unknown".into() } else { model.to_owned() });
        Ok(Shape { name: name.into(), capacity, gpu })
    }
}
