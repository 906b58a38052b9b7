//! The lists of the published comparison: nodes, pods, and the orders in which the pods arrive.
//!
//! Alibaba's cluster-trace-gpu-v2023 (Weng et al., ATC'23). A row that makes no sense is left out, and said.

use super::cluster::{GPUS, Node, Pod, WHOLE};
use super::replay::{Order, draw};
use crate::table::{Row, Skipped, open, rows};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// So many times the GPUs of the cluster are asked for in all.
const TUNED: f64 = 1.3;
/// The first seed of orders drawn here.
const OWN_SEEDS: u64 = 100;

/// A list of pods: what each asks for, and the models it names, in the words of the list.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    /// What each asks for.
    pub pods: Vec<Pod>,
    /// The models each names.
    pub models: Vec<String>,
    /// The index in `pods` of each row of the file.
    rows: Vec<Option<usize>>,
}

/// The models seen so far, each with a bit of its own.
#[derive(Clone, Debug, Default)]
pub struct Models(Vec<String>);

impl Models {
    fn number(&mut self, model: &str) -> Result<u32, String> {
        let at = self.0.iter().position(|known| known == model).unwrap_or_else(|| {
            self.0.push(model.to_owned());
            self.0.len() - 1
        });
        if at < 64 { Ok(at as u32) } else { Err(format!("{model} is the 65th model, and 64 can be told apart")) }
    }
}

/// Reads a list of nodes with GPUs, by name.
///
/// # Errors
/// When the file cannot be read.
pub fn nodes(path: &Path, models: &mut Models) -> Result<(Vec<Node>, Skipped), String> {
    let mut named = BTreeMap::new();
    let skipped = rows(path, |row| {
        let row = row?;
        let count: usize = row.number("gpu")?;
        if count > GPUS {
            return Err(format!("{count} GPUs, and a node has at most {GPUS}"));
        }
        let mut left = [0; GPUS];
        left[..count].fill(WHOLE);
        let model = models.number(row.text("model")?)?;
        let (cpu, memory) = (row.number("cpu_milli")?, row.number("memory_mib")?);
        let node = Node { cpu, memory, left, count, model, kinds: [0; 5] };
        match named.insert(row.text("sn")?.to_owned(), node) {
            None => Ok(()),
            Some(_) => Err("a second node of this name".into()),
        }
    })?;
    Ok((named.into_values().collect(), skipped))
}

/// Reads a list of pods.
///
/// # Errors
/// When the file cannot be read.
pub fn pods(path: &Path, models: &mut Models) -> Result<(Pods, Skipped), String> {
    let mut list = Pods::default();
    let mut read = |row: &Row<'_>| -> Result<(Pod, String), String> {
        let gpus: usize = row.number("num_gpu")?;
        let milli: i64 = row.number("gpu_milli")?;
        let (cpu, memory): (i64, i64) = (row.number("cpu_milli")?, row.number("memory_mib")?);
        if cpu < 0 || memory < 0 || milli < 0 || gpus > GPUS {
            return Err(format!("asks for {cpu} milli-cores, {memory} MiB and {gpus} GPUs of {milli} each"));
        }
        let names = if gpus > 0 { row.text("gpu_spec").unwrap_or_default() } else { "" };
        let mut bits = 0;
        for name in names.split('|').filter(|name| !name.is_empty()) {
            bits |= 1 << models.number(name)?;
        }
        let milli = if gpus > 0 { milli.min(WHOLE) } else { 0 };
        Ok((Pod { cpu, memory, gpus, milli, models: bits }, names.to_owned()))
    };
    let skipped = rows(path, |row| match row.and_then(|row| read(&row)) {
        Ok((pod, names)) => {
            list.rows.push(Some(list.pods.len()));
            list.pods.push(pod);
            list.models.push(names);
            Ok(())
        }
        Err(reason) => {
            list.rows.push(None);
            Err(reason)
        }
    })?;
    Ok((list, skipped))
}

/// Reads orders of arrival and the ranks beside them: `X.order.gz` and `X.perm.gz`, or the same without `.gz`.
///
/// # Errors
/// When a file cannot be read, or names rows or nodes that are not there.
pub fn orders(path: &Path, pods: &Pods, nodes: usize) -> Result<Vec<Order>, String> {
    let name = path.to_string_lossy();
    let ranks = PathBuf::from(name.replace(".order", ".perm"));
    if ranks == path {
        return Err(format!("{name}: orders are named X.order or X.order.gz, with X.perm or X.perm.gz beside them"));
    }
    let arrivals = numbers(path)?;
    let ranks = numbers(&ranks)?;
    if arrivals.len() != ranks.len() {
        return Err(format!("{name}: {} orders, and {} lines of ranks beside them", arrivals.len(), ranks.len()));
    }
    arrivals.into_iter().zip(ranks).map(|(arrivals, ranks)| order(&name, arrivals, ranks, pods, nodes)).collect()
}

fn order(name: &str, arrivals: Vec<usize>, ranks: Vec<usize>, pods: &Pods, nodes: usize) -> Result<Order, String> {
    let (seed, arrivals) = arrivals.split_first().ok_or_else(|| format!("{name}: an empty line"))?;
    let (other, ranks) = ranks.split_first().ok_or_else(|| format!("{name}: an empty line of ranks"))?;
    if seed != other {
        return Err(format!("{name}: seed {seed}, and ranks of seed {other} beside it"));
    }
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    if sorted.iter().enumerate().any(|(at, rank)| at != *rank) || ranks.len() != nodes {
        return Err(format!("{name}: the ranks of seed {seed} are no order of {nodes} nodes"));
    }
    let mut kept = Vec::with_capacity(arrivals.len());
    for row in arrivals {
        let known = pods
            .rows
            .get(*row)
            .ok_or_else(|| format!("{name}: seed {seed} names row {row}, and the list has {} rows", pods.rows.len()))?;
        kept.extend(known);
    }
    Ok(Order { seed: *seed as u64, arrivals: kept, ranks: ranks.to_vec() })
}

/// Draws orders as the published protocol does, from a generator of our own and from seed 100 on: shuffled, then cut
/// or filled up with clones until 1.3 times the GPUs of the cluster are asked for.
pub fn draw_orders(pods: &[Pod], nodes: &[Node], count: usize) -> Vec<Order> {
    let target = (TUNED * nodes.iter().map(Node::gpu).sum::<i64>() as f64) as i64;
    (OWN_SEEDS..).take(count).map(|seed| draw_order(pods, nodes.len(), target, seed)).collect()
}

fn draw_order(pods: &[Pod], nodes: usize, target: i64, seed: u64) -> Order {
    let mut state = seed;
    let mut arrivals = shuffled(pods.len(), &mut state);
    let mut asked: i64 = arrivals.iter().map(|row| pods[*row].gpu()).sum();
    while asked > target {
        let Some(at) = draw(&mut state, arrivals.len()) else { break };
        asked -= pods[arrivals.remove(at)].gpu();
    }
    while let Some(row) = draw(&mut state, pods.len()).filter(|row| asked + pods[*row].milli <= target) {
        asked += pods[row].gpu();
        arrivals.push(row);
    }
    Order { seed, arrivals, ranks: shuffled(nodes, &mut state) }
}

fn shuffled(count: usize, state: &mut u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        if let Some(other) = draw(state, at + 1) {
            all.swap(at, other);
        }
    }
    all
}

/// Lines of whole numbers.
fn numbers(path: &Path) -> Result<Vec<Vec<usize>>, String> {
    let mut lines = Vec::new();
    for (at, line) in BufReader::new(open(path)?).lines().enumerate() {
        let line = line.map_err(|error| format!("{}: {error}", path.display()))?;
        let parsed = line.split_whitespace().map(|word| {
            word.parse().map_err(|_| format!("{}: line {}: {word} is no whole number", path.display(), at + 1))
        });
        lines.push(parsed.collect::<Result<_, _>>()?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn rows_that_make_no_sense_are_left_out_and_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.csv");
        let rows = ["a,1000,64,1,2000,V100|T4", "b,many,64,0,0,", "c,1000", "d,500,32,0,0,T4", "e,1,1,9,1000,"];
        fs::write(&path, format!("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n{}\n", rows.join("\n")))
            .expect("written");
        let (list, skipped) = pods(&path, &mut Models::default()).expect("readable");
        assert_eq!(list.rows, [Some(0), None, None, Some(1), None]);
        assert_eq!((list.pods[0].milli, list.pods[0].models), (WHOLE, 0b11), "a GPU has a thousand thousandths");
        assert_eq!((list.pods[1].gpus, list.pods[1].models), (0, 0), "without a GPU no model counts");
        let said = skipped.to_string();
        assert!(said.contains("3 rows left out; line 3: cpu_milli is \"many\""), "{said}");
        assert!(said.contains("line 4: no num_gpu") && said.contains("line 6: asks for"), "{said}");
        fs::write(directory.path().join("x.order"), "7 3 1 0 3\n").expect("written");
        fs::write(directory.path().join("x.perm"), "7 1 0\n").expect("written");
        let order = &orders(&directory.path().join("x.order"), &list, 2).expect("orders")[0];
        assert_eq!((order.seed, &order.arrivals[..], &order.ranks[..]), (7, &[1, 0, 1][..], &[1, 0][..]));
        let few = orders(&directory.path().join("x.order"), &list, 3).expect_err("three nodes, two ranks");
        assert!(few.contains("no order of 3 nodes"), "{few}");
    }

    #[test]
    fn orders_drawn_here_ask_for_as_much_as_the_protocol_says() {
        let pod = |milli| Pod { cpu: 1, memory: 1, gpus: 1, milli, models: 0 };
        let mut left = [0; GPUS];
        left[..4].fill(WHOLE);
        let nodes = vec![Node { cpu: 1, memory: 1, left, count: 4, model: 0, kinds: [0; 5] }; 3];
        for pods in [vec![pod(400); 10], vec![pod(1_000); 100]] {
            for order in draw_orders(&pods, &nodes, 3) {
                let asked: i64 = order.arrivals.iter().map(|row| pods[*row].gpu()).sum();
                assert!(asked <= 15_600 && asked > 15_600 - 1_000, "{asked} of 1.3 times 12 GPUs");
            }
        }
    }
}
