//! Finding out what an instance's files mean, and settling what a crash left open.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::launch::ExitReason;
use super::moment::wall_us;
use super::process::{boot_id, kill_carriers};
use super::records::{Exit, Pids, StateDirectory};
use super::{DriverError, Inner, Notice, at, watch};

/// The beginning of the name of a directory that is being removed.
pub(super) const DOOMED: &str = ".forgotten-";
/// How often a lock is tried again that nobody should hold any more.
const LOCK_TRIES: u32 = 400;
/// How often survivors are killed again before it is left to a later look.
const KILL_TRIES: u32 = 400;
/// Between two such tries.
const PAUSE: Duration = Duration::from_millis(5);

/// What the files of an instance say.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing of it ever ran, and nobody is about to run it: the lock, now held by the caller, was free.
    Vacant(File),
    /// Its supervisor is bringing it up.
    Starting,
    /// Its supervisor runs.
    Running(Pids),
    /// Its supervisor is gone and left no record of the end.
    Dead(Pids),
    /// It ended.
    Ended(Exit),
}

/// Reads the files in the order that makes a concurrent supervisor's writes harmless.
pub(super) fn look(directory: &StateDirectory) -> io::Result<Found> {
    if let Some(exit) = directory.exit()? {
        return Ok(Found::Ended(exit));
    }
    let Some(pids) = directory.pids()? else { return look_without_pids(directory) };
    if pids.supervised() {
        return Ok(Found::Running(pids));
    }
    pids.shim.reap();
    // It may have written its record and ended since we looked for one.
    Ok(directory.exit()?.map_or(Found::Dead(pids), Found::Ended))
}

fn look_without_pids(directory: &StateDirectory) -> io::Result<Found> {
    let Some(lock) = directory.try_lock()? else { return Ok(Found::Starting) };
    // Held by us: nothing changes any more. It may have since the look before.
    match (directory.exit()?, directory.pids()?) {
        (Some(exit), _) => Ok(Found::Ended(exit)),
        (None, Some(pids)) => Ok(Found::Dead(pids)),
        (None, None) => Ok(Found::Vacant(lock)),
    }
}

/// Looks, and if the supervisor died without a record, cleans up after it and writes one.
///
/// Answers `Dead` only while survivors resist.
pub(super) fn look_and_bury(directory: &StateDirectory) -> io::Result<Found> {
    match look(directory)? {
        Found::Dead(pids) => bury(directory, pids),
        found => Ok(found),
    }
}

fn bury(directory: &StateDirectory, pids: Pids) -> io::Result<Found> {
    let Some(_lock) = lock_soon(directory)? else { return Ok(Found::Dead(pids)) };
    if let Some(exit) = directory.exit()? {
        return Ok(Found::Ended(exit));
    }
    let this_boot = pids.boot_id == boot_id();
    let prepared = directory.prepared()?;
    if let (true, Some(prepared)) = (this_boot, &prepared) {
        let mut tries_left = KILL_TRIES;
        while prepared.group.kill_all() + kill_carriers(&prepared.launch.instance, directory.agent()) > 0
            || pids.workload.alive()
        {
            if tries_left == 0 {
                return Ok(Found::Dead(pids));
            }
            tries_left -= 1;
            sleep(PAUSE);
        }
    }
    if let Some(prepared) = &prepared {
        prepared.group.remove()?;
    }
    let why = if this_boot { "its supervisor was killed" } else { "the machine was restarted" };
    let exit = Exit { reason: ExitReason::Lost { why: why.to_owned() }, at_us: wall_us(), log_bytes_lost: 0 };
    directory.write_exit(&exit)?;
    Ok(Found::Ended(exit))
}

/// Takes a lock that is free or about to be: its holder is ending, or is a child between fork and exec.
pub(super) fn lock_soon(directory: &StateDirectory) -> io::Result<Option<File>> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = directory.try_lock()? {
            return Ok(Some(lock));
        }
        sleep(PAUSE);
    }
    Ok(None)
}

impl Inner {
    /// Goes through all state directories: adopts, buries, resumes stops, and removes what never ran.
    pub(super) fn adopt(self: &Arc<Self>) -> Result<Vec<Notice>, DriverError> {
        let instances = self.data_directory.join("instances");
        let mut notices = Vec::new();
        for entry in fs::read_dir(&instances).map_err(at(&instances))? {
            let entry = entry.map_err(at(&instances))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name.starts_with(DOOMED) {
                let _tried_again_next_time = fs::remove_dir_all(entry.path());
            } else if let Err(error) = self.adopt_one(&name) {
                notices.push(Notice {
                    code: "instance-unreadable".to_owned(),
                    what: format!("instance {name} cannot be adopted: {error}: {}", causes(&error)),
                    remedy: format!("make sure nothing of it runs, then remove {}", entry.path().display()),
                });
            }
        }
        self.ports.release_where(|holder| holder.is_empty() || !instances.join(holder).exists());
        Ok(notices)
    }

    fn adopt_one(self: &Arc<Self>, instance: &str) -> Result<(), DriverError> {
        let directory = self.directory(instance);
        let io = |error| at(directory.path())(error);
        let found = look_and_bury(&directory).map_err(io)?;
        if let Found::Vacant(_lock) = &found {
            return self.discard(instance, &directory);
        }
        let Some(prepared) = directory.prepared().map_err(io)? else { return Ok(()) };
        self.remember(Arc::new(prepared));
        match found {
            Found::Ended(_) => return Ok(()),
            Found::Running(pids) if directory.stop().map_err(io)?.is_some() => {
                let _ended_meanwhile = pids.shim.signal(rustix::process::Signal::TERM);
            }
            _ => {}
        }
        watch::begin(self, instance);
        Ok(())
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
