//! The moment between fork and exec: a child that waits until it is recorded, then becomes the workload.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::super::cgroups::Controller;
use super::super::records::Prepared;

/// What the child was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Entering the working directory.
    Directory,
    /// Becoming the program.
    Execute,
    /// Anything else.
    Prepare,
}

/// The child could not become the workload.
#[derive(Debug)]
pub struct SpawnError {
    /// Where it failed.
    pub step: Step,
    /// What the system said.
    pub error: io::Error,
}

/// A child that waits to be released.
pub struct Child {
    pid: i32,
    waiting: Waiting,
    outputs: [PipeReader; 2],
}

/// The two ends that tie a child to its supervisor until it is the workload.
pub struct Waiting {
    gate: PipeWriter,
    status: PipeReader,
}

/// Everything the child needs, made before the fork: afterwards it only calls the kernel.
struct Plan {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: CString,
    data_limit: Option<u64>,
    out_of_memory_score: &'static [u8],
    shim: libc::pid_t,
    nothing: File,
    gate: PipeReader,
    status: PipeWriter,
    outputs: [PipeWriter; 2],
}

impl Child {
    /// Makes the child, which dies with this process whatever happens.
    pub fn fork(prepared: &Prepared, program: &Path) -> io::Result<Child> {
        let (gate_reader, gate) = io::pipe()?;
        let (status, status_writer) = io::pipe()?;
        let (stdout, stdout_writer) = io::pipe()?;
        let (stderr, stderr_writer) = io::pipe()?;
        let limited = prepared.group.has(Controller::Memory);
        let pairs = prepared.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let plan = Plan {
            program: CString::new(program.as_os_str().as_bytes())?,
            arguments: prepared
                .argv
                .iter()
                .map(|argument| CString::new(argument.as_str()))
                .collect::<Result<_, _>>()?,
            environment: pairs.map(CString::new).collect::<Result<_, _>>()?,
            directory: CString::new(prepared.directory.as_os_str().as_bytes())?,
            data_limit: prepared.launch.resources.memory_bytes.filter(|_| !limited),
            out_of_memory_score: if limited { b"0" } else { b"500" },
            shim: rustix::process::getpid().as_raw_nonzero().get(),
            nothing: File::open("/dev/null")?,
            gate: gate_reader,
            status: status_writer,
            outputs: [stdout_writer, stderr_writer],
        };
        // The vectors of pointers are made here too: the child must not allocate.
        let arguments = pointers(&plan.arguments);
        let environment = pointers(&plan.environment);
        // SAFETY: this process has one thread, so the child finds every lock free; it only makes system calls.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => plan.become_workload(&arguments, &environment),
            pid => {
                // SAFETY: setpgid takes two integers. The child does the same; whoever is first, the group is there.
                unsafe { libc::setpgid(pid, pid) };
                Ok(Child { pid, waiting: Waiting { gate, status }, outputs: [stdout, stderr] })
            }
        }
    }

    /// Its pid, its ties, and where its output arrives.
    pub fn apart(self) -> (i32, Waiting, [PipeReader; 2]) {
        (self.pid, self.waiting, self.outputs)
    }
}

impl Waiting {
    /// Lets the child become the workload; answers once it has.
    pub fn release(mut self) -> Result<(), SpawnError> {
        let prepare = |error| SpawnError { step: Step::Prepare, error };
        self.gate.write_all(b"!").map_err(prepare)?;
        let mut report = [0_u8; 5];
        let mut length = 0;
        while length < report.len() {
            match self.status.read(&mut report[length..]) {
                Ok(0) => return Ok(()),
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(prepare(error)),
            }
        }
        let [step, number @ ..] = report;
        let step = match step {
            b'd' => Step::Directory,
            b'x' => Step::Execute,
            _ => Step::Prepare,
        };
        Err(SpawnError { step, error: io::Error::from_raw_os_error(i32::from_ne_bytes(number)) })
    }

    /// Ends the child before it became anything.
    pub fn dismiss(self, pid: i32) {
        let _already_gone = super::super::process::send(pid, libc::SIGKILL);
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

impl Plan {
    fn become_workload(&self, arguments: &[*const c_char], environment: &[*const c_char]) -> ! {
        let step = match self.prepare() {
            Ok(()) => {
                // SAFETY: all three point to strings, or to arrays of strings ended by null, that live in this frame.
                unsafe { libc::execve(self.program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
                b'x'
            }
            Err(step) => step,
        };
        // SAFETY: errno is this thread's; write takes a buffer of the length given; _exit does not return.
        unsafe {
            let [a, b, c, d] = (*libc::__errno_location()).to_ne_bytes();
            let report = [step, a, b, c, d];
            libc::write(self.status.as_raw_fd(), report.as_ptr().cast(), report.len());
            libc::_exit(127)
        }
    }

    /// Everything up to exec; an error is the step's letter, the reason is left in errno.
    fn prepare(&self) -> Result<(), u8> {
        let check = |result: libc::c_int, step: u8| if result < 0 { Err(step) } else { Ok(()) };
        // SAFETY: system calls with integers and with pointers to values that live in this frame or in the plan.
        unsafe {
            libc::setpgid(0, 0);
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), b'p')?;
            if libc::getppid() != self.shim {
                libc::_exit(127);
            }
            let mut word = 0_u8;
            if libc::read(self.gate.as_raw_fd(), (&raw mut word).cast(), 1) != 1 {
                libc::_exit(127);
            }
            let [stdout, stderr] = &self.outputs;
            let streams: [RawFd; 3] = [self.nothing.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()];
            for (number, descriptor) in (0..).zip(streams) {
                check(libc::dup2(descriptor, number), b'p')?;
            }
            check(libc::chdir(self.directory.as_ptr()), b'd')?;
            self.set_scores();
            if let Some(bytes) = self.data_limit {
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                check(libc::setrlimit(libc::RLIMIT_DATA, &raw const limit), b'p')?;
            }
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()), b'p')
        }
    }

    /// The supervisor's own protection from the out-of-memory killer is not for the workload.
    fn set_scores(&self) {
        // SAFETY: the path ends with a null, the buffer has the length given; a failure harms nothing.
        unsafe {
            let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if file >= 0 {
                libc::write(file, self.out_of_memory_score.as_ptr().cast(), self.out_of_memory_score.len());
                libc::close(file);
            }
        }
    }
}
