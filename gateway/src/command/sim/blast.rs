//! `sim blast`: a recorded stretch of time with each node, rack or site lost at each hour, as a table and a heat map.

use super::progress::Progress;
use super::seeds::{jobs, spread};
use super::whatif::Stretch;
use crate::command::fault::Fault;
use crate::command::show::{Show, table};
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use messages::manifest::Level;
use messages::time::{Span, Timestamp};
use serde::Serialize;
use simulator::history::blast::{Blast, Struck};
use simulator::history::heat::{brief, heat_map};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// So many rows of the table are shown to people.
const SHOWN_MAX: usize = 30;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct SimBlast {
    #[command(flatten)]
    pub stretch: Stretch,
    /// How far apart the losses are
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    pub every: Span,
    /// How long the world is watched after each loss
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = span)]
    pub watched: Span,
    /// What is lost each time
    #[arg(long, default_value = "node")]
    pub level: Lost,
    /// Write the heat map here
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// How many losses at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(in crate::command) enum Lost {
    /// Each node
    Node,
    /// Each rack, with all its nodes
    Rack,
    /// Each site, with all its nodes
    Site,
}

impl From<Lost> for Level {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Node => Self::Node,
            Lost::Rack => Self::Rack,
            Lost::Site => Self::Site,
        }
    }
}

fn span(text: &str) -> Result<Span, String> {
    match Span::parse(text) {
        Ok(span) if span.0 > 0 => Ok(span),
        Ok(_) => Err("it must be longer than nothing".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// What came of all losses.
#[derive(Serialize)]
struct Blasted {
    #[serde(with = "messages::time::rfc3339")]
    from: Timestamp,
    #[serde(with = "messages::time::rfc3339")]
    until: Timestamp,
    level: &'static str,
    every_ms: u64,
    watched_ms: u64,
    losses: Vec<Struck>,
}

/// `orrery sim blast`
pub(super) fn blast(show: Show, arguments: &SimBlast) -> Result<u8, Fault> {
    let mut progress = Progress::new(false);
    let moment = arguments.stretch.read(&mut progress)?;
    let level = Level::from(arguments.level);
    let unmade = |faults: Vec<(usize, String)>| {
        let told: Vec<String> = faults.into_iter().map(|(_, message)| message).collect();
        Fault::Misuse(told.join("; "))
    };
    let mut blast = Blast::new(&moment, arguments.every, arguments.watched).map_err(unmade)?;
    let times = blast.times.clone();
    let jobs = jobs(arguments.jobs);
    let mut losses = Vec::new();
    for (index, at) in times.iter().enumerate() {
        let hour = blast.hour(*at);
        let targets = hour.targets(level);
        let (mut done, all, every) = (0_u64, targets.len(), progress.every);
        let lose = |number| hour.lose(&targets[usize::try_from(number).unwrap_or(usize::MAX)]);
        losses.extend(spread(all as u64, jobs.min(all), every, lose, |struck| {
            done += u64::from(struck.is_some());
            progress.tell(|| format!("time {} of {}: {done} of {all} losses", index + 1, times.len()));
        }));
    }
    progress.clear();
    let blasted = Blasted {
        from: moment.beginning.at,
        until: moment.until,
        level: level.name(),
        every_ms: arguments.every.as_milliseconds(),
        watched_ms: arguments.watched.as_milliseconds(),
        losses,
    };
    if let Some(file) = &arguments.svg {
        let title = format!("Each {} lost, {} to {}", level.name(), minutes(blasted.from), minutes(blasted.until));
        super::write(file, &heat_map(&title, &blasted.losses))?;
    }
    show.answer(&blasted, |blasted| text(blasted, arguments.svg.as_ref()));
    Ok(if blasted.losses.iter().all(|struck| struck.whole) { EXIT_DONE } else { EXIT_REFUSED })
}

fn minutes(at: Timestamp) -> String {
    at.to_string().get(..16).map(|text| text.replace('T', " ")).unwrap_or_default()
}

fn seconds(at: Timestamp) -> String {
    at.to_string().get(..19).map(|text| format!("{text}Z")).unwrap_or_default()
}

fn text(blasted: &Blasted, svg: Option<&PathBuf>) -> String {
    let level = blasted.level;
    let mut worst: BTreeMap<&str, &Struck> = BTreeMap::new();
    for struck in &blasted.losses {
        let known = worst.entry(&struck.target).or_insert(struck);
        if struck.rank() > known.rank() {
            *known = struck;
        }
    }
    let mut worst: Vec<&Struck> = worst.into_values().collect();
    worst.sort_by(|one, other| (other.rank(), &one.target).cmp(&(one.rank(), &other.target)));
    let harmless = worst.iter().filter(|struck| struck.jobs.is_empty() && struck.unplaceable.is_empty()).count();
    let mut text = format!(
        "{} losses of a {level} from {} to {}, each watched for {}\n{} of {} do no harm at any time\n\n",
        blasted.losses.len(),
        seconds(blasted.from),
        seconds(blasted.until),
        brief(blasted.watched_ms),
        harmless,
        worst.len(),
    );
    let harmful = worst.iter().filter(|struck| !(struck.jobs.is_empty() && struck.unplaceable.is_empty()));
    let rows: Vec<Vec<String>> = harmful.take(SHOWN_MAX).map(|struck| row(struck)).collect();
    if !rows.is_empty() {
        text += "The worst of each\n";
        text += &table(&[&level.to_uppercase(), "LOST AT", "NODES", "BELOW MINIMUM", "NO PLACE FOR"], &rows);
    }
    let left = (worst.len() - harmless).saturating_sub(SHOWN_MAX);
    if left > 0 {
        text += &format!("… and {left} more, with --json\n");
    }
    svg.map_or(text.clone(), |file| format!("{text}\nheat map: {}\n", file.display()))
}

fn row(struck: &Struck) -> Vec<String> {
    const JOBS_SHOWN: usize = 3;
    let job = |hurt: &simulator::history::blast::Hurt| {
        let end = if hurt.over { "" } else { " and not over" };
        format!("{} {}{end} ({} missing)", hurt.job, brief(hurt.milliseconds), hurt.missing)
    };
    let mut jobs: Vec<String> = struck.jobs.iter().take(JOBS_SHOWN).map(job).collect();
    if let Some(more) = struck.jobs.len().checked_sub(JOBS_SHOWN).filter(|more| *more > 0) {
        jobs.push(format!("{more} more"));
    }
    let homeless = struck.unplaceable.iter().map(|homeless| format!("{} of {}", homeless.instances, homeless.what));
    let homeless: Vec<String> = homeless.collect();
    let dash = |list: Vec<String>| if list.is_empty() { "-".to_string() } else { list.join(", ") };
    vec![struck.target.clone(), seconds(struck.at), struck.nodes.to_string(), dash(jobs), dash(homeless)]
}
