//! Two simulated servers with replicated databases between them.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use super::catalog::Role;
use super::front::{Engine, LoginOptions};
use super::instance::{Instance, InstanceOptions, Password};
use super::replication::{Position, RedoLog};
use super::sink::{Column, Environment, Message, ReturnValue, Sink, StatementEnd, Stop};
use tds::value::Value;

/// What it takes to make a pair.
#[derive(Debug, Clone)]
pub struct PairOptions {
    /// Name of the primary.
    pub onprem: String,
    /// Name of the secondary.
    pub mi: String,
    /// The login both have.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// The replicated databases; the first gets the table Orders.
    pub databases: Vec<String>,
    /// How long a commit takes to be redone on the secondary.
    pub lag: Duration,
}

impl Default for PairOptions {
    fn default() -> Self {
        Self {
            onprem: "onprem".into(),
            mi: "mi".into(),
            user: "app".into(),
            password: Password("App_User_1".into()),
            databases: vec!["SalesDB".into()],
            lag: Duration::ZERO,
        }
    }
}

/// The rows every fresh pair has, so that a first SELECT shows something.
const SEED: &str = "CREATE TABLE dbo.Orders (OrderID int IDENTITY(1,1) NOT NULL CONSTRAINT PK_Orders PRIMARY KEY, \
    CustomerID int NOT NULL, Total decimal(10,2) NOT NULL); \
    INSERT INTO dbo.Orders (CustomerID, Total) VALUES (1, 19.99), (2, 250.00), (1, 7.50);";

/// Longest a fresh pair takes to become equal on a busy machine.
const START: Duration = Duration::from_secs(30);

/// Two servers, the first primary and the second secondary of the replicated databases. Redo stops when it is dropped.
#[derive(Debug)]
pub struct Pair {
    onprem: Instance,
    mi: Instance,
    log: RedoLog,
    redo: Option<JoinHandle<()>>,
}

impl Pair {
    /// Starts both and waits until they are equal.
    ///
    /// # Errors
    /// A data directory or the redo thread cannot be made.
    pub fn start(options: PairOptions) -> io::Result<Self> {
        let PairOptions { user, password, databases, lag, .. } = options;
        let instance =
            |name: String| Instance::new(InstanceOptions { name, user: user.clone(), password: password.clone() });
        let (onprem, mi) = (instance(options.onprem)?, instance(options.mi)?);
        for database in &databases {
            onprem.add_database(database, Role::Primary);
            mi.add_database(database, Role::Secondary);
        }
        let log = RedoLog::default();
        onprem.set_log(Some(log.clone()));
        let (secondary, redone) = (mi.clone(), log.clone());
        let redo = std::thread::Builder::new().name("redo".into()).spawn(move || redone.redo(&secondary))?;
        let pair = Self { onprem, mi, log, redo: Some(redo) };
        if let Some(database) = databases.first() {
            let session = pair.onprem.login(&user, &password.0, Some(database), LoginOptions::default());
            let mut session = session.map_err(|message| io::Error::other(message.text))?;
            let mut check = FirstError(None);
            let stopped = session.batch(SEED, &mut check).is_err();
            if let Some(message) = check.0 {
                return Err(io::Error::other(message.text));
            }
            if stopped || !pair.wait_until_equal(START) {
                return Err(io::Error::other("the secondary did not take the first commits"));
            }
        }
        pair.set_lag(lag);
        Ok(pair)
    }

    /// The server that begins as primary.
    #[must_use]
    pub fn onprem(&self) -> &Instance {
        &self.onprem
    }

    /// The server that begins as secondary.
    #[must_use]
    pub fn mi(&self) -> &Instance {
        &self.mi
    }

    /// Sets how long a commit takes to be redone; those already waiting obey it too.
    pub fn set_lag(&self, lag: Duration) {
        self.log.set_lag(lag);
    }

    /// Stops redo, or lets it go on.
    pub fn set_frozen(&self, frozen: bool) {
        self.log.set_frozen(frozen);
    }

    /// How far both are.
    #[must_use]
    pub fn position(&self) -> Position {
        self.log.position()
    }

    /// Waits until the secondary has redone what is committed now; `false` if time ran out first.
    #[must_use]
    pub fn wait_until_equal(&self, timeout: Duration) -> bool {
        self.log.wait_for(self.log.position().committed, timeout)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.log.close();
        if let Some(redo) = self.redo.take() {
            // A redo thread that panicked has already said so.
            let _ = redo.join();
        }
    }
}

/// Keeps the first error of the seeding batch.
struct FirstError(Option<Message>);

impl Sink for FirstError {
    fn columns(&mut self, _: &[Column]) -> Result<(), Stop> {
        Ok(())
    }

    fn row(&mut self, _: &[Value]) -> Result<(), Stop> {
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), Stop> {
        if message.class > 10 && self.0.is_none() {
            self.0 = Some(message);
        }
        Ok(())
    }

    fn environment(&mut self, _: Environment) -> Result<(), Stop> {
        Ok(())
    }

    fn end(&mut self, _: StatementEnd) -> Result<(), Stop> {
        Ok(())
    }

    fn return_value(&mut self, _: ReturnValue) -> Result<(), Stop> {
        Ok(())
    }

    fn return_status(&mut self, _: i32) -> Result<(), Stop> {
        Ok(())
    }

    fn stopped(&self) -> bool {
        false
    }
}
