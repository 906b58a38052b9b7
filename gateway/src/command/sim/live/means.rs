//! By what means a fault of a plan is done to a real system on this machine, and why some cannot be.

use simulator::plan::trouble::bus::Bus;
use simulator::plan::trouble::control::Control;
use simulator::plan::trouble::disk::Disk;
use simulator::plan::trouble::machine::Machine;
use simulator::plan::{Fault, Trouble, When};

/// Something that is done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The control plane is killed.
    KillControl,
    /// It is started again.
    StartControl,
    /// It stands still.
    StopControl,
    /// It goes on.
    ContinueControl,
    /// A machine's agent is killed.
    KillAgent(usize),
    /// It is started again.
    StartAgent(usize),
    /// It stands still.
    StopAgent(usize),
    /// It goes on.
    ContinueAgent(usize),
    /// Everything on a machine is killed: its agent, its shims and its workloads.
    KillMachine(usize),
    /// Everything on it stands still.
    StopMachine(usize),
    /// Everything on it goes on.
    ContinueMachine(usize),
    /// One of its workloads is killed, chosen by a number.
    KillWorkload(usize, u64),
    /// One of its workloads fails its checks, chosen by a number.
    SickenWorkload(usize, u64),
    /// All of its workloads pass their checks.
    HealWorkloads(usize),
    /// Nothing passes to the machine.
    CutTo(usize),
    /// Something does again.
    MendTo(usize),
    /// Nothing passes from the machine.
    CutFrom(usize),
    /// Something does again.
    MendFrom(usize),
    /// The control plane's disk is full.
    FillDisk,
    /// It has room again.
    EmptyDisk,
}

/// How long something that is done again and again is left as it is at the least, in microseconds.
const EVERY_US_MIN: u64 = 50_000;

/// What is done, and when, in microseconds; or why nothing can be.
pub(super) fn deeds(fault: &Fault, machines: &[usize], heal_at: u64) -> Result<Vec<(u64, Deed)>, &'static str> {
    let When::At(from) = fault.when else { return Err("it begins on an event, which only a made-up world waits for") };
    let to = from.saturating_add(fault.lasts).min(heal_at);
    let pair = |one: fn(usize) -> Deed, other: fn(usize) -> Deed| -> Vec<(u64, Deed)> {
        machines.iter().flat_map(|machine| [(from, one(*machine)), (to, other(*machine))]).collect()
    };
    let cuts = || pair(Deed::CutTo, Deed::MendTo).into_iter().chain(pair(Deed::CutFrom, Deed::MendFrom)).collect();
    Ok(match fault.trouble {
        Trouble::Bus(bus) => match bus {
            Bus::Partition { to_machine, from_machine } => {
                let mut deeds = Vec::new();
                if !to_machine {
                    deeds.extend(pair(Deed::CutTo, Deed::MendTo));
                }
                if !from_machine {
                    deeds.extend(pair(Deed::CutFrom, Deed::MendFrom));
                }
                deeds
            }
            Bus::CutIn | Bus::Clog => pair(Deed::CutTo, Deed::MendTo),
            Bus::CutOut | Bus::ClogFrom => pair(Deed::CutFrom, Deed::MendFrom),
            Bus::RackCut | Bus::SiteCut | Bus::SwizzleClog => cuts(),
            Bus::LeaderPause => vec![(from, Deed::StopControl), (to, Deed::ContinueControl)],
            Bus::FlappingLink { every_us } => flapping(from, to, every_us, machines),
            _ => return Err("a connection between processes does not lose, repeat or reorder single messages"),
        },
        Trouble::Machine(machine) => return of_machine(machine, (from, to), machines, pair),
        Trouble::Control(Control::Crash | Control::Upgrade { .. }) => {
            vec![(from, Deed::KillControl), (to, Deed::StartControl)]
        }
        Trouble::Control(Control::Pause) => vec![(from, Deed::StopControl), (to, Deed::ContinueControl)],
        Trouble::Control(Control::CrashLoop { life_us }) => {
            every(from, to, life_us).flat_map(|at| [(at, Deed::KillControl), (at, Deed::StartControl)]).collect()
        }
        Trouble::Control(_) => return Err("a real process cannot be told to die at a step, or to be set so"),
        Trouble::Disk(Disk::Full) => vec![(from, Deed::FillDisk), (to, Deed::EmptyDisk)],
        Trouble::Disk(_) => return Err("a real disk here does not fail so"),
        Trouble::Clock(_) => return Err("this machine's clock is everybody's"),
        Trouble::View(_) => return Err("what a real actor sees cannot be held back"),
        Trouble::Operator(_) => return Err("operators who blunder are made up"),
    })
}

fn of_machine(
    machine: Machine,
    (from, to): (u64, u64),
    machines: &[usize],
    pair: impl Fn(fn(usize) -> Deed, fn(usize) -> Deed) -> Vec<(u64, Deed)>,
) -> Result<Vec<(u64, Deed)>, &'static str> {
    let each = |deed: &dyn Fn(usize) -> Deed| machines.iter().map(|machine| (from, deed(*machine))).collect::<Vec<_>>();
    Ok(match machine {
        Machine::AgentCrash => pair(Deed::KillAgent, Deed::StartAgent),
        Machine::AgentPause => pair(Deed::StopAgent, Deed::ContinueAgent),
        Machine::Pause => pair(Deed::StopMachine, Deed::ContinueMachine),
        Machine::Crash | Machine::RackCrash | Machine::SiteCrash => pair(Deed::KillMachine, Deed::StartAgent),
        Machine::Reboot { off_us } => {
            let back = (from + off_us).min(to.max(from + 1));
            machines.iter().flat_map(|one| [(from, Deed::KillMachine(*one)), (back, Deed::StartAgent(*one))]).collect()
        }
        Machine::AgentCrashLoop { lives_us } => every(from, to, lives_us)
            .flat_map(|at| machines.iter().map(move |one| (at, *one)))
            .flat_map(|(at, one)| [(at, Deed::KillAgent(one)), (at, Deed::StartAgent(one))])
            .collect(),
        Machine::Flaps { every_us } => every(from, to, every_us.saturating_mul(2))
            .flat_map(|at| machines.iter().map(move |one| (at, *one)))
            .flat_map(|(at, one)| [(at, Deed::KillMachine(one)), ((at + every_us).min(to), Deed::StartAgent(one))])
            .collect(),
        Machine::WorkloadDies { choice } => each(&|one| Deed::KillWorkload(one, choice)),
        Machine::WorkloadSick { choice } => {
            let mut deeds = each(&|one| Deed::SickenWorkload(one, choice));
            deeds.extend(machines.iter().map(|one| (to, Deed::HealWorkloads(*one))));
            deeds
        }
        _ => return Err("a real machine cannot be made to be so"),
    })
}

fn every(from: u64, to: u64, every_us: u64) -> impl Iterator<Item = u64> {
    let every = every_us.max(EVERY_US_MIN);
    (0..).map(move |time| from + time * every).take_while(move |at| *at < to)
}

fn flapping(from: u64, to: u64, every_us: u64, machines: &[usize]) -> Vec<(u64, Deed)> {
    let one = every_us.max(EVERY_US_MIN);
    let cut = |at: u64| {
        let mended = (at + one).min(to);
        move |machine: &usize| {
            let machine = *machine;
            [
                (at, Deed::CutTo(machine)),
                (at, Deed::CutFrom(machine)),
                (mended, Deed::MendTo(machine)),
                (mended, Deed::MendFrom(machine)),
            ]
        }
    };
    every(from, to, one * 2).flat_map(|at| machines.iter().flat_map(cut(at)).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simulator::plan::Target;

    fn fault(trouble: Trouble) -> Fault {
        Fault { id: 0, when: When::At(1_000), lasts: 500_000, target: Target::Machine(1), trouble }
    }

    #[test]
    fn what_begins_ends_and_not_after_the_world_heals() {
        let crash = fault(Trouble::Machine(Machine::Crash));
        assert_eq!(
            deeds(&crash, &[1], 9_000_000),
            Ok(vec![(1_000, Deed::KillMachine(1)), (501_000, Deed::StartAgent(1))])
        );
        assert_eq!(deeds(&crash, &[1], 2_000), Ok(vec![(1_000, Deed::KillMachine(1)), (2_000, Deed::StartAgent(1))]));
        let flaps = deeds(&fault(Trouble::Bus(Bus::FlappingLink { every_us: 100_000 })), &[0], 9_000_000);
        let flaps = flaps.expect("a link can flap");
        let cuts = flaps.iter().filter(|(_, deed)| matches!(deed, Deed::CutTo(0))).count();
        let mends = flaps.iter().filter(|(at, deed)| matches!(deed, Deed::MendTo(0)) && *at <= 501_000).count();
        assert_eq!((cuts, mends), (3, 3));
    }

    #[test]
    fn what_is_not_real_says_why() {
        let flip = fault(Trouble::Bus(Bus::BitFlip { per_mille: 3 }));
        assert!(deeds(&flip, &[], 9_000_000).is_err_and(|why| why.contains("single messages")));
    }
}
