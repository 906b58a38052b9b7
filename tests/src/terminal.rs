//! A real terminal, of which both sides are known: what a program draws on it, and what is typed.

use crate::orrery;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than this nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with `orrery` on it.
pub struct Terminal {
    master: File,
    slave: File,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Runs `orrery` on a terminal of so many columns and rows.
    pub fn run(directory: &Path, arguments: &[&str], columns: u16, rows: u16) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it can be used");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("which is text");
        let slave = OpenOptions::new().read(true).write(true).open(name).expect("it can be opened");
        let master = File::from(master);
        size(&master, columns, rows);
        let side = || slave.try_clone().expect("a file can be shared");
        // A session of its own, so that the terminal is its own and tells it of another size.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(orrery()).args(arguments).current_dir(directory);
        command.env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().expect("orrery starts");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let (mut reader, drawn) = (master.try_clone().expect("a file can be shared"), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                drawn.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Self { master, slave, child, screen }
    }

    /// Types.
    pub fn type_in(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("it can be typed");
    }

    /// Makes it another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen_mut().set_size(rows, columns);
        size(&self.master, columns, rows);
    }

    /// What stands on it.
    pub fn shows(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// Waits until what stands on it is as wanted.
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        while !holds(&self.shows()) {
            assert!(begin.elapsed() < PATIENCE, "{what}: it shows\n{}", self.shows());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends its program a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("it has an id");
        kill_process(pid, signal).expect("it can be told");
    }

    /// Waits until its program ends, and returns its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours can be waited for") {
                // What it wrote last is read by another thread.
                std::thread::sleep(Duration::from_millis(200));
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end: it shows\n{}", self.shows());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it is as a shell wants it: the usual screen, the cursor to be seen, lines and echo.
    pub fn is_as_it_was(&self) -> bool {
        let modes = tcgetattr(&self.slave).expect("it has modes").local_modes;
        let parser = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = parser.screen();
        modes.contains(LocalModes::ICANON | LocalModes::ECHO) && !screen.alternate_screen() && !screen.hide_cursor()
    }
}

fn size(master: &File, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("it has a size");
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}
