//! What an instance needs and a node has.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A vector of resources. Units are in the names; arithmetic never wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resources {
    /// Processor time, in thousandths of a core.
    pub cpu_milli: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Storage, in bytes.
    pub disk_bytes: u64,
    /// Network, in bits a second.
    pub network_bits: u64,
    /// How many ports.
    pub ports: u64,
}

/// One dimension of [`Resources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dimension {
    /// Processor time.
    Cpu,
    /// Memory.
    Memory,
    /// Storage.
    Disk,
    /// Network.
    Network,
    /// Ports.
    Ports,
}

impl Dimension {
    /// Every dimension, in the order in which shortages are named.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Memory, Self::Disk, Self::Network, Self::Ports];

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Ports => "ports",
        }
    }

    /// An amount of this dimension as a person would write it.
    pub fn amount(self, amount: u64) -> String {
        match self {
            Self::Cpu => format!("{amount}m"),
            Self::Memory | Self::Disk => bytes(amount),
            Self::Network => format!("{}kbps", amount / 1_000),
            Self::Ports => amount.to_string(),
        }
    }
}

fn bytes(amount: u64) -> String {
    match amount {
        few if few < 1 << 10 => format!("{few}B"),
        some if some < 1 << 20 => format!("{}KiB", some >> 10),
        many if many < 10 << 30 => format!("{}MiB", many >> 20),
        most => format!("{}GiB", most >> 30),
    }
}

impl Resources {
    /// The amount in one dimension.
    pub const fn get(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Cpu => self.cpu_milli,
            Dimension::Memory => self.memory_bytes,
            Dimension::Disk => self.disk_bytes,
            Dimension::Network => self.network_bits,
            Dimension::Ports => self.ports,
        }
    }

    /// The first dimension in which `need` is more than this, with how much is missing.
    pub fn shortage(&self, need: &Self) -> Option<(Dimension, u64)> {
        self.shortages(need).next()
    }

    /// Every dimension in which `need` is more than this, with how much is missing.
    pub fn shortages(&self, need: &Self) -> impl Iterator<Item = (Dimension, u64)> {
        let missing = |dimension: Dimension| (dimension, need.get(dimension).saturating_sub(self.get(dimension)));
        Dimension::ALL.into_iter().map(missing).filter(|(_, missing)| *missing > 0)
    }

    /// Whether `need` fits into this.
    pub fn fits(&self, need: &Self) -> bool {
        self.shortage(need).is_none()
    }

    /// This and `other` together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_add(other.disk_bytes),
            network_bits: self.network_bits.saturating_add(other.network_bits),
            ports: self.ports.saturating_add(other.ports),
        }
    }

    /// This without `other`; zero where `other` is more.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_sub(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_sub(other.disk_bytes),
            network_bits: self.network_bits.saturating_sub(other.network_bits),
            ports: self.ports.saturating_sub(other.ports),
        }
    }

    /// This, `count` times.
    #[must_use]
    pub const fn times(&self, count: u64) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_mul(count),
            memory_bytes: self.memory_bytes.saturating_mul(count),
            disk_bytes: self.disk_bytes.saturating_mul(count),
            network_bits: self.network_bits.saturating_mul(count),
            ports: self.ports.saturating_mul(count),
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for dimension in Dimension::ALL {
            let amount = self.get(dimension);
            if amount > 0 {
                let gap = if first { "" } else { ", " };
                write!(out, "{gap}{} {}", dimension.name(), dimension.amount(amount))?;
                first = false;
            }
        }
        if first { out.write_str("nothing") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_names_the_first_dimension_and_the_missing_amount() {
        let have = Resources { cpu_milli: 500, memory_bytes: 64 << 20, ..Resources::default() };
        let need = Resources { cpu_milli: 250, memory_bytes: 100 << 20, ..Resources::default() };
        assert_eq!(have.shortage(&need), Some((Dimension::Memory, 36 << 20)));
        assert!(!have.fits(&need));
        assert_eq!(need.to_string(), "cpu 250m, memory 100MiB");
    }
}
