//! What is declared in files: every example is a manifest that reads, and no scenario is forgotten.

use std::fs;

use messages::manifest::{Format, Manifest, read};

use crate::check;
use crate::tree::{files, root, sources};

/// Examples that are not manifests.
const NOT_MANIFESTS: [&str; 1] = ["examples/tokens.toml"];

fn manifest(path: &str) -> Result<Manifest, String> {
    let text = fs::read_to_string(root().join(path)).expect("an example is readable text");
    read(&text, path, Format::of_file(path)).map_err(|faults| format!("{path}: {faults:?}"))
}

#[test]
fn tidy_every_example_is_a_manifest() {
    let examples = files(|path| {
        let is_ours = path.starts_with("examples/") && path.matches('/').count() == 1;
        is_ours && [".toml", ".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending))
    });
    assert!(examples.len() >= 4, "the examples were found: {examples:?}");
    let findings: Vec<String> = examples
        .iter()
        .filter(|path| !NOT_MANIFESTS.contains(&path.as_str()))
        .filter_map(|path| manifest(path).err())
        .collect();
    check(&findings, "every example reads without a fault");
}

/// The blocks of TOML in a page.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).expect("the page is readable text");
    let after = text.split("```toml\n").skip(1).map(str::to_owned).collect::<Vec<_>>();
    after.iter().filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect()
}

#[test]
fn tidy_the_page_on_manifests_shows_what_reads() {
    let blocks = blocks("docs/manifest.md");
    let [whole, parts @ .., tokens] = blocks.as_slice() else { panic!("a manifest and tokens: {blocks:?}") };
    let manifest = read(whole, "docs/manifest.md", Format::Toml).expect("the manifest of the page reads");
    assert_eq!((manifest.jobs.len(), manifest.routes.len()), (2, 1));
    for part in parts {
        let part = format!("realm = \"shop\"\n{part}");
        read(&part, "docs/manifest.md", Format::Toml).unwrap_or_else(|faults| panic!("{part}: {faults:?}"));
    }
    gateway::proxy::TokenBook::parse(tokens).expect("the tokens of the page read");
    let examples = fs::read_to_string(root().join("examples/tokens.toml")).expect("the example is readable text");
    gateway::proxy::TokenBook::parse(&examples).expect("the tokens of the examples read");
}

#[test]
fn tidy_the_bad_revision_differs_in_what_b_runs_and_in_nothing_else() {
    let good = manifest("examples/abc.toml").expect("abc.toml reads");
    let mut bad = manifest("examples/abc-bad-b.toml").expect("abc-bad-b.toml reads");
    let run = &mut bad.jobs.get_mut("b").expect("b is a job").workload.run;
    assert!(run.iter().any(|word| word == "--fail-after"), "the bad revision fails: {run:?}");
    run.clone_from(&good.jobs["b"].workload.run);
    assert_eq!(good, bad, "put the change into both files");
}

#[test]
fn tidy_no_scenario_is_forgotten() {
    let sources = sources();
    let named = |file_name: &str| {
        let stem = file_name.trim_end_matches(".toml");
        sources.iter().any(|source| {
            let tests = source.path.starts_with("simulator/") || source.path.starts_with("tests/");
            tests && (source.text.contains(&format!("{stem}.toml\"")) || source.text.contains(&format!("\"{stem}\"")))
        })
    };
    let findings: Vec<String> = files(|path| path.starts_with("simulator/scenarios/") && path.ends_with(".toml"))
        .into_iter()
        .filter(|path| !named(path.rsplit('/').next().unwrap_or_default()))
        .collect();
    check(&findings, "every scenario is run by a test that names it");
}
