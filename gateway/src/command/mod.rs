//! The command line: one file for each kind of command, each asking the API and showing what it says.
//!
//! Exit codes are those of [`messages::api`]: done, refused, makes no sense, out of reach.

pub mod agent;
mod apply;
mod arguments;
mod backtest;
mod capacity;
mod changes;
mod client;
mod doctor;
mod explain;
mod fault;
mod live;
mod machine;
mod output;
mod plan;
mod replay;
mod screen;
mod show;
mod sim;
mod status;
mod top;
mod up;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use client::Client;
use fault::Fault;
use messages::api::{EXIT_DONE, EXIT_MISUSE, EXIT_UNREACHABLE};
use show::Show;

/// Runs the command that the arguments of this process ask for. Returns the exit code.
pub fn run() -> i32 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _printed_or_closed = error.print();
            return i32::from(if error.use_stderr() { EXIT_MISUSE } else { EXIT_DONE });
        }
    };
    let show = Show { json: arguments.asking.json };
    let outcome = match arguments.command {
        Command::Up(up) => return i32::from(up::up(*up, arguments.asking.json)),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "orrery", &mut text);
            show.text(&String::from_utf8_lossy(&text));
            Ok(EXIT_DONE)
        }
        Command::Sim(command) => sim::sim(show, &command),
        command => match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(dispatch(command, &arguments.asking, show)),
            Err(error) => Err(Fault::Unreachable(format!("the runtime cannot start: {error}"))),
        },
    };
    match outcome {
        Ok(code) => i32::from(code),
        Err(fault) => {
            fault.tell(show);
            i32::from(fault.exit_code())
        }
    }
}

/// One line for each command.
async fn dispatch(command: Command, asking: &arguments::Asking, show: Show) -> Result<u8, Fault> {
    let client = Client::new(&asking.api, asking.realm.clone())?;
    match command {
        Command::Up(_) | Command::Sim(_) | Command::Completions { .. } => return Ok(EXIT_UNREACHABLE),
        Command::Agent { join, data, node } => {
            agent::agent(&join, show, &data, &node).await?;
        }
        Command::Apply { files, no_build, plan: None } => apply::apply(&client, show, &files, no_build).await?,
        Command::Apply { files, no_build, plan: Some(plan) } => {
            apply::planned(&client, show, &files, no_build, &plan).await?;
        }
        Command::Plan { files, verbose } => return plan::plan(&client, show, &files, verbose).await,
        Command::Capacity { what, verbose } => capacity::capacity(&client, show, what.as_deref(), verbose).await?,
        Command::Status { job, at } => status::status(&client, show, job, at.at).await?,
        Command::Top { once } => top::top(&client, show, once).await?,
        Command::Logs { instance, follow, last, stream } => {
            output::logs(&client, &instance, follow, last, stream).await?;
        }
        Command::Job(command) => changes::job(&client, show, command).await?,
        Command::Node(command) => changes::node(&client, show, command).await?,
        Command::Route(command) => changes::route(&client, show, command).await?,
        Command::Rollout(command) => changes::rollout(&client, show, command).await?,
        Command::Policy(command) => return changes::policy(&client, show, command).await,
        Command::Why { instance, at } => explain::why(&client, show, &instance, at.at).await?,
        Command::WhyNot { job, node, at } => return explain::why_not(&client, show, &job, &node, at.at).await,
        Command::Trace { id, at } => explain::trace(&client, show, &id, at.at).await?,
        Command::Log { export: Some(to), data, nats, site, .. } => replay::export(show, to, data, nats, site).await?,
        Command::Log { from, limit, follow, .. } => output::log(&client, show, from, limit, follow).await?,
        Command::Replay { verify: _, data, nats, site } => {
            return replay::verify(&client, show, &data, nats, site).await;
        }
        Command::Doctor { data, ingress, nats } => {
            return doctor::doctor(&client, show, &data, ingress, &nats).await;
        }
    }
    Ok(EXIT_DONE)
}
