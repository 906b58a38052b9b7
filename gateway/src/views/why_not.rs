//! `why-not`: what stands against one more instance of a job on a node.

use super::{names, not_found};
use actors::fold::Fold;
use actors::scheduler::{Against, Verdict, why_not as ask};
use messages::api::{Failure, RuledOut, WhyNot};
use messages::id::NodeId;

/// Why a job has no (or no further) instance on a node.
///
/// # Errors
/// When there is no such job or node.
pub fn why_not(fold: &Fold, job: &str, node: &str) -> Result<WhyNot, Failure> {
    let (id, spec) = names::job(fold, job)?;
    let name = names::full_name(spec);
    let Some((node_id, _)) = fold.nodes().find(|(_, known)| known.name() == node) else {
        let known: Vec<&str> = fold.nodes().map(|(_, known)| known.name()).collect();
        let mut failure = not_found(format!("there is no node {node}"));
        failure.nearest = (!known.is_empty()).then(|| format!("there are {}", known.join(", ")));
        return Err(failure);
    };
    let node_id = NodeId(node_id.id);
    let verdicts = fold.schedulers().map(|(_, scheduler)| ask(scheduler, id, node_id));
    // Each site has its scheduler; the one that knows both answers.
    let mut unknown = "job";
    for verdict in verdicts {
        let answer = |fits, summary, against, scores| {
            let (job, node) = (name.clone(), node.to_owned());
            Ok(WhyNot { position: fold.position().0, job, node, fits, summary, against, scores })
        };
        match verdict {
            Verdict::Unknown(what) => unknown = what,
            Verdict::No { against } => {
                let misses: Vec<&str> = against.iter().map(|one| one.nearest.as_str()).collect();
                let summary = format!("{name} cannot go to {node}: {}", misses.join("; and "));
                let ruled_out =
                    |one: Against| RuledOut { reason: one.reason, message: one.nearest, change: Some(one.change) };
                let against = against.into_iter().map(ruled_out).collect();
                return answer(false, summary, against, Vec::new());
            }
            Verdict::Fits { here, best } if best.node == node_id => {
                let summary = format!("{name} fits on {node}, and the next instance would go there");
                return answer(true, summary, Vec::new(), here.into_iter().collect());
            }
            Verdict::Fits { here, best } => {
                let score = here.as_ref().map_or("less".to_owned(), |here| here.score.to_string());
                let summary = format!(
                    "{name} fits on {node}, which scores {score}; the next instance would go to {} with {}",
                    best.name, best.score
                );
                return answer(true, summary, Vec::new(), here.into_iter().chain([best]).collect());
            }
        }
    }
    Err(not_found(format!("the scheduler does not know the {unknown} yet; ask again in a moment")))
}
