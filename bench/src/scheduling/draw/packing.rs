//! A cluster as columns, a node each: what is used of its GPUs, cores and memory, what is free, and what is stranded.

use super::framed;
use crate::fgd::cluster::{Node, WHOLE};
use crate::fgd::replay::Settled;
use crate::fgd::{Workload, fragment};
use std::fmt::Write;

const LEFT: usize = 92;
const TOP: usize = 96;
/// The resources, and how high their bars are.
const BARS: [(&str, usize); 3] = [("GPUs", 200), ("cores", 90), ("memory", 90)];
const GAP: usize = 14;
/// Groups of nodes narrower than this have no name.
const NAMED: usize = 60;

/// A node's column: of each resource the shares used and stranded, and the kind of node.
struct Column {
    kind: (usize, u32),
    shares: [(f64, f64); 3],
}

/// The picture.
pub fn picture(name: &str, workload: &Workload, settled: &Settled) -> String {
    let mut columns: Vec<Column> =
        settled.nodes.iter().zip(&settled.empty).map(|(node, empty)| column(workload, node, empty)).collect();
    columns.sort_by(|a, b| {
        let order = |column: &Column| (std::cmp::Reverse(column.kind.0), column.kind.1);
        order(a)
            .cmp(&order(b))
            .then(b.shares[0].0.total_cmp(&a.shares[0].0))
            .then(b.shares[1].0.total_cmp(&a.shares[1].0))
    });
    let height: usize = BARS.iter().map(|(_, height)| height + GAP).sum::<usize>();
    let mut inside = heading(name, settled);
    let mut top = TOP;
    for (at, (resource, height)) in BARS.iter().enumerate() {
        bars(&mut inside, &columns, at, top, *height);
        let _ = writeln!(
            inside,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{resource}</text>",
            LEFT - 12,
            top + height / 2
        );
        top += height + GAP;
    }
    groups(&mut inside, &columns, TOP + height);
    framed(LEFT + columns.len() + 30, TOP + height + 46, &inside)
}

fn heading(name: &str, settled: &Settled) -> String {
    let of = |nodes: &[Node]| nodes.iter().map(Node::gpu).sum::<i64>();
    let (whole, left) = (of(&settled.empty), of(&settled.nodes));
    let mut text = format!(
        "<text class=\"title\" x=\"{LEFT}\" y=\"34\">Packed by {name}</text>\n<text class=\"soft\" x=\"{LEFT}\" \
         y=\"56\">{} nodes, a column each; {:.2} % of {} GPUs in use, {} pods run, {} were dropped</text>\n",
        settled.nodes.len(),
        (whole - left) as f64 * 100.0 / whole as f64,
        whole / WHOLE,
        settled.running.len(),
        settled.dropped.len()
    );
    let mut x = LEFT;
    for (class, what) in
        [("used", "used"), ("stranded", "stranded: of no use to the next pod, in the mean"), ("free", "free")]
    {
        let _ = writeln!(
            text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"70\" width=\"12\" height=\"12\"/><text class=\"soft\" x=\"{}\" \
             y=\"81\">{what}</text>",
            x + 18
        );
        x += 40 + what.len() * 7;
    }
    text
}

fn column(workload: &Workload, node: &Node, empty: &Node) -> Column {
    let idle = |left: i64, all: i64| if all == 0 { 0.0 } else { left as f64 / all as f64 };
    let gpu = idle(node.gpu(), empty.gpu());
    let stranded = idle(fragment::fragment(node, &workload.mix) as i64, empty.gpu()).min(gpu);
    let useful = workload.mix.iter().any(|typical| node.fits(&typical.pod));
    let plain = |left: i64, all: i64| {
        let idle = idle(left, all);
        (1.0 - idle, if useful { 0.0 } else { idle })
    };
    let shares = [(1.0 - gpu, stranded), plain(node.cpu, empty.cpu), plain(node.memory, empty.memory)];
    Column { kind: (empty.count, empty.model), shares }
}

/// One resource of all nodes: everything free, on it what is used from below, and above that what is stranded.
fn bars(text: &mut String, columns: &[Column], resource: usize, top: usize, height: usize) {
    let width = columns.len();
    let _ = writeln!(text, "<rect class=\"free\" x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>");
    let (mut used, mut stranded) = (String::new(), String::new());
    for (at, column) in columns.iter().enumerate() {
        let (share, lost) = column.shares[resource];
        let (x, base) = (LEFT + at, (top + height) as f64);
        let (low, high) = (share * height as f64, lost * height as f64);
        let _ = write!(used, "M{x} {base}h1v-{low:.1}h-1z");
        if high > 0.05 {
            let _ = write!(stranded, "M{x} {:.1}h1v-{high:.1}h-1z", base - low);
        }
    }
    let _ = writeln!(
        text,
        "<g shape-rendering=\"crispEdges\"><path class=\"used\" d=\"{used}\"/><path class=\"stranded\" d=\"{stranded}\"/></g>"
    );
}

/// What kinds of nodes there are, below their columns.
fn groups(text: &mut String, columns: &[Column], y: usize) {
    let mut at = 0;
    for group in columns.chunk_by(|a, b| a.kind == b.kind) {
        let (x, width) = (LEFT + at, group.len());
        let _ = writeln!(text, "<path class=\"line\" d=\"M{x}.5 {}V{}\"/>", TOP - 4, y - 4);
        if width >= NAMED {
            let (gpus, model) = group[0].kind;
            let model = char::from(b'A' + (model % 26) as u8);
            let middle = x + width / 2;
            let _ = writeln!(
                text,
                "<text class=\"soft\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{gpus} of {model}</text><text \
                 class=\"soft\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{width} nodes</text>",
                y + 12,
                y + 28
            );
        }
        at += width;
    }
}
