//! A steady load on the route of the example: 200 requests a second, sent when they are due and not when the last was
//! answered, each on a connection of its own, each answer read to its end.

use crate::setting::failed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between two requests: 200 a second.
const EVERY: Duration = Duration::from_millis(5);
/// An answer that takes longer has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A demonstration's token of examples/tokens.toml.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a.shop.test\r\nAuthorization: Bearer demo-ann-not-a-secret\r\n\
                       Connection: close\r\n\r\n";

/// What came of a request.
#[derive(Debug)]
pub struct Answer {
    /// When it was sent.
    pub asked: Instant,
    /// When the answer was whole.
    pub answered: Instant,
    /// The labels of the instances that took part, or what went wrong.
    pub outcome: Result<Vec<String>, String>,
}

/// The running load; it ends when dropped.
pub struct Load {
    answers: Arc<Mutex<Vec<Answer>>>,
    _runtime: Runtime,
}

impl Load {
    /// Begins to load the route behind this port.
    ///
    /// # Errors
    /// When it cannot run.
    pub fn start(port: u16) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(failed("the load cannot run"))?;
        let answers = Arc::new(Mutex::new(Vec::new()));
        let kept = answers.clone();
        runtime.spawn(async move {
            let mut due = interval(EVERY);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                due.tick().await;
                let kept = kept.clone();
                tokio::spawn(async move {
                    let asked = Instant::now();
                    let outcome = timeout(ANSWER_WITHIN, ask(port)).await;
                    let outcome = outcome.unwrap_or_else(|_| Err("no whole answer in time".into()));
                    let answer = Answer { asked, answered: Instant::now(), outcome };
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                });
            }
        });
        Ok(Self { answers, _runtime: runtime })
    }

    /// The answers since the last time.
    pub fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn ask(port: u16) -> Result<Vec<String>, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(failed("connect"))?;
    stream.write_all(REQUEST.as_bytes()).await.map_err(failed("write"))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(failed("read"))?;
    judge(&String::from_utf8_lossy(&answer))
}

/// The labels in a whole, good answer: of the storefront, the prices and the stock.
fn judge(answer: &str) -> Result<Vec<String>, String> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("cut short: {answer:?}"))?;
    let labels: Vec<String> = body
        .split("\"instance\":\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(label, _)| label.to_owned()))
        .collect();
    if head.split(' ').nth(1) != Some("200") || labels.len() != 3 || !body.trim_end().ends_with('}') {
        return Err(format!("{} {body}", head.lines().next().unwrap_or_default()));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_and_good_answer_counts() {
        let good = "HTTP/1.1 200 OK\r\nX: y\r\n\r\n{\"instance\":\"a/3\",\"prices\":{\"instance\":\"b/1\"},\"stock\":{\"instance\":\"c/2\"}}";
        assert_eq!(judge(good).expect("whole"), ["a/3", "b/1", "c/2"]);
        assert!(judge(&good[..good.len() - 3]).is_err());
        assert!(judge(&good[..good.len() - 30]).is_err());
        assert!(judge(&good.replace("200 OK", "502 Bad Gateway")).is_err_and(|what| what.contains("502")));
        assert!(judge("").is_err());
    }
}
