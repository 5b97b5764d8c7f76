//! Runs the checks of one JSON job with tiberius and prints what it saw as one JSON document.
//!
//! The job file is the first argument: `{client, host, port, read_only_port, ca_file, user, password, database, work_dir, checks}`.
#![allow(clippy::print_stdout, reason = "the document on stdout is what this program is for")]

mod session;
mod values;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use session::{Failure, Session};

/// What to do and where, as the runner writes it.
#[derive(Deserialize)]
struct Job {
    client: String,
    host: String,
    port: u16,
    read_only_port: u16,
    ca_file: String,
    user: String,
    password: String,
    database: String,
    checks: BTreeMap<String, Check>,
}

/// One check: a login and steps.
#[derive(Deserialize)]
struct Check {
    mode: String,
    read_only: bool,
    wrong_password: bool,
    database: Option<String>,
    steps: Vec<Step>,
}

/// One step; see `runner/checks.py` for the verbs.
#[derive(Deserialize)]
struct Step {
    #[serde(rename = "do")]
    verb: String,
    #[serde(default)]
    sql: String,
    #[serde(default)]
    params: Vec<(String, Option<String>)>,
    #[serde(default)]
    after_ms: u64,
    #[serde(default)]
    within_ms: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("the job file is missing: driver-tiberius JOB.json")?;
    let job: Job = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let mut outcomes = BTreeMap::new();
    for (id, check) in &job.checks {
        outcomes.insert(id, examine(&job, check).await);
    }
    println!("{}", json!({ "client": job.client, "version": "tiberius 0.13", "outcomes": outcomes }));
    Ok(())
}

/// One check, on a connection of its own.
async fn examine(job: &Job, check: &Check) -> Value {
    let mut session = match Session::connect(job, check).await {
        Ok(session) => session,
        Err(failure) => return json!({ "connect": failed(&failure), "steps": [] }),
    };
    let mut steps = Vec::new();
    for step in &check.steps {
        steps.push(perform(&mut session, step).await.unwrap_or_else(|failure| failed(&failure)));
    }
    json!({ "connect": { "done": true }, "steps": steps })
}

async fn perform(session: &mut Session<'_>, step: &Step) -> Result<Value, Failure> {
    match step.verb.as_str() {
        "begin" => session.begin().await?,
        "commit" => session.commit().await?,
        "rollback" => session.rollback().await?,
        "cancel" => return interrupted(session, step).await,
        "execute" => return session.execute(step).await,
        "query" => return session.query(step).await,
        other => return Err(Failure::Program(format!("unknown step {other}"))),
    }
    Ok(json!({ "done": true }))
}

/// Runs a statement that must be stopped, and says whether it was stopped in time.
async fn interrupted(session: &mut Session<'_>, step: &Step) -> Result<Value, Failure> {
    let started = Instant::now();
    let stopped = session.cancel(&step.sql, Duration::from_millis(step.after_ms)).await?;
    let elapsed = started.elapsed();
    let in_time = (Duration::from_millis(step.after_ms)..=Duration::from_millis(step.within_ms)).contains(&elapsed);
    Ok(json!({ "interrupted": stopped, "in_time": in_time }))
}

/// The outcome of a step that failed: the server's error number if it has one.
fn failed(failure: &Failure) -> Value {
    match failure {
        Failure::Client(tiberius::error::Error::Server(error)) => {
            json!({ "error": error.code(), "message": error.message() })
        }
        other => json!({ "failure": other.to_string() }),
    }
}
