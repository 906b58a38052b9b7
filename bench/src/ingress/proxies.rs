//! The programs beside ours, set up alike: one worker, connections kept on both sides, nothing logged, and the headers
//! that say where a request came from.

use super::server::Server;
use crate::setting::{Fault, failed};
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// The host that requests are for.
pub const HOST: &str = "bench.test";
/// What the upstream answers with.
const BODY: &str =
    "a page of a shop, short enough that the way costs more than the goods, 100 bytes in all; thank you\\n";
const APT: &str = "apt install haproxy nginx wrk";

/// Which core does what: the proxy under load has one to itself, where there is more than one.
pub struct Cores {
    proxy: Option<String>,
    others: Option<String>,
}

impl Cores {
    /// The first core for proxies, the others for load and upstream; no such rule on a machine with one core, or
    /// without the program that sets it.
    pub fn of_this_machine() -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let can = Command::new("taskset").arg("--version").output().is_ok();
        let split = can && count > 1;
        Self { proxy: split.then(|| "0".into()), others: split.then(|| format!("1-{}", count - 1)) }
    }

    /// A command that runs on the proxies' core.
    pub fn proxy(&self, program: impl AsRef<OsStr>) -> Command {
        on(self.proxy.as_deref(), program.as_ref())
    }

    /// A command that runs on the other cores.
    pub fn others(&self, program: impl AsRef<OsStr>) -> Command {
        on(self.others.as_deref(), program.as_ref())
    }
}

fn on(cores: Option<&str>, program: &OsStr) -> Command {
    let Some(cores) = cores else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program);
    command
}

/// A port where nobody listens now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed("no port is free"))?;
    listener.local_addr().map(|address| address.port()).map_err(failed("no port is free"))
}

/// nginx with one small page, which every proxy leads to.
///
/// # Errors
/// When it is missing or does not start.
pub fn upstream(directory: &Path, cores: &Cores) -> Result<Server, Fault> {
    let port = free_port()?;
    let location = format!("location / {{ default_type text/plain; return 200 \"{BODY}\"; }}");
    run_nginx(directory, "upstream", port, &location, |program| cores.others(program))
}

/// nginx in front of the upstream.
///
/// # Errors
/// When it is missing or does not start.
pub fn nginx(directory: &Path, cores: &Cores, upstream: u16) -> Result<Server, Fault> {
    let port = free_port()?;
    let rest = format!(
        "location / {{ proxy_pass http://page; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
         proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; \
         proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Proto http; }} }}\n\
         upstream page {{ server 127.0.0.1:{upstream}; keepalive 128; "
    );
    run_nginx(directory, "nginx", port, &rest, |program| cores.proxy(program))
}

fn run_nginx(
    directory: &Path,
    name: &str,
    port: u16,
    location: &str,
    command: impl Fn(&str) -> Command,
) -> Result<Server, Fault> {
    const PROGRAM: &str = "nginx";
    find(PROGRAM, "-v")?;
    let home = directory.join(name);
    let made = fs::create_dir_all(&home).and_then(|()| {
        fs::write(
            home.join("nginx.conf"),
            format!(
                "daemon off;\nworker_processes 1;\npid {name}.pid;\nerror_log stderr crit;\n\
                 events {{ worker_connections 1024; }}\n\
                 http {{ access_log off; keepalive_requests 1000000000; tcp_nodelay on;\n\
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
                 server {{ listen 127.0.0.1:{port}; server_name {HOST}; {location} }}\n}}\n"
            ),
        )
    });
    made.map_err(failed(home.display()))?;
    let mut command = command(PROGRAM);
    command.arg("-p").arg(&home).args(["-e", "stderr", "-c", "nginx.conf"]);
    Server::start(command, port).map_err(|what| missing(PROGRAM, &what))
}

/// HAProxy in front of the upstream.
///
/// # Errors
/// When it is missing or does not start.
pub fn haproxy(directory: &Path, cores: &Cores, upstream: u16) -> Result<Server, Fault> {
    const PROGRAM: &str = "haproxy";
    find(PROGRAM, "-v")?;
    let (port, file) = (free_port()?, directory.join("haproxy.cfg"));
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4096\n\
         defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n\
         \x20 option http-keep-alive\n  http-reuse always\n  option forwardfor\n\
         frontend front\n  bind 127.0.0.1:{port}\n  acl ours hdr(host) -i {HOST}\n\
         \x20 http-request set-header X-Forwarded-Proto http\n  http-request set-header X-Forwarded-Host %[req.hdr(host)]\n\
         \x20 use_backend page if ours\n\
         backend page\n  server one 127.0.0.1:{upstream}\n"
    );
    fs::write(&file, text).map_err(failed(file.display()))?;
    let mut command = cores.proxy(PROGRAM);
    command.arg("-db").arg("-f").arg(&file);
    Server::start(command, port).map_err(|what| missing(PROGRAM, &what))
}

/// Whether a program is there at all.
///
/// # Errors
/// When it is not.
pub fn find(program: &'static str, question: &str) -> Result<(), Fault> {
    let asked = Command::new(program).arg(question).output();
    asked.map(|_| ()).map_err(|error| missing(program, &error.to_string()))
}

fn missing(program: &'static str, what: &str) -> Fault {
    Fault::Missing { program, remedy: format!("{what}; {APT}") }
}
