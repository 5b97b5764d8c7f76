//! One simulated server: its databases, its connections to SQLite, and who may log in.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tempfile::TempDir;

use super::bind::Plan;
use super::catalog::views::sessions::Sessions;
use super::catalog::{Catalog, Database, Identity, Role, Table, object_key};
use super::connection::Lease;
use super::error::SqlError;
use super::front::{Engine, EngineSession, LoginOptions};
use super::lock::{Interrupter, NotLocked, WriterLock};
use super::parser::Batch;
use super::replication::{Definition, Record, RedoLog};
use super::session::Session;
use super::sink::Message;

/// Connections kept open while no session needs them.
const IDLE_CONNECTIONS: usize = 16;
/// Parsed batches kept; each longer text counts for one.
const CACHED_BATCHES: usize = 512;
/// Longer texts are parsed anew each time.
const CACHED_TEXT_BYTES: usize = 32 * 1024;

/// What it takes to make an instance.
#[derive(Debug, Clone)]
pub struct InstanceOptions {
    /// What `@@SERVERNAME` says.
    pub name: String,
    /// The one login there is.
    pub user: String,
    /// Its password.
    pub password: Password,
}

/// A password, which `Debug` does not show.
#[derive(Clone)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

/// A parsed batch with its plans, bound at first use.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) batch: Batch,
    pub(crate) plans: Vec<OnceLock<(u64, Arc<Plan>)>>,
}

/// What a parsed batch depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CodeKey {
    pub(crate) text: String,
    pub(crate) parameters: String,
    pub(crate) database: String,
    pub(crate) catalog: u64,
    pub(crate) quoted_identifiers: bool,
}

pub(crate) struct Shared {
    pub(crate) options: InstanceOptions,
    directory: TempDir,
    catalog: RwLock<Arc<Catalog>>,
    versions: AtomicU64,
    pub(crate) writer: WriterLock,
    idle: Mutex<Vec<Lease>>,
    codes: Mutex<HashMap<CodeKey, Arc<Code>>>,
    log: RwLock<Option<RedoLog>>,
}

/// One simulated server. Clones are the same server.
#[derive(Clone)]
pub struct Instance {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Instance").field("name", &self.shared.options.name).finish_non_exhaustive()
    }
}

impl Instance {
    /// A server with master, tempdb, model and msdb, whose data lives in a temporary directory as long as it does.
    ///
    /// # Errors
    /// The directory or the database file cannot be made.
    pub fn new(options: InstanceOptions) -> Result<Self, std::io::Error> {
        let directory = tempfile::Builder::new().prefix("sandbox-").tempdir()?;
        let database = |(id, name): (i32, &str)| Database {
            id,
            name: name.to_owned(),
            role: Role::Standalone,
            tables: BTreeMap::new(),
            procedures: BTreeMap::new(),
            types: BTreeMap::new(),
        };
        let databases = [(1, "master"), (2, "tempdb"), (3, "model"), (4, "msdb")].map(database).into();
        let shared = Shared {
            options,
            directory,
            catalog: RwLock::new(Arc::new(Catalog { version: 1, databases, sessions: Sessions::default() })),
            versions: AtomicU64::new(1),
            writer: WriterLock::default(),
            idle: Mutex::new(Vec::new()),
            codes: Mutex::new(HashMap::new()),
            log: RwLock::new(None),
        };
        let instance = Self { shared: Arc::new(shared) };
        let first = instance.lease().map_err(|error| std::io::Error::other(error.text))?;
        instance.give_back(first);
        Ok(instance)
    }

    /// Adds a database with this role.
    pub fn add_database(&self, name: &str, role: Role) {
        self.change_catalog(|catalog| {
            let id = catalog.databases.iter().map(|database| database.id).max().unwrap_or(4) + 1;
            catalog.databases.push(Database {
                id,
                name: name.to_owned(),
                role,
                tables: BTreeMap::new(),
                procedures: BTreeMap::new(),
                types: BTreeMap::new(),
            });
        });
    }

    pub(crate) fn remove_database(&self, name: &str) {
        self.change_catalog(|catalog| catalog.databases.retain(|database| !database.name.eq_ignore_ascii_case(name)));
    }

    /// The role of a database, if it exists.
    #[must_use]
    pub fn role(&self, database: &str) -> Option<Role> {
        self.catalog().database(database).map(|database| database.role)
    }

    /// Changes the role of a database. Running statements finish with the role they began with.
    pub fn set_role(&self, database: &str, role: Role) {
        self.change_catalog(|catalog| {
            if let Some(database) = catalog.database_mut(database) {
                database.role = role;
            }
        });
    }

    /// Where commits of primary databases go.
    pub(crate) fn set_log(&self, log: Option<RedoLog>) {
        *self.shared.log.write().unwrap_or_else(PoisonError::into_inner) = log;
    }

    pub(crate) fn log(&self) -> Option<RedoLog> {
        self.shared.log.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.shared.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn next_version(&self) -> u64 {
        self.shared.versions.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn publish(&self, catalog: Arc<Catalog>) {
        *self.shared.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }

    fn change_catalog(&self, change: impl FnOnce(&mut Catalog)) {
        let mut slot = self.shared.catalog.write().unwrap_or_else(PoisonError::into_inner);
        let mut catalog = Catalog::clone(&slot);
        change(&mut catalog);
        catalog.version = self.next_version();
        *slot = Arc::new(catalog);
    }

    pub(crate) fn lease(&self) -> Result<Lease, SqlError> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(lease) => Ok(lease),
            None => Ok(Lease::open(&self.shared.directory.path().join("instance.sqlite"))?),
        }
    }

    /// Takes back a connection that holds nothing of a session.
    pub(crate) fn give_back(&self, lease: Lease) {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(lease);
        }
    }

    /// The parsed form of a text, from the cache if it is there.
    pub(crate) fn code(&self, key: CodeKey) -> Result<Arc<Code>, SqlError> {
        let codes = || self.shared.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = codes().get(&key) {
            return Ok(Arc::clone(code));
        }
        let batch = super::parser::batch(&key.text, key.quoted_identifiers)?;
        let plans = (0..batch.slots).map(|_| OnceLock::new()).collect();
        let code = Arc::new(Code { batch, plans });
        if key.text.len() <= CACHED_TEXT_BYTES {
            let mut codes = codes();
            if codes.len() >= CACHED_BATCHES {
                codes.clear();
            }
            codes.insert(key, Arc::clone(&code));
        }
        Ok(code)
    }

    /// Redoes a commit of the primary here.
    pub(crate) fn redo(&self, records: &mut [Record], interrupter: &Interrupter) -> Result<(), SqlError> {
        let guard = self.shared.writer.lock(None, interrupter).map_err(|reason| match reason {
            NotLocked::TimedOut | NotLocked::Interrupted => SqlError::new(1222, 16, 45, "Redo was stopped."),
        })?;
        let lease = self.lease()?;
        lease.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut catalog = Catalog::clone(&self.catalog());
        let mut defined = false;
        for record in records {
            let done = match record {
                Record::Rows(rows) => rows.apply(&lease.connection),
                Record::Define { database, statements, change } => {
                    defined = true;
                    define(&mut catalog, database, change);
                    statements.iter().try_for_each(|sql| lease.connection.execute_batch(sql).map_err(SqlError::from))
                }
                Record::Identity { database, table, last } => {
                    let found = catalog.database(database).and_then(|database| database.tables.get(table));
                    if let Some(identity) = found.and_then(|table| table.identity.as_ref()) {
                        identity.seen(*last);
                    }
                    Ok(())
                }
            };
            if let Err(error) = done {
                lease.connection.execute_batch("ROLLBACK")?;
                return Err(error);
            }
        }
        lease.connection.execute_batch("COMMIT")?;
        lease.changes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if defined {
            catalog.version = self.next_version();
            self.publish(Arc::new(catalog));
        }
        drop(guard);
        self.give_back(lease);
        Ok(())
    }
}

impl Engine for Instance {
    fn name(&self) -> &str {
        &self.shared.options.name
    }

    /// `database` is the one asked for; without it the login's default, master.
    fn login(
        &self,
        user: &str,
        password: &str,
        database: Option<&str>,
        options: LoginOptions,
    ) -> Result<Box<dyn EngineSession>, Message> {
        let known = &self.shared.options;
        if !user.eq_ignore_ascii_case(&known.user) || password != known.password.0 {
            let text = format!("Login failed for user '{user}'.");
            return Err(SqlError::new(18456, 14, 1, text).message(""));
        }
        let wanted = database.filter(|name| !name.is_empty()).unwrap_or("master");
        let catalog = self.catalog();
        let Some(found) = catalog.database(wanted) else {
            let text = format!("Cannot open database \"{wanted}\" requested by the login. The login failed.");
            return Err(SqlError::new(4060, 11, 1, text).message(""));
        };
        Ok(Box::new(Session::new(self.clone(), user.to_owned(), found.name.clone(), options)))
    }
}

/// Makes a change of the primary's catalog in another one.
pub(crate) fn define(catalog: &mut Catalog, database: &str, change: &Definition) {
    let Some(database) = catalog.database_mut(database) else { return };
    match change {
        Definition::Table(table) => {
            // The counter is each server's own.
            let known =
                database.tables.get(&object_key(&table.schema, &table.name)).and_then(|known| known.identity.clone());
            let fresh =
                |identity: &Arc<Identity>| Arc::new(Identity::new(identity.column, identity.seed, identity.increment));
            let identity = table.identity.as_ref().map(|identity| known.unwrap_or_else(|| fresh(identity)));
            let copy = Table { identity, ..Table::clone(table) };
            database.tables.insert(object_key(&table.schema, &table.name), Arc::new(copy));
        }
        Definition::DropTable(key) => {
            database.tables.remove(key);
        }
        Definition::Procedure(procedure) => {
            let key = object_key(&procedure.schema, &procedure.name);
            database.procedures.insert(key, Arc::clone(procedure));
        }
        Definition::Type(type_) => {
            database.types.insert(object_key(&type_.schema, &type_.name), Arc::clone(type_));
        }
        Definition::DropType(key) => {
            database.types.remove(key);
        }
        Definition::DropProcedure(key) => {
            database.procedures.remove(key);
        }
    }
}
