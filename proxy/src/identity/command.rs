//! The program that prints a token: run when the token it printed last ends soon, one run at a time.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::warn;

use super::secret::Token;

/// How long a run may take: less than a login.
const RUN_TIMEOUT: Duration = Duration::from_secs(10);
/// A token that ends within this time is renewed before it is used.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// How long a token is used that does not say when it ends.
const UNTOLD: Duration = Duration::from_secs(60);
/// How long a failure is believed, so that a storm of logins does not run the program for each.
const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// More than a token with everything around it has.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// Why a program gave no token. What it printed is not in here: it could be one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the token command {program} cannot be run")]
    Run {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("the token command {program} took longer than {} s", RUN_TIMEOUT.as_secs())]
    TooSlow { program: String },
    #[error("the token command {program} failed ({status})")]
    Failed { program: String, status: ExitStatus },
    #[error("the token command {program} printed no token")]
    NoToken { program: String },
}

/// A program that prints tokens, and the last one it printed.
pub(crate) struct TokenCommand {
    argv: Vec<String>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    token: Option<(Token, SystemTime)>,
    failure: Option<(Arc<CommandError>, Instant)>,
}

impl TokenCommand {
    /// Nothing is run yet.
    pub(crate) fn new(argv: Vec<String>) -> Self {
        Self { argv, last: Mutex::default() }
    }

    /// A token that does not end soon. Whoever comes while the program runs waits for that run.
    ///
    /// # Errors
    /// The program gives none, and the last one has ended.
    pub(crate) async fn token(&self) -> Result<Token, Arc<CommandError>> {
        let mut last = self.last.lock().await;
        let now = SystemTime::now();
        let held =
            |until: SystemTime| last.token.as_ref().filter(|(_, ends)| *ends > until).map(|(token, _)| token.clone());
        if let Some(token) = held(now + RENEWED_BEFORE) {
            return Ok(token);
        }
        let still_good = held(now);
        let failed =
            last.failure.as_ref().filter(|(_, at)| at.elapsed() < FAILURE_KEPT).map(|(error, _)| Arc::clone(error));
        let error = match failed {
            Some(error) => error,
            None => match self.run().await {
                Ok((token, ends)) => {
                    *last = Last { token: Some((token.clone(), ends)), failure: None };
                    return Ok(token);
                }
                Err(error) => {
                    let error = Arc::new(error);
                    last.failure = Some((Arc::clone(&error), Instant::now()));
                    error
                }
            },
        };
        match still_good {
            Some(token) => {
                warn!(error = %error, "the token is not renewed; the last one still holds");
                Ok(token)
            }
            None => Err(error),
        }
    }

    async fn run(&self) -> Result<(Token, SystemTime), CommandError> {
        let program = self.argv.first().cloned().unwrap_or_default();
        let output = match timeout(RUN_TIMEOUT, self.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(source)) => return Err(CommandError::Run { program, source }),
            Err(_) => return Err(CommandError::TooSlow { program }),
        };
        match output {
            (status, _) if !status.success() => Err(CommandError::Failed { program, status }),
            (_, output) => parse(&output, SystemTime::now()).ok_or(CommandError::NoToken { program }),
        }
    }

    async fn output(&self) -> io::Result<(ExitStatus, String)> {
        let (program, arguments) = self.argv.split_first().ok_or(io::ErrorKind::NotFound)?;
        // A group of its own, so that what a script started ends with it. Its stderr goes nowhere: it may quote tokens.
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = Vec::new();
        let most = u64::try_from(OUTPUT_BYTES_MAX).unwrap_or(u64::MAX);
        stdout.take(most).read_to_end(&mut output).await?;
        let status = child.wait().await?;
        group.ended();
        Ok((status, String::from_utf8_lossy(&output).into_owned()))
    }
}

/// Kills a process group, unless its leader ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It may be gone already, which is as good.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// A token and when it ends: alone on a line, or in JSON as `az account get-access-token`, `azd auth token` and the
/// endpoint of managed identities print it.
pub(super) fn parse(output: &str, now: SystemTime) -> Option<(Token, SystemTime)> {
    let output = output.trim();
    let (text, said) = match serde_json::from_str::<Value>(output) {
        Ok(Value::Object(fields)) => {
            let text = ["accessToken", "access_token", "token"].iter().find_map(|key| fields.get(*key)?.as_str());
            (text?.to_owned(), fields.get("expires_on").and_then(seconds))
        }
        _ => (output.to_owned(), None),
    };
    let token = Token::new(&text)?;
    // `expiresOn` is left aside: az writes it in local time without saying which. The token itself says it too.
    let ends = claimed_end(&text)
        .or(said)
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    Some((token, ends.unwrap_or(now + RENEWED_BEFORE + UNTOLD)))
}

/// The claim `exp` of a JSON Web Token, in seconds since 1970. Only a hint when to ask again, so nothing is verified.
fn claimed_end(token: &str) -> Option<u64> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    seconds(serde_json::from_slice::<Value>(&claims).ok()?.get("exp")?)
}

fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
