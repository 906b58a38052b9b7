//! Sessions as people have them, for tests of what is done with their logs.

use crate::System;
use std::process::Command;

fn done(system: &System, arguments: &[&str]) {
    let output = system.orrery(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The instances on a node; none before the node is ready.
fn on(system: &System, name: &str) -> Option<usize> {
    let status = system.json(&["status"]).unwrap_or_default();
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    let node = nodes.iter().find(|node| node["name"] == name && node["state"] != "unknown").cloned();
    node.and_then(|node| node["instances"].as_array().map(Vec::len))
}

impl System {
    /// Runs the shop on two nodes.
    pub fn open_shop(&mut self) {
        self.up(&[]);
        self.join("node-2");
        self.eventually("the second node is there", |system| on(system, "node-2").is_some());
        self.eventually("the first node takes work", Self::ready);
        done(self, &["apply", "examples/abc.toml"]);
        self.eventually("all nine run", Self::whole);
    }

    /// Kills an instance, and waits until it is replaced.
    pub fn kill_one(&self) {
        let victim = self.pids("shop-c")[0];
        let status = Command::new("kill").args(["-9", &victim.to_string()]).status();
        assert!(status.expect("kill runs").success());
        self.eventually("it is replaced", |system| {
            let pids = system.pids("shop-c");
            system.whole() && pids.len() == 3 && !pids.contains(&victim)
        });
    }

    /// Kills the control plane, and starts it again.
    pub fn kill_and_come_back(&self) {
        self.kill();
        self.up(&[]);
        self.eventually("the command line is answered", |system| system.json(&["status"]).is_some());
        self.eventually("the shop is whole", Self::whole);
    }

    /// Rolls a bad revision out, and waits until it has been taken back.
    pub fn roll_out_badly(&self) {
        done(self, &["apply", "--no-build", "examples/abc-bad-b.toml"]);
        self.eventually("the rollout reverts", |system| {
            system.json(&["rollout", "list"]).unwrap_or_default().to_string().contains("reverted")
        });
        self.eventually("the shop is whole on the good revision", |system| {
            system.whole() && system.pids("shop-b").len() == 2
        });
    }

    /// Drains the second node, and lets it take work again.
    pub fn drain(&self) {
        done(self, &["node", "drain", "node-2"]);
        self.eventually("it is empty and the shop is whole", |system| {
            system.whole() && on(system, "node-2") == Some(0)
        });
        done(self, &["node", "uncordon", "node-2"]);
    }

    /// Rolls a good revision of every job out, and wants one more of the first and then one fewer.
    pub fn roll_and_scale(&self) {
        let text = std::fs::read_to_string(crate::root().join("examples/abc.toml")).expect("the example is there");
        let programs = crate::root().canonicalize().expect("the repository is there").join("target/release");
        let text = text.replace("../target/release", &programs.display().to_string());
        let text = text.replace("\"one\"", "\"two\"").replace("hold = \"5s\"", "hold = \"1s\"");
        let path = self.data().join("rolled.toml");
        std::fs::write(&path, text).expect("a manifest can be written");
        done(self, &["apply", "--no-build", &path.display().to_string()]);
        self.eventually("the rollouts are done", |system| {
            let rollouts = system.json(&["rollout", "list"]).unwrap_or_default();
            let states = rollouts.as_array().into_iter().flatten().map(|one| one["state"].as_str());
            let states: Vec<_> = states.collect();
            !states.is_empty() && states.iter().all(|state| *state == Some("done"))
        });
        done(self, &["job", "scale", "a", "5"]);
        self.eventually("there are five", |system| system.healthy("a") == 5);
        done(self, &["job", "scale", "a", "4"]);
        self.eventually("the shop is whole", |system| system.whole() && system.pids("shop-a").len() == 4);
    }
}
