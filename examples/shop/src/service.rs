//! What the three programs have in common: their arguments, who they are, how they start and how they end.

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Answer, Request};
use crate::json::Object;
use crate::server::{Handler, Server};
use crate::stop;

/// How often a running service looks whether it was asked to stop.
const STOP_LOOK: Duration = Duration::from_millis(50);

/// What a program was told on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Where to listen.
    pub listen: SocketAddr,
    /// After this long it answers every request with 500: how a bad revision is played.
    pub fail_after: Option<Duration>,
    /// A text shown in its answers, to tell revisions apart.
    pub version: String,
}

/// Who a running service is, as its answers say.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The program, `shop-a`.
    pub program: String,
    /// The instance, `a/3`.
    pub instance: String,
    /// The revision it was started as.
    pub revision: String,
    /// The text given with `--version`.
    pub version: String,
}

/// A service before it listens: given who it is, it opens what it keeps in its working directory.
pub type Open = fn(&Identity, &Path) -> Result<Arc<dyn Handler>, String>;

/// The whole life of a program: reads arguments, serves, and ends when asked to.
pub fn run(program: &str, open: Open) -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{}", usage(program));
        return ExitCode::SUCCESS;
    }
    let result = Arguments::parse(&words)
        .map_err(|problem| (2, format!("{problem}\n{}", usage(program))))
        .and_then(|arguments| serve(program, arguments, open).map_err(|problem| (1, problem)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, problem)) => {
            eprintln!("{program}: {problem}");
            ExitCode::from(code)
        }
    }
}

fn serve(program: &str, arguments: Arguments, open: Open) -> Result<(), String> {
    stop::watch();
    let identity = Identity::from_environment(program, arguments.version);
    let directory = env::current_dir().map_err(|problem| format!("no working directory: {problem}"))?;
    let handler = open(&identity, &directory)?;
    let handler = Arc::new(Service::new(identity.clone(), arguments.fail_after, handler));
    let server = Server::start(arguments.listen, handler)
        .map_err(|problem| format!("cannot listen at {}: {problem}", arguments.listen))?;
    println!("{identity} serves http://{}", server.address());
    while !stop::asked() {
        thread::sleep(STOP_LOOK);
    }
    let drained = server.stop();
    println!("{identity} stopped after {} requests", server.served());
    if drained { Ok(()) } else { Err("some requests took too long and were left unanswered".to_owned()) }
}

fn usage(program: &str) -> String {
    format!(
        "usage: {program} --listen PORT|ADDRESS [--version TEXT] [--fail-after TIME]\n\n  \
           --listen PORT|ADDRESS  where to listen; a port alone means 127.0.0.1\n  \
           --version TEXT         a text shown in every answer\n  \
           --fail-after TIME      answer every request with 500 once this time (500ms, 3s) has passed"
    )
}

impl Arguments {
    /// Reads the words after the program's name.
    pub fn parse(words: &[String]) -> Result<Arguments, String> {
        let (mut listen, mut fail_after, mut version) = (None, None, "1".to_owned());
        let mut words = words.iter();
        while let Some(flag) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--listen" => listen = Some(parse_listen(value()?)?),
                "--fail-after" => fail_after = Some(parse_time(value()?)?),
                "--version" => version = value()?.clone(),
                _ => return Err(format!("`{flag}` is not an argument")),
            }
        }
        let listen = listen.ok_or("--listen is missing")?;
        Ok(Arguments { listen, fail_after, version })
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_| format!("`{text}` is neither a port nor an address with a port"))
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let (digits, unit): (&str, fn(u64) -> Duration) = match text.strip_suffix("ms") {
        Some(digits) => (digits, Duration::from_millis),
        None => (text.strip_suffix('s').unwrap_or_default(), Duration::from_secs),
    };
    digits.parse().map(unit).map_err(|_| format!("`{text}` is not a time like 500ms or 3s"))
}

impl Identity {
    fn from_environment(program: &str, version: String) -> Identity {
        let instance = env::var("ORRERY_LABEL").unwrap_or_else(|_| "alone".to_owned());
        let revision = env::var("ORRERY_REVISION").unwrap_or_else(|_| "none".to_owned());
        Identity { program: program.to_owned(), instance, revision, version }
    }

    /// The beginning of every answer: instance, revision and version.
    pub fn object(&self) -> Object {
        Object::new()
            .text("service", &self.program)
            .text("instance", &self.instance)
            .text("revision", &self.revision)
            .text("version", &self.version)
    }

    /// An answer that says what went wrong, and who says so.
    pub fn problem(&self, status: u16, error: &str) -> Answer {
        Answer::new(status, self.object().text("error", error).finish())
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Identity { program, instance, revision, version } = self;
        write!(formatter, "{program} {instance} (revision {revision}, version {version})")
    }
}

/// An identity for tests.
#[cfg(test)]
pub(crate) fn test_identity(instance: &str) -> Identity {
    let (program, revision, version) = ("shop".to_owned(), "1".to_owned(), "one".to_owned());
    Identity { program, instance: instance.to_owned(), revision, version }
}

/// A service's own requests, behind what all three answer alike.
struct Service {
    identity: Identity,
    started: Instant,
    fail_after: Option<Duration>,
    handler: Arc<dyn Handler>,
}

impl Service {
    fn new(identity: Identity, fail_after: Option<Duration>, handler: Arc<dyn Handler>) -> Service {
        Service { identity, started: Instant::now(), fail_after, handler }
    }
}

impl Handler for Service {
    fn answer(&self, request: &Request) -> Answer {
        if self.fail_after.is_some_and(|after| self.started.elapsed() >= after) {
            return self.identity.problem(500, "this revision fails after a while, as it was told to");
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/healthz") => Answer::new(200, self.identity.object().text("health", "good").finish()),
            _ => self.handler.answer(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, String> {
        Arguments::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_read() {
        let plain = parse("--listen 8080").expect("a port is enough");
        assert_eq!(plain.listen, "127.0.0.1:8080".parse().expect("an address"));
        assert_eq!((plain.fail_after, plain.version.as_str()), (None, "1"));
        let full = parse("--version two --fail-after 250ms --listen 0.0.0.0:80").expect("all of them");
        assert_eq!((full.fail_after, full.version.as_str()), (Some(Duration::from_millis(250)), "two"));
        assert_eq!(parse("--listen 1 --fail-after 3s").expect("seconds").fail_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for (text, problem) in [
            ("", "--listen is missing"),
            ("--listen", "--listen needs a value"),
            ("--listen here", "`here` is neither a port nor an address with a port"),
            ("--listen 1 --fail-after 3", "`3` is not a time like 500ms or 3s"),
            ("--liste 1", "`--liste` is not an argument"),
        ] {
            assert_eq!(parse(text), Err(problem.to_owned()));
        }
    }

    #[test]
    fn a_bad_revision_is_good_until_it_is_not() {
        struct Never;
        impl Handler for Never {
            fn answer(&self, _request: &Request) -> Answer {
                Answer::new(404, "{}")
            }
        }
        let identity = test_identity("b/0");
        let health = Request { method: "GET".into(), path: "/healthz".into(), body: vec![], keep_alive: true };
        let good = Service::new(identity.clone(), Some(Duration::from_secs(3600)), Arc::new(Never));
        assert_eq!(good.answer(&health).status, 200);
        let bad = Service::new(identity, Some(Duration::ZERO), Arc::new(Never));
        assert_eq!(bad.answer(&health).status, 500);
    }
}
