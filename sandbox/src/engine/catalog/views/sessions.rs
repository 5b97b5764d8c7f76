//! Who is logged in: what the dynamic management views show of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{NAME, Rows, quote};
use crate::engine::types::Type;

/// A session as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) session_id: u16,
    pub(crate) login: String,
    pub(crate) program: String,
    pub(crate) host: String,
    pub(crate) database_id: i32,
    pub(crate) isolation: String,
    pub(crate) running: bool,
    pub(crate) transactions: u32,
}

/// The sessions of an instance. Clones are the same list; its order is that of their logins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<(u64, BTreeMap<u64, Shown>)>>);

impl Sessions {
    /// Adds a session and gives what names it here.
    pub(crate) fn add(&self, shown: Shown) -> u64 {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.0 += 1;
        let key = list.0;
        list.1.insert(key, shown);
        key
    }

    pub(crate) fn set(&self, key: u64, shown: Shown) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.insert(key, shown);
    }

    pub(crate) fn remove(&self, key: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&key);
    }

    fn all(&self) -> Vec<Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.values().cloned().collect()
    }
}

/// The number sys.dm_exec_sessions has for an isolation level.
fn level(name: &str) -> &'static str {
    match name {
        "READ UNCOMMITTED" => "1",
        "READ COMMITTED" => "2",
        "REPEATABLE READ" => "3",
        "SERIALIZABLE" => "4",
        "SNAPSHOT" => "5",
        _ => "0",
    }
}

/// The dynamic management view of this name, if it is one of these.
pub(super) fn view(sessions: &Sessions, object: &str) -> Option<Rows> {
    let rows = sessions.all();
    let id = |shown: &Shown| shown.session_id.to_string();
    Some(match object {
        "dm_exec_sessions" => {
            let columns = vec![
                ("session_id", Type::SmallInt),
                ("login_name", NAME),
                ("original_login_name", NAME),
                ("program_name", NAME),
                ("host_name", NAME),
                ("status", Type::nvarchar(30)),
                ("database_id", Type::SmallInt),
                ("transaction_isolation_level", Type::SmallInt),
                ("open_transaction_count", Type::Int),
                ("is_user_process", Type::Bit),
            ];
            let row = |shown: &Shown| {
                let login = quote(&shown.login);
                vec![
                    id(shown),
                    login.clone(),
                    login,
                    quote(&shown.program),
                    quote(&shown.host),
                    quote(if shown.running { "running" } else { "sleeping" }),
                    shown.database_id.to_string(),
                    level(&shown.isolation).to_owned(),
                    shown.transactions.to_string(),
                    "1".to_owned(),
                ]
            };
            (columns, rows.iter().map(row).collect())
        }
        "dm_exec_connections" => {
            let columns = vec![
                ("session_id", Type::Int),
                ("most_recent_session_id", Type::Int),
                ("net_transport", Type::nvarchar(40)),
                ("protocol_type", Type::nvarchar(40)),
                ("auth_scheme", Type::nvarchar(40)),
            ];
            let row = |shown: &Shown| vec![id(shown), id(shown), quote("TCP"), quote("TSQL"), quote("SQL")];
            (columns, rows.iter().map(row).collect())
        }
        "dm_exec_requests" => {
            let columns = vec![
                ("session_id", Type::SmallInt),
                ("request_id", Type::Int),
                ("status", Type::nvarchar(30)),
                ("database_id", Type::SmallInt),
                ("transaction_isolation_level", Type::SmallInt),
                ("open_transaction_count", Type::Int),
            ];
            let row = |shown: &Shown| {
                let (database, isolation) = (shown.database_id.to_string(), level(&shown.isolation).to_owned());
                vec![id(shown), "0".into(), quote("running"), database, isolation, shown.transactions.to_string()]
            };
            (columns, rows.iter().filter(|shown| shown.running).map(row).collect())
        }
        _ => return None,
    })
}
