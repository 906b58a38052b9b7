//! The authors' own results: the share of the GPUs in use at each per cent asked for, of every run.

use super::PREFIX;
use super::replay::POINTS;
use std::collections::HashMap;
use std::path::Path;

const FILE: &str = "fgd-expected-results/analysis_allo_discrete.csv";
/// Workload, policy, tune, seed and GPUs stand before the points.
const BEFORE: usize = 5;

/// Curves by workload, policy and seed. None where the file is not there.
#[derive(Debug, Default)]
pub struct Results(HashMap<(String, String, u64), Vec<f64>>);

impl Results {
    /// Reads them; without the file there is nothing to compare with.
    ///
    /// # Errors
    /// When the file is there, and damaged.
    pub fn read(traces: &Path) -> Result<Self, String> {
        let path = traces.join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let damaged = |what: String| format!("{}: {what}", path.display());
        let mut reader = csv::Reader::from_path(&path).map_err(|error| damaged(error.to_string()))?;
        let mut curves = HashMap::new();
        for (at, record) in reader.records().enumerate() {
            let record = record.map_err(|error| damaged(error.to_string()))?;
            let line = at + 2;
            let short = || damaged(format!("line {line} has {} fields", record.len()));
            let field = |at: usize| record.get(at).ok_or_else(short);
            let seed = field(3)?.parse().map_err(|_| damaged(format!("line {line}: the seed is no number")))?;
            let curve: Vec<f64> = record.iter().skip(BEFORE).map(|point| point.parse().unwrap_or(f64::NAN)).collect();
            if curve.len() != POINTS {
                return Err(short());
            }
            let workload = field(0)?.strip_prefix(PREFIX).unwrap_or(field(0)?).to_owned();
            curves.insert((workload, field(1)?.to_owned(), seed), curve);
        }
        Ok(Self(curves))
    }

    /// The curve of one run.
    pub fn curve(&self, workload: &str, policy: &str, seed: u64) -> Option<&[f64]> {
        self.0.get(&(workload.to_owned(), policy.to_owned(), seed)).map(Vec::as_slice)
    }
}

/// At how many points two curves differ. Where either has no point, there is none to compare.
pub fn points_off(ours: &[f64], theirs: &[f64], within: f64) -> usize {
    ours.iter().zip(theirs).filter(|(ours, theirs)| (*ours - *theirs).abs() > within).count()
}
