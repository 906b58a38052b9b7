//! Instances of recommendation services (Yang et al., NSDI'25), as Alibaba's cluster-trace-gpu-v2025 has them: five
//! resources, and for some a limit of instances of the same application on a node.

use crate::table::{Row, Skipped, rows};
use std::path::Path;

/// Processor, GPUs, network, memory, disk.
pub const RESOURCES: usize = 5;
const COLUMNS: [&str; RESOURCES] = ["cpu_request", "gpu_request", "rdma_request", "memory_request", "disk_request"];

/// What is asked for, or left: hundredths of a core, of a GPU, of a NIC's per cent, of a GiB and of a GiB of disk.
pub type Amounts = [i64; RESOURCES];

/// Where an instance may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A node without GPUs.
    Plain,
    /// A node with GPUs.
    Gpu,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it may run.
    pub role: Role,
    /// Its application, by number.
    pub application: usize,
    /// What it asks for.
    pub asks: Amounts,
    /// Instances of its application on a node, at most.
    pub limit: usize,
}

/// All instances in the order in which they came; those that were there before the trace come first.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Instance>, Skipped), String> {
    let mut applications: Vec<String> = Vec::new();
    let mut instances = Vec::new();
    let skipped = rows(path, |row| {
        let (came, instance) = instance(&row?, &mut applications)?;
        instances.push((came, instance));
        Ok(())
    })?;
    instances.sort_by_key(|(came, _)| *came);
    Ok((instances.into_iter().map(|(_, instance)| instance).collect(), skipped))
}

fn instance(row: &Row<'_>, applications: &mut Vec<String>) -> Result<(i64, Instance), String> {
    let role = match row.text("role")? {
        "CN" => Role::Plain,
        "HN" => Role::Gpu,
        other => return Err(format!("{other:?} is no role")),
    };
    let mut asks = [0; RESOURCES];
    for (asks, column) in asks.iter_mut().zip(COLUMNS) {
        *asks = hundredths(row.text(column)?).ok_or_else(|| format!("{column} is no amount"))?;
    }
    let limit = match row.number::<i64>("max_instance_per_node")? {
        -1 => usize::MAX,
        limit @ 1.. => limit as usize,
        other => return Err(format!("at most {other} instances on a node")),
    };
    let came = match row.text("creation_time")? {
        "" => 0,
        text => hundredths(text).ok_or_else(|| format!("creation_time is {text:?}"))?,
    };
    let name = row.text("app_name")?;
    let application = applications.iter().position(|known| known == name).unwrap_or_else(|| {
        applications.push(name.to_owned());
        applications.len() - 1
    });
    Ok((came, Instance { role, application, asks, limit }))
}

/// `12` or `12.5`, in hundredths.
fn hundredths(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<2}");
    let all: i64 = whole.parse::<i64>().ok()? * 100 + part.get(..2)?.parse::<i64>().ok()?;
    (whole.parse::<u32>().is_ok() && part.bytes().all(|digit| digit.is_ascii_digit())).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_come_in_order_and_damaged_rows_are_left_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.csv");
        let heads = "role,app_name,cpu_request,gpu_request,rdma_request,memory_request,disk_request,max_instance_per_node,creation_time";
        let lines = [
            "HN,a,12,1,25,120.5,640.0,8,900.000004",
            "CN,a,8,0,1,40,85,-1,",
            "XX,a,1,1,1,1,1,1,",
            "CN,b,1,0,-3,1,1,2,",
            "CN,b,1,0,1,1,1,0,",
        ];
        std::fs::write(&path, format!("{heads}\n{}\n", lines.join("\n"))).expect("written");
        let (instances, skipped) = read(&path).expect("readable");
        let plain =
            Instance { role: Role::Plain, application: 0, asks: [800, 0, 100, 4_000, 8_500], limit: usize::MAX };
        let gpu = Instance { role: Role::Gpu, application: 0, asks: [1_200, 100, 2_500, 12_050, 64_000], limit: 8 };
        assert_eq!(instances, [plain, gpu]);
        let said = skipped.to_string();
        assert!(said.contains("3 rows left out; line 4: \"XX\" is no role"), "{said}");
        assert!(said.contains("line 5: rdma_request is no amount") && said.contains("at most 0"), "{said}");
    }
}
