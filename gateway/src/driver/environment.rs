//! A workload's clean environment, and `${NAME}` in its arguments and variables.

use std::collections::BTreeMap;
use std::path::Path;

use super::launch::Launch;
use super::process::{AGENT_VARIABLE, INSTANCE_VARIABLE};

/// Where programs are looked for if the agent itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A `${NAME}` that cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubstitutionError {
    /// Nobody defines the variable.
    #[error("{place} uses ${{{name}}}, which is not defined{}", nearest.as_ref().map(|name| format!("; did you mean ${{{name}}}?")).unwrap_or_default())]
    Unknown {
        /// Where it is used.
        place: String,
        /// The name that is not known.
        name: String,
        /// The most similar name that is.
        nearest: Option<String>,
    },
    /// The bracket is not closed.
    #[error("{place} has a ${{ without its }}; write $${{ for a plain ${{")]
    Unclosed {
        /// Where it is.
        place: String,
    },
    /// Variables are defined by each other.
    #[error("environment.{name} is defined by itself")]
    Circular {
        /// One of the circle.
        name: String,
    },
}

/// What a port's name becomes: `http-admin` is `PORT_HTTP_ADMIN`.
#[must_use]
pub fn port_variable(port: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("PORT_{}", port.chars().map(letter).collect::<String>())
}

/// The whole environment of an instance: what is kept, what Orrery says, and the manifest's variables.
pub fn build(
    launch: &Launch,
    home: &Path,
    agent: &Path,
    ports: &BTreeMap<String, u16>,
) -> Result<BTreeMap<String, String>, SubstitutionError> {
    let mut known: BTreeMap<String, String> = ["PATH", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok().map(|value| (name.to_owned(), value)))
        .collect();
    known.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    let said = [
        ("HOME", home.display().to_string()),
        (INSTANCE_VARIABLE, launch.instance.clone()),
        (AGENT_VARIABLE, agent.display().to_string()),
        ("ORRERY_LABEL", launch.label.clone()),
        ("ORRERY_REALM", launch.realm.clone()),
        ("ORRERY_JOB", launch.job.clone()),
        ("ORRERY_REVISION", launch.revision.to_string()),
    ];
    known.extend(said.into_iter().map(|(name, value)| (name.to_owned(), value)));
    known.extend(ports.iter().map(|(name, port)| (port_variable(name), port.to_string())));
    let scope = Scope { known: &known, declared: &launch.environment };
    let mut whole = known.clone();
    for (name, value) in &launch.environment {
        let value = scope.replace(value, &format!("environment.{name}"), &mut vec![name])?;
        whole.insert(name.clone(), value);
    }
    // What was left behind is found by these variables, so no manifest may change them.
    whole.insert(INSTANCE_VARIABLE.to_owned(), launch.instance.clone());
    whole.insert(AGENT_VARIABLE.to_owned(), agent.display().to_string());
    Ok(whole)
}

/// Replaces `${NAME}` in every argument.
pub fn arguments(run: &[String], environment: &BTreeMap<String, String>) -> Result<Vec<String>, SubstitutionError> {
    let nothing = BTreeMap::new();
    let scope = Scope { known: environment, declared: &nothing };
    run.iter()
        .enumerate()
        .map(|(index, argument)| scope.replace(argument, &format!("run[{index}]"), &mut Vec::new()))
        .collect()
}

/// The names that can be used: those with a value, and those whose value must itself be replaced first.
struct Scope<'a> {
    known: &'a BTreeMap<String, String>,
    declared: &'a BTreeMap<String, String>,
}

impl<'a> Scope<'a> {
    fn replace(&self, text: &str, place: &str, open: &mut Vec<&'a str>) -> Result<String, SubstitutionError> {
        let mut whole = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, after) = (&rest[..start], &rest[start + 2..]);
            if let Some(plain) = before.strip_suffix('$') {
                whole.push_str(plain);
                whole.push_str("${");
                rest = after;
                continue;
            }
            let end = after.find('}').ok_or_else(|| SubstitutionError::Unclosed { place: place.to_owned() })?;
            whole.push_str(before);
            whole.push_str(&self.value(&after[..end], place, open)?);
            rest = &after[end + 1..];
        }
        whole.push_str(rest);
        Ok(whole)
    }

    /// The manifest's variables hide the others, except inside their own definition: `PATH = "/x:${PATH}"`.
    fn value(&self, name: &str, place: &str, open: &mut Vec<&'a str>) -> Result<String, SubstitutionError> {
        let being_defined = open.contains(&name);
        match (self.declared.get_key_value(name), self.known.get(name)) {
            (Some((name, text)), _) if !being_defined => {
                open.push(name);
                let value = self.replace(text, &format!("environment.{name}"), open);
                open.pop();
                value
            }
            (_, Some(value)) => Ok(value.clone()),
            (Some(_), None) => Err(SubstitutionError::Circular { name: name.to_owned() }),
            (None, None) => Err(SubstitutionError::Unknown {
                place: place.to_owned(),
                name: name.to_owned(),
                nearest: self.nearest(name),
            }),
        }
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let names = self.known.keys().chain(self.declared.keys());
        let scored = names.map(|known| (strsim::damerau_levenshtein(known, name), known));
        scored.min().filter(|(distance, _)| *distance <= name.len().div_ceil(3)).map(|(_, known)| known.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(environment: &[(&str, &str)]) -> Launch {
        let environment: BTreeMap<&str, &str> = environment.iter().copied().collect();
        serde_json::from_value(serde_json::json!({"instance": "i", "run": [], "environment": environment}))
            .expect("a launch")
    }

    fn built(environment: &[(&str, &str)]) -> Result<BTreeMap<String, String>, SubstitutionError> {
        let ports = BTreeMap::from([("http".to_owned(), 20_001)]);
        build(&launch(environment), Path::new("/work"), Path::new("/data"), &ports)
    }

    #[test]
    fn ports_and_other_variables_are_replaced() {
        let whole =
            built(&[("URL", "http://localhost:${PORT_HTTP}/${NAME}"), ("NAME", "a"), ("RAW", "$${HOME} costs $5")])
                .expect("all known");
        assert_eq!(whole["URL"], "http://localhost:20001/a");
        assert_eq!(whole["RAW"], "${HOME} costs $5");
        assert_eq!(whole["HOME"], "/work");
        let run = ["--listen=${PORT_HTTP}".to_owned()];
        assert_eq!(arguments(&run, &whole).expect("known"), ["--listen=20001"]);
    }

    #[test]
    fn an_unknown_variable_names_its_place_and_the_nearest() {
        let whole = built(&[]).expect("nothing to replace");
        let error = arguments(&["./a".to_owned(), "${PORT_HTPT}".to_owned()], &whole).expect_err("a typing mistake");
        assert_eq!(error.to_string(), "run[1] uses ${PORT_HTPT}, which is not defined; did you mean ${PORT_HTTP}?");
    }

    #[test]
    fn a_variable_may_extend_what_was_there_but_not_itself() {
        assert!(built(&[("PATH", "/opt/bin:${PATH}")]).expect("extends")["PATH"].starts_with("/opt/bin:/"));
        assert!(matches!(built(&[("A", "${B}"), ("B", "${A}")]), Err(SubstitutionError::Circular { .. })));
        assert!(matches!(built(&[("A", "${B")]), Err(SubstitutionError::Unclosed { .. })));
    }
}
