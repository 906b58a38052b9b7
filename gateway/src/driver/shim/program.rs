//! Finding the program to run, and saying in a sentence why it cannot be run.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::records::Prepared;
use super::child::Step;

/// The program's file: as `run[0]` says if it has a slash, below the base directory if it is relative, else from `PATH`.
pub fn resolve(prepared: &Prepared) -> Result<PathBuf, String> {
    let name =
        prepared.argv.first().filter(|name| !name.is_empty()).ok_or("`run` is empty; name the program to run")?;
    if name.contains('/') {
        let path = prepared.launch.base_directory.join(name);
        return check(&path, name).map(|()| path);
    }
    let search = prepared.environment.get("PATH").map_or("", String::as_str);
    let candidates = search.split(':').filter(|entry| !entry.is_empty()).map(|entry| Path::new(entry).join(name));
    candidates.into_iter().find(|path| executable(path)).ok_or_else(|| {
        let beside = prepared.launch.base_directory.join(name);
        if beside.exists() {
            format!("`{name}` is not in PATH ({search}); to run {}, write `./{name}`", beside.display())
        } else {
            format!("`{name}` is not in PATH ({search}); install it, or give its path in `run`")
        }
    })
}

fn executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn check(path: &Path, name: &str) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(format!("{} is a directory; name the program in it", path.display())),
        Ok(_) if executable(path) => Ok(()),
        Ok(_) => Err(format!("{0} is not executable; run `chmod +x {0}`", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no program {}; build or install it, or correct `run` (`{name}`)", path.display()))
        }
        Err(error) => Err(format!("cannot look at {}: {error}", path.display())),
    }
}

/// What a failure between fork and exec means to who wrote the manifest.
pub fn explain(prepared: &Prepared, program: &Path, step: Step, error: &io::Error) -> String {
    let (program, directory) = (program.display(), prepared.directory.display());
    match (step, error.raw_os_error()) {
        (Step::Directory, Some(libc::ENOENT)) => {
            format!("there is no directory {directory}; make it, or correct `directory`")
        }
        (Step::Directory, _) => format!("cannot enter the directory {directory}: {error}"),
        (Step::Execute, Some(libc::ENOENT)) => {
            format!(
                "{program} is there, but what it needs to run is not: its interpreter (`#!`) or dynamic loader is missing"
            )
        }
        (Step::Execute, Some(libc::EACCES)) => {
            format!(
                "{program} may not be executed; check its permissions, and that its file system is not mounted noexec"
            )
        }
        (Step::Execute, Some(libc::ENOEXEC)) => {
            format!("{program} is not a program this machine runs; a script needs `#!` in its first line")
        }
        (Step::Execute, Some(libc::E2BIG)) => format!("the arguments and environment of {program} are too long"),
        (Step::Execute, _) => format!("cannot run {program}: {error}"),
        (Step::Prepare, _) => format!("cannot prepare {program}: {error}"),
    }
}
