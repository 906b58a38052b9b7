//! Finding out which cgroup hierarchies are mounted, and which of them this process may use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Controller, Group, set};
use crate::driver::{Notice, mixed};

/// Our directory in each hierarchy; instances are directories in it.
const OURS: &str = "orrery";

/// The hierarchies that can be used, each with a directory of ours in it.
#[derive(Debug, Clone, Default)]
pub struct Hierarchies {
    unified: Option<PathBuf>,
    enabled: BTreeSet<Controller>,
    legacy: BTreeMap<Controller, PathBuf>,
}

/// A mounted hierarchy: v2 without a controller's name, v1 with it.
struct Mount {
    directory: PathBuf,
    unified: bool,
    options: String,
}

impl Hierarchies {
    /// Looks at what is mounted and tries to make our directory there; says what is missing.
    #[must_use]
    pub fn detect() -> (Hierarchies, Vec<Notice>) {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map(|text| parse_mounts(&text)).unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut found = Hierarchies::default();
        for mount in &mounts {
            if mount.unified {
                found.take_unified(mount, &own);
            }
        }
        for controller in Controller::ALL {
            let named =
                |mount: &&Mount| !mount.unified && mount.options.split(',').any(|option| option == controller.name());
            if let (false, Some(mount)) = (found.enabled.contains(&controller), mounts.iter().find(named)) {
                let directory = usable(mount, &own_path(&own, controller.name()));
                directory.and_then(|directory| found.legacy.insert(controller, directory));
            }
        }
        let notices = found.notices(!mounts.is_empty());
        (found, notices)
    }

    fn take_unified(&mut self, mount: &Mount, own: &str) {
        let Some(directory) = usable(mount, &own_path(own, "")) else { return };
        let available = fs::read_to_string(mount.directory.join("cgroup.controllers")).unwrap_or_default();
        for controller in Controller::ALL {
            let offered = available.split_ascii_whitespace().any(|name| name == controller.name());
            if offered && enable(&directory, controller) {
                self.enabled.insert(controller);
            }
        }
        self.unified = Some(directory);
    }

    /// The directories of one instance of one agent: two agents of a machine may both run an instance of that id.
    #[must_use]
    pub fn group(&self, agent: &Path, instance: &str) -> Group {
        let name = format!("{instance}-{:08x}", mixed(agent));
        Group {
            unified: self.unified.as_ref().map(|directory| directory.join(&name)),
            enabled: self.enabled.clone(),
            legacy: self.legacy.iter().map(|(controller, directory)| (*controller, directory.join(&name))).collect(),
        }
    }

    fn notices(&self, mounted: bool) -> Vec<Notice> {
        let held = |controller| self.enabled.contains(&controller) || self.legacy.contains_key(&controller);
        let missing: Vec<(Controller, &str)> = [
            (Controller::Cpu, "cpu limits are not enforced"),
            (Controller::Memory, "memory limits hold each process by itself (RLIMIT_DATA), not an instance as a whole"),
            (Controller::Pids, "the number of processes is not limited"),
        ]
        .into_iter()
        .filter(|(controller, _)| !held(*controller))
        .collect();
        let remedy = if mounted {
            "run the agent as root, or under a systemd unit with Delegate=yes and DelegateSubgroup=agent"
        } else {
            "mount the cgroup file system: mount -t cgroup2 none /sys/fs/cgroup"
        };
        let notice = |(controller, effect): (Controller, &str)| Notice {
            code: format!("no-cgroup-{}", controller.name()),
            what: format!("the {} controller of cgroups cannot be used here, so {effect}", controller.name()),
            remedy: remedy.to_owned(),
        };
        missing.into_iter().map(notice).collect()
    }
}

/// Our directory at the hierarchy's root, or else below this process's own group; `None` if neither can be had.
fn usable(mount: &Mount, own: &str) -> Option<PathBuf> {
    let candidates = [mount.directory.join(OURS), mount.directory.join(own.trim_start_matches('/')).join(OURS)];
    candidates.into_iter().find(|directory| can_make_children(directory))
}

fn can_make_children(directory: &Path) -> bool {
    let child = directory.join(format!("probe-{}", std::process::id()));
    fs::create_dir_all(directory).is_ok() && fs::create_dir(&child).is_ok() && fs::remove_dir(&child).is_ok()
}

/// Hands a controller down to the children of our directory.
fn enable(directory: &Path, controller: Controller) -> bool {
    let word = format!("+{}", controller.name());
    let above = directory.parent().is_some_and(|parent| hand_down(parent, &word, controller));
    above && hand_down(directory, &word, controller)
}

fn hand_down(directory: &Path, word: &str, controller: Controller) -> bool {
    let file = directory.join("cgroup.subtree_control");
    let already =
        fs::read_to_string(&file).is_ok_and(|text| text.split_ascii_whitespace().any(|name| name == controller.name()));
    already || set(&file, word).is_ok()
}

/// This process's group in the hierarchy of a controller (`""` for the unified one), from `/proc/self/cgroup`.
fn own_path(text: &str, controller: &str) -> String {
    let path_of = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, path) = (parts.next()?, parts.next()?);
        names.split(',').any(|name| name == controller).then(|| path.to_owned())
    };
    text.lines().find_map(path_of).unwrap_or_default()
}

/// The cgroup lines of `/proc/self/mountinfo`.
fn parse_mounts(text: &str) -> Vec<Mount> {
    let parse = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let unified = match after.next()? {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        let directory = PathBuf::from(before.split(' ').nth(4)?);
        Some(Mount { directory, unified, options: after.next_back()?.to_owned() })
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_mount_are_recognised() {
        let text = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
                    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
                    23 1 0:20 / /proc rw - proc proc rw\n";
        let mounts = parse_mounts(text);
        let seen: Vec<(&str, bool)> =
            mounts.iter().map(|mount| (mount.directory.to_str().expect("plain text"), mount.unified)).collect();
        assert_eq!(seen, [("/sys/fs/cgroup/cpu,cpuacct", false), ("/sys/fs/cgroup/unified", true)]);
    }

    #[test]
    fn the_own_group_is_found_by_controller() {
        let text = "4:memory:/system.slice/x\n2:cpu,cpuacct:/y\n0::/z\n";
        assert_eq!(
            [own_path(text, "memory"), own_path(text, "cpuacct"), own_path(text, "")],
            ["/system.slice/x", "/y", "/z"]
        );
    }

    #[test]
    fn a_machine_without_cgroups_is_told_what_it_lacks() {
        let notices = Hierarchies::default().notices(false);
        let codes: Vec<&str> = notices.iter().map(|notice| notice.code.as_str()).collect();
        assert_eq!(codes, ["no-cgroup-cpu", "no-cgroup-memory", "no-cgroup-pids"]);
        assert!(notices[0].remedy.contains("mount -t cgroup2"));
    }
}
