//! One connection of tiberius. Its command timeout is not used: by its own documentation it leaves the connection out of step.

use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Query, QueryItem};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::values::{Parameter, text};
use crate::{Check, Job, Step};

/// Why a step gave nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    Client(Error),
    Program(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(error) => error.fmt(formatter),
            Self::Program(text) => formatter.write_str(text),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Client(error.into())
    }
}

/// A logged-in connection, and how to make another like it.
pub(crate) struct Session<'j> {
    job: &'j Job,
    check: &'j Check,
    client: Client<Compat<TcpStream>>,
}

impl<'j> Session<'j> {
    pub(crate) async fn connect(job: &'j Job, check: &'j Check) -> Result<Self, Failure> {
        Ok(Self { job, check, client: client(job, check).await? })
    }

    pub(crate) async fn query(&mut self, step: &Step) -> Result<Value, Failure> {
        let sql = named(&step.sql);
        let mut stream = if step.params.is_empty() {
            self.client.simple_query(sql).await?
        } else {
            bound(sql, step)?.query(&mut self.client).await?
        };
        let mut sets: Vec<(Vec<String>, Vec<Value>)> = Vec::new();
        while let Some(item) = stream.try_next().await? {
            match item {
                QueryItem::Metadata(heads) => {
                    sets.push((heads.columns().iter().map(|column| column.name().to_owned()).collect(), Vec::new()));
                }
                QueryItem::Row(row) => {
                    let cells: Result<Vec<Value>, Failure> = row.cells().map(|(_, data)| text(data)).collect();
                    let Some((_, rows)) = sets.last_mut() else {
                        return Err(Failure::Program("a row before any columns".to_owned()));
                    };
                    rows.push(Value::Array(cells?));
                }
            }
        }
        let sets: Vec<Value> =
            sets.into_iter().map(|(columns, rows)| json!({ "columns": columns, "rows": rows })).collect();
        Ok(json!({ "sets": sets }))
    }

    pub(crate) async fn execute(&mut self, step: &Step) -> Result<Value, Failure> {
        let result = bound(named(&step.sql), step)?.execute(&mut self.client).await?;
        Ok(json!({ "affected": result.total() }))
    }

    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        Ok(self.client.begin_transaction().await?)
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Failure> {
        Ok(self.client.commit_transaction().await?)
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), Failure> {
        Ok(self.client.rollback_transaction().await?)
    }

    /// Whether the statement was stopped before it ended by itself.
    pub(crate) async fn cancel(&mut self, sql: &str, after: Duration) -> Result<bool, Failure> {
        let client = &mut self.client;
        let running = async { client.simple_query(sql).await?.into_results().await };
        if let Ok(ended) = tokio::time::timeout(after, running).await {
            ended?;
            return Ok(false);
        }
        match self.client.cancel_query().await {
            Ok(()) => Ok(true),
            // tiberius 0.13 wants the acknowledgement in the first message it reads. Servers end the cancelled response in a message
            // of its own (MS-TDS 2.2.1.7), so the statement is stopped but this connection is one answer behind: go on with another.
            Err(Error::Protocol(_)) => {
                self.client = self::client(self.job, self.check).await?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn client(job: &Job, check: &Check) -> Result<Client<Compat<TcpStream>>, Failure> {
    let mut config = Config::new();
    config.host(&job.host);
    config.port(if check.read_only { job.read_only_port } else { job.port });
    config.database(check.database.as_ref().unwrap_or(&job.database));
    config.readonly(check.read_only);
    let password = if check.wrong_password { "not the password" } else { job.password.as_str() };
    config.authentication(AuthMethod::sql_server(&job.user, password));
    config.encryption(match check.mode.as_str() {
        "none" => EncryptionLevel::NotSupported,
        "login" => EncryptionLevel::Off,
        "trust" | "verify" => EncryptionLevel::Required,
        "strict" => EncryptionLevel::Strict,
        other => return Err(Failure::Program(format!("unknown mode {other}"))),
    });
    match check.mode.as_str() {
        "none" => {}
        "trust" => config.trust_cert(),
        _ => config.trust_cert_ca(&job.ca_file),
    }
    let stream = TcpStream::connect(config.get_addr()).await?;
    stream.set_nodelay(true)?;
    // The login is a future of 17 kB, too large to be part of every step's.
    let login = Box::pin(Client::connect(config, stream.compat_write()));
    Ok(tokio::time::timeout(Duration::from_secs(10), login)
        .await
        .map_err(|_| Failure::Program("no login within 10 s".to_owned()))??)
}

/// tiberius names its parameters `@P1`, `@P2`, …
fn named(sql: &str) -> String {
    sql.replace("@p", "@P")
}

fn bound(sql: String, step: &Step) -> Result<Query<'static>, Failure> {
    let mut query = Query::new(sql);
    for (kind, text) in &step.params {
        query.bind(Parameter::parse(kind, text.as_deref())?);
    }
    Ok(query)
}
