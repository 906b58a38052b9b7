//! What an instance needs and a node has.

use crate::quantity::{self, QuantityError};
use crate::reason::Reason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A vector of resources. Units are in the names; arithmetic never wraps.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Reading and writing of storage, in bytes a second.
    pub disk_io_bytes: u64,
    /// GPUs, in thousandths of one. Which of a node's devices they are is said by [`crate::gpu`].
    pub gpu_milli: u64,
    /// What a site adds.
    pub named: Named,
}

/// Amounts of what a site adds, by name; what is not named is zero. Most have none, so a copy of none costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, u64>", into = "BTreeMap<String, u64>")]
pub struct Named(Option<Arc<BTreeMap<String, u64>>>);

impl From<BTreeMap<String, u64>> for Named {
    fn from(mut amounts: BTreeMap<String, u64>) -> Self {
        amounts.retain(|_, amount| *amount > 0);
        Self((!amounts.is_empty()).then(|| Arc::new(amounts)))
    }
}

impl From<Named> for BTreeMap<String, u64> {
    fn from(named: Named) -> Self {
        named.0.map(Arc::unwrap_or_clone).unwrap_or_default()
    }
}

impl Named {
    /// The amount of this name.
    pub fn get(&self, name: &str) -> u64 {
        self.0.as_ref().and_then(|amounts| amounts.get(name)).copied().unwrap_or(0)
    }

    /// Every name with its amount, none of which is zero, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().flat_map(|amounts| amounts.iter().map(|(name, amount)| (name.as_str(), *amount)))
    }

    /// Each amount of one or the other, as `both` makes it from the two.
    fn with(&self, other: &Self, both: impl Fn(u64, u64) -> u64) -> Self {
        if other.0.is_none() {
            return self.clone();
        }
        let names = self.iter().chain(other.iter()).map(|(name, _)| name);
        names.map(|name| (name.to_string(), both(self.get(name), other.get(name)))).collect::<BTreeMap<_, _>>().into()
    }
}

/// One dimension of [`Resources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension<'n> {
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
    /// Reading and writing of storage.
    DiskIo,
    /// GPUs.
    Gpus,
    /// What a site adds under this name.
    Named(&'n str),
}

impl<'n> Dimension<'n> {
    /// Every dimension there is everywhere, in the order in which shortages are named.
    pub const FIXED: [Self; 7] =
        [Self::Cpu, Self::Memory, Self::Disk, Self::Network, Self::Ports, Self::DiskIo, Self::Gpus];

    /// The name for people, as manifests have it.
    pub const fn name(self) -> &'n str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Ports => "ports",
            Self::DiskIo => "disk_io",
            Self::Gpus => "gpus",
            Self::Named(name) => name,
        }
    }

    /// The dimension of this name, as manifests and `orrery up --capacity` have it. What a site adds has a dot in its
    /// name, so that no slip of the pen passes for it.
    pub fn of_name(name: &'n str) -> Option<Self> {
        let fixed = Self::FIXED.into_iter().find(|dimension| dimension.name() == name);
        fixed.or_else(|| is_added_name(name).then_some(Self::Named(name)))
    }

    /// An amount of this dimension as a person writes it.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(self, text: &str) -> Result<u64, QuantityError> {
        match self {
            Self::Cpu => quantity::cpu(text),
            Self::Memory | Self::Disk => quantity::bytes(text),
            Self::Network => quantity::bits(text),
            Self::DiskIo => quantity::rate(text),
            Self::Gpus => quantity::gpus(text),
            Self::Ports | Self::Named(_) => quantity::count(text),
        }
    }

    /// Why an instance is not placed that lacks this.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Cpu => Reason::NoCpu,
            Self::Memory => Reason::NoMemory,
            Self::Disk => Reason::NoDisk,
            Self::Network => Reason::NoNetwork,
            Self::Ports => Reason::NoPorts,
            Self::DiskIo => Reason::NoDiskIo,
            Self::Gpus => Reason::NoGpu,
            Self::Named(_) => Reason::NoResource,
        }
    }

    /// An amount of this dimension as a person would write it.
    pub fn amount(self, amount: u64) -> String {
        match self {
            Self::Cpu => format!("{amount}m"),
            Self::Memory | Self::Disk => bytes(amount),
            Self::Network => format!("{}kbps", amount / 1_000),
            Self::DiskIo => format!("{}/s", bytes(amount)),
            Self::Gpus if amount.is_multiple_of(1_000) => (amount / 1_000).to_string(),
            Self::Gpus => format!("{}.{:03}", amount / 1_000, amount % 1_000).trim_end_matches('0').into(),
            Self::Ports | Self::Named(_) => amount.to_string(),
        }
    }
}

/// Whether a site can name a resource like this: words of small letters, digits, `-` and `_` with dots between them, like
/// `license.matlab`.
pub fn is_added_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    let word = |word: &str| !word.is_empty() && word.chars().all(plain);
    (3..=63).contains(&name.len()) && name.contains('.') && name.split('.').all(word)
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
    pub fn get(&self, dimension: Dimension<'_>) -> u64 {
        match dimension {
            Dimension::Cpu => self.cpu_milli,
            Dimension::Memory => self.memory_bytes,
            Dimension::Disk => self.disk_bytes,
            Dimension::Network => self.network_bits,
            Dimension::Ports => self.ports,
            Dimension::DiskIo => self.disk_io_bytes,
            Dimension::Gpus => self.gpu_milli,
            Dimension::Named(name) => self.named.get(name),
        }
    }

    /// Sets the amount in one dimension.
    pub fn set(&mut self, dimension: Dimension<'_>, amount: u64) {
        match dimension {
            Dimension::Cpu => self.cpu_milli = amount,
            Dimension::Memory => self.memory_bytes = amount,
            Dimension::Disk => self.disk_bytes = amount,
            Dimension::Network => self.network_bits = amount,
            Dimension::Ports => self.ports = amount,
            Dimension::DiskIo => self.disk_io_bytes = amount,
            Dimension::Gpus => self.gpu_milli = amount,
            Dimension::Named(name) => {
                let mut amounts = BTreeMap::from(std::mem::take(&mut self.named));
                amounts.insert(name.to_string(), amount);
                self.named = amounts.into();
            }
        }
    }

    /// Every dimension of which there may be some, in the order in which shortages are named.
    pub fn dimensions(&self) -> impl Iterator<Item = Dimension<'_>> {
        Dimension::FIXED.into_iter().chain(self.named.iter().map(|(name, _)| Dimension::Named(name)))
    }

    /// The first dimension in which `need` is more than this, with how much is missing.
    pub fn shortage<'n>(&self, need: &'n Self) -> Option<(Dimension<'n>, u64)> {
        self.shortages(need).next()
    }

    /// Every dimension in which `need` is more than this, with how much is missing.
    pub fn shortages<'n>(&self, need: &'n Self) -> impl Iterator<Item = (Dimension<'n>, u64)> {
        let missing = |dimension: Dimension<'n>| (dimension, need.get(dimension).saturating_sub(self.get(dimension)));
        need.dimensions().map(missing).filter(|(_, missing)| *missing > 0)
    }

    /// Whether `need` fits into this.
    pub fn fits(&self, need: &Self) -> bool {
        self.shortage(need).is_none()
    }

    /// This and `other` together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// This without `other`; zero where `other` is more.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    /// Each amount as `both` makes it from the two, of which zeros leave what is here as it is.
    fn with(&self, other: &Self, both: fn(u64, u64) -> u64) -> Self {
        Self {
            cpu_milli: both(self.cpu_milli, other.cpu_milli),
            memory_bytes: both(self.memory_bytes, other.memory_bytes),
            disk_bytes: both(self.disk_bytes, other.disk_bytes),
            network_bits: both(self.network_bits, other.network_bits),
            ports: both(self.ports, other.ports),
            disk_io_bytes: both(self.disk_io_bytes, other.disk_io_bytes),
            gpu_milli: both(self.gpu_milli, other.gpu_milli),
            named: self.named.with(&other.named, both),
        }
    }

    /// How many times this fits into so much, each dimension by itself.
    pub fn times_in(&self, room: &Self) -> u64 {
        let needed = self.dimensions().filter(|of| self.get(*of) > 0);
        needed.map(|of| room.get(of) / self.get(of)).min().unwrap_or(u64::MAX)
    }

    /// This, `count` times.
    #[must_use]
    pub fn times(&self, count: u64) -> Self {
        let times = |amount: u64| amount.saturating_mul(count);
        Self {
            cpu_milli: times(self.cpu_milli),
            memory_bytes: times(self.memory_bytes),
            disk_bytes: times(self.disk_bytes),
            network_bits: times(self.network_bits),
            ports: times(self.ports),
            disk_io_bytes: times(self.disk_io_bytes),
            gpu_milli: times(self.gpu_milli),
            named: self.named.with(&self.named, |amount, _| times(amount)),
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for dimension in self.dimensions() {
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

    fn named(amounts: &[(&str, u64)]) -> Named {
        amounts.iter().map(|(name, amount)| ((*name).to_string(), *amount)).collect::<BTreeMap<_, _>>().into()
    }

    #[test]
    fn a_shortage_names_the_first_dimension_and_the_missing_amount() {
        let have = Resources { cpu_milli: 500, memory_bytes: 64 << 20, ..Resources::default() };
        let need = Resources { cpu_milli: 250, memory_bytes: 100 << 20, ..Resources::default() };
        assert_eq!(have.shortage(&need), Some((Dimension::Memory, 36 << 20)));
        assert!(!have.fits(&need));
        assert_eq!(need.to_string(), "cpu 250m, memory 100MiB");
    }

    #[test]
    fn each_dimension_is_set_and_read_by_its_name() {
        let mut all = Resources::default();
        for (name, text) in [("cpu", "250m"), ("disk_io", "5MB/s"), ("gpus", "0.5"), ("license.x", "7"), ("ports", "2")]
        {
            let dimension = Dimension::of_name(name).expect("a resource");
            all.set(dimension, dimension.read(text).expect("an amount"));
        }
        assert_eq!(all.to_string(), "cpu 250m, ports 2, disk_io 4MiB/s, gpus 0.5, license.x 7");
        for name in ["memroy", "license.", ".x", "a..b", "License.x", "a b.c"] {
            assert_eq!(Dimension::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn what_a_site_adds_is_counted_by_its_name() {
        let have = Resources { gpu_milli: 2_000, named: named(&[("license.x", 3)]), ..Resources::default() };
        let need = Resources { gpu_milli: 250, named: named(&[("license.x", 2)]), ..Resources::default() };
        let left = have.minus(&need);
        assert_eq!(left.to_string(), "gpus 1.75, license.x 1");
        assert_eq!(left.shortage(&need), Some((Dimension::Named("license.x"), 1)));
        assert_eq!(left.plus(&need), have);
        assert_eq!(need.times(2).named, named(&[("license.x", 4)]));
        assert_eq!(have.minus(&have), Resources::default(), "what comes to zero is not named");
        let other = Resources { named: named(&[("license.y", 1)]), ..Resources::default() };
        assert_eq!(have.shortage(&other), Some((Dimension::Named("license.y"), 1)));
        assert_eq!(have.minus(&other), have);
    }
}
