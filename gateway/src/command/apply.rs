//! `apply`: reads manifests, builds what they say is to be built, and sends them.

use super::client::Client;
use super::fault::Fault;
use super::show::{Show, table};
use messages::api::{Applied, Failure};
use messages::manifest::{self, Build, Format, MANIFEST_BYTES_MAX, Manifest};
use messages::reason::Reason;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How often a plan is held against what there is, when something comes in between each time.
const PLANNED_TRIES_MAX: u32 = 5;

/// Applies manifests, one after the other; the first that is wrong or refused ends it.
pub(super) async fn apply(
    client: &Client,
    show: Show,
    files: &[std::path::PathBuf],
    no_build: bool,
) -> Result<(), Fault> {
    let manifests = files.iter().map(|file| read_manifest(file).map(|manifest| (file, manifest)));
    let manifests: Vec<_> = manifests.collect::<Result<_, Fault>>()?;
    for (file, manifest) in &manifests {
        if !no_build {
            build(manifest, file, show.json)?;
        }
        show.answer(&client.apply(manifest).await?, changes);
    }
    Ok(())
}

/// Applies a manifest if it comes to what a plan says.
pub(super) async fn planned(
    client: &Client,
    show: Show,
    files: &[std::path::PathBuf],
    no_build: bool,
    plan: &str,
) -> Result<(), Fault> {
    let [file] = files else {
        return Err(Fault::Misuse("a plan that is applied is of one manifest; apply the others one by one".into()));
    };
    let manifest = read_manifest(file)?;
    if !no_build {
        build(&manifest, file, show.json)?;
    }
    let mut tries = 1;
    loop {
        match client.apply_planned(&manifest, plan).await {
            // Something came in between that may not matter: the plan is compared anew.
            Err(Fault::Refused(failure)) if may_not_matter(&failure) && tries < PLANNED_TRIES_MAX => tries += 1,
            applied => {
                show.answer(&applied?, changes);
                return Ok(());
            }
        }
    }
}

fn may_not_matter(failure: &Failure) -> bool {
    failure.reason == Reason::Stale && failure.difference.is_none()
}

/// What a command changed, as a table.
pub(super) fn changes(applied: &Applied) -> String {
    let rows: Vec<Vec<String>> =
        applied.changes.iter().map(|change| vec![change.what.clone(), change.how.clone()]).collect();
    table(&["WHAT", "HOW"], &rows)
}

/// Reads a manifest; relative paths in it start from its own directory.
///
/// # Errors
/// When the file cannot be read, or everything that is wrong with it.
pub fn read_manifest(file: &Path) -> Result<Manifest, Fault> {
    let unreadable = |error: std::io::Error| Fault::Unreachable(format!("cannot read {}: {error}", file.display()));
    let path = std::fs::canonicalize(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that a longer file is seen to be too long.
    let limit = u64::try_from(MANIFEST_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(&path).and_then(|open| open.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Fault::Unreachable(format!("cannot read {}: it is not UTF-8 text", file.display())))?;
    let base = path.parent().unwrap_or(Path::new("/"));
    let base_directory = base
        .to_str()
        .ok_or_else(|| Fault::Unreachable(format!("the directory of {} has no UTF-8 name", file.display())))?;
    let options = manifest::Options { base_directory: base_directory.to_owned() };
    let name = file.to_string_lossy();
    manifest::read_with(&text, &name, Format::of_file(&name), &options).map_err(Fault::Manifest)
}

/// Runs the build steps of a manifest that was read from `file`. Says what it does on standard error, unless quiet.
///
/// # Errors
/// When a step cannot be started or does not end well.
pub fn build(manifest: &Manifest, file: &Path, quiet: bool) -> Result<(), Fault> {
    let path = std::fs::canonicalize(file)
        .map_err(|error| Fault::Unreachable(format!("cannot find {}: {error}", file.display())))?;
    let base = path.parent().unwrap_or(Path::new("/"));
    manifest.build.iter().try_for_each(|step| run(step, base, quiet))
}

fn run(step: &Build, base: &Path, quiet: bool) -> Result<(), Fault> {
    let [program, arguments @ ..] = step.run.as_slice() else { return Ok(()) };
    let directory = step.directory.as_ref().map_or_else(|| base.to_owned(), |directory| base.join(directory));
    if !quiet {
        eprintln!("building {}: {}", step.name, step.run.join(" "));
    }
    let begun = Instant::now();
    let mut command = Command::new(program);
    // The manifest names what it builds by path, so it must be built where the manifest expects it.
    command.args(arguments).current_dir(&directory).env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    // Standard output is for answers.
    let status = command.stdout(std::io::stderr()).status();
    let status = status.map_err(|error| {
        Fault::Unreachable(format!("build {} cannot run {program} in {}: {error}", step.name, directory.display()))
    })?;
    if !status.success() {
        return Err(Fault::Unreachable(format!("build {} failed with {status}; nothing was applied", step.name)));
    }
    if !quiet {
        eprintln!("built {} in {:.1} s", step.name, begun.elapsed().as_secs_f64());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("m.toml");
        std::fs::write(&file, text).expect("written");
        (directory, file)
    }

    #[test]
    fn paths_of_a_manifest_start_from_its_directory() {
        let (directory, file) = written("realm = \"r\"\n[job.a]\nrun = [\"./a\"]\n");
        let manifest = read_manifest(&file).expect("a sound manifest");
        let base = directory.path().canonicalize().expect("there");
        assert_eq!(Some(manifest.jobs["a"].workload.base_directory.as_str()), base.to_str());
    }

    #[test]
    fn a_build_step_runs_beside_the_manifest_and_a_failing_one_ends_it() {
        let (directory, file) = written("realm = \"r\"\n[build.b]\nrun = [\"sh\", \"-c\", \"touch built\"]\n");
        build(&read_manifest(&file).expect("a sound manifest"), &file, true).expect("built");
        assert!(directory.path().join("built").exists());
        let (_directory, file) = written("realm = \"r\"\n[build.b]\nrun = [\"false\"]\n");
        let fault = build(&read_manifest(&file).expect("a sound manifest"), &file, true).expect_err("it fails");
        assert!(fault.to_string().starts_with("build b failed"), "{fault}");
    }
}
