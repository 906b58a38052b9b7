//! Asking an instance how it is: by HTTP, by connecting, or by a command in its own surroundings.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::driver::environment;

/// So much of an answer is kept as evidence.
const EVIDENCE_BYTES: usize = 256;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A GET that must be answered with 2xx or 3xx.
    Http {
        /// The port on this machine.
        port: u16,
        /// The path, query included.
        path: String,
    },
    /// A connection that must be accepted.
    Tcp {
        /// The port on this machine.
        port: u16,
    },
    /// A command that must exit with 0.
    Command {
        /// Program and arguments, `${NAME}` not yet replaced.
        run: Vec<String>,
    },
    /// Nothing: somebody else looks, and says what it thinks.
    Opinion,
}

/// Where a command runs: what the instance itself has around it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The instance's environment.
    pub environment: BTreeMap<String, String>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Where a relative program starts from.
    pub base_directory: PathBuf,
    /// The `cgroup.procs` files of its cgroup.
    pub entrances: Vec<PathBuf>,
}

impl Probe {
    /// Asks once; an error says what was asked and what came back.
    pub async fn ask(&self, surroundings: &Surroundings, timeout: Duration) -> Result<(), String> {
        let asked = async {
            match self {
                Probe::Http { port, path } => http(*port, path).await,
                Probe::Tcp { port } => connect(*port).await.map(drop),
                Probe::Command { run } => command(run, surroundings).await,
                Probe::Opinion => Ok(()),
            }
        };
        let late = |_| Err(format!("{} did not answer within {} ms", self.name(), timeout.as_millis()));
        tokio::time::timeout(timeout, asked).await.unwrap_or_else(late)
    }

    fn name(&self) -> String {
        match self {
            Probe::Http { port, path } => format!("http://127.0.0.1:{port}{path}"),
            Probe::Tcp { port } => format!("port {port}"),
            Probe::Command { run } => format!("`{}`", run.join(" ")),
            Probe::Opinion => "an opinion".to_owned(),
        }
    }
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| format!("port {port}: {error}"))
}

async fn http(port: u16, path: &str) -> Result<(), String> {
    let name = format!("http://127.0.0.1:{port}{path}");
    let failed = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let stream = connect(port).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let connection = AbortOnDrop(tokio::spawn(connection));
    let request = http::Request::get(path)
        .header(http::header::HOST, format!("127.0.0.1:{port}"))
        .header(http::header::USER_AGENT, "orrery-health")
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let mut response = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    if status.is_success() || status.is_redirection() {
        return Ok(());
    }
    let mut body = Vec::new();
    while let Some(Ok(frame)) = response.frame().await {
        body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if body.len() >= EVIDENCE_BYTES {
            break;
        }
    }
    drop(connection);
    Err(format!("{name} answered {status}{}", quoted(&body)))
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What was said, shortened, after a colon.
fn quoted(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(&said[..said.len().min(EVIDENCE_BYTES)]);
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

async fn command(run: &[String], surroundings: &Surroundings) -> Result<(), String> {
    let arguments = environment::arguments(run, &surroundings.environment).map_err(|error| error.to_string())?;
    let (program, arguments) = arguments.split_first().ok_or("the health command is empty")?;
    let path = if program.contains('/') { surroundings.base_directory.join(program) } else { PathBuf::from(program) };
    let mut command = Command::new(&path);
    command.args(arguments).env_clear().envs(&surroundings.environment).current_dir(&surroundings.directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    enter(&mut command, &surroundings.entrances);
    let mut child =
        command.spawn().map_err(|error| format!("cannot run the health command {}: {error}", path.display()))?;
    let _group = KillGroup(child.id().and_then(|pid| i32::try_from(pid).ok()));
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _what_was_read_is_kept = stderr.take(EVIDENCE_BYTES as u64).read_to_end(&mut said).await;
    }
    let status = child.wait().await.map_err(|error| format!("the health command cannot be waited for: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}{}", run.join(" "), quoted(&said))) }
}

/// A health command counts against the instance's limits, and ends with it.
fn enter(command: &mut Command, entrances: &[PathBuf]) {
    let entrances: Vec<CString> =
        entrances.iter().filter_map(|path| CString::new(path.as_os_str().as_bytes()).ok()).collect();
    let enter = move || {
        for entrance in &entrances {
            // SAFETY: the path ends with a null, the buffer has the length given; without a cgroup it runs as well.
            unsafe {
                let file = libc::open(entrance.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                if file >= 0 {
                    libc::write(file, c"0".as_ptr().cast(), 1);
                    libc::close(file);
                }
            }
        }
        Ok(())
    };
    // SAFETY: the closure only makes system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(enter) };
}

/// Takes what a health command started along with it.
struct KillGroup(Option<i32>);

impl Drop for KillGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _already_gone = crate::driver::process::send(-group, libc::SIGKILL);
        }
    }
}
