//! The one picture everything obeys: which replica holds which role of which link, and whether that is proven.
//!
//! A [`Topology`] is immutable and checked when it is made: no database is in two links and no replica is primary and
//! secondary of one link, so no picture ever shows two primaries of a database. [`store`](store()) holds the current one.

mod source;
mod store;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use source::{Source, StaticLink, StaticSource};
pub use store::{TopologyReader, TopologyWriter, store};

/// The number of a picture. Each published picture has a greater one than all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

/// The name of a SQL Server instance that holds copies of databases, as the operator wrote it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaName(Arc<str>);

/// The name of a link, as the operator wrote it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(Arc<str>);

/// A place in the log of a database: SQL Server's log sequence number, `numeric(25,0)`. Later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u128);

/// What may be done with a link's databases now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The primary is proven and takes writes.
    Serving,
    /// Writes wait while the roles change hands; reads go on.
    Holding {
        /// When the hold began.
        since: Instant,
        /// When waiting writes are refused if the hold has not ended.
        deadline: Instant,
        /// What the hold is for, in words for an operator.
        what: Arc<str>,
    },
    /// No primary is proven, or two sides claim to be it. Nothing is guessed: the link has no primary.
    Unknown,
}

/// One link as it is in one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// The link's name.
    pub name: LinkName,
    /// The databases that move together over this link. Compared without regard to case.
    pub databases: Vec<String>,
    /// What may be done now.
    pub phase: Phase,
    /// Who takes writes. Always there while `Serving`, never while `Unknown`.
    pub primary: Option<ReplicaName>,
    /// Who may answer reads that declared they can be a moment behind.
    pub secondaries: Vec<ReplicaName>,
    /// The primary's committed position when it was last observed.
    pub position: Option<Position>,
    /// How far the furthest secondary was behind then; `None` where nobody measured.
    pub lag: Option<Duration>,
    /// When this view was last confirmed.
    pub updated: Instant,
}

/// One picture of all links. Made only by [`store`](store()) and [`TopologyWriter::publish`], which check it.
#[derive(Debug, PartialEq, Eq)]
pub struct Topology {
    epoch: Epoch,
    /// Sorted by name.
    links: Vec<LinkView>,
    /// Case-folded database name to index into `links`, sorted by name.
    databases: Vec<(String, usize)>,
}

/// Why a picture was refused. The one that was current stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// Two views have one name.
    #[error("link {0} appears twice")]
    LinkTwice(LinkName),
    /// Two links claim one database, so it could have two primaries.
    #[error("database {database} is in link {first} and in link {second}")]
    DatabaseInTwoLinks {
        /// The database, as the second link writes it.
        database: String,
        /// One link.
        first: LinkName,
        /// The other, or the same one when it lists the database twice.
        second: LinkName,
    },
    /// A replica holds both roles.
    #[error("replica {replica} is primary and secondary of link {link}")]
    PrimaryIsSecondary {
        /// The link.
        link: LinkName,
        /// The replica.
        replica: ReplicaName,
    },
    /// A secondary is listed twice.
    #[error("replica {replica} is twice a secondary of link {link}")]
    SecondaryTwice {
        /// The link.
        link: LinkName,
        /// The replica.
        replica: ReplicaName,
    },
    /// The link serves, but nobody takes writes.
    #[error("link {0} is serving without a primary")]
    ServingWithoutPrimary(LinkName),
    /// The roles are unproven, yet a primary is named.
    #[error("link {0} names a primary although its roles are unknown")]
    PrimaryWhileUnknown(LinkName),
}

impl Topology {
    fn checked(epoch: Epoch, mut links: Vec<LinkView>) -> Result<Self, TopologyError> {
        links.sort_by(|a, b| a.name.cmp(&b.name));
        for (link, next) in links.iter().zip(links.iter().skip(1)) {
            if link.name == next.name {
                return Err(TopologyError::LinkTwice(link.name.clone()));
            }
        }
        links.iter().try_for_each(LinkView::check)?;
        let databases = index(&links)?;
        Ok(Self { epoch, links, databases })
    }

    /// The number of this picture.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Every link, sorted by name.
    pub fn links(&self) -> &[LinkView] {
        &self.links
    }

    /// The link with this name.
    pub fn link(&self, name: &LinkName) -> Option<&LinkView> {
        let index = self.links.binary_search_by(|link| link.name.cmp(name)).ok()?;
        self.links.get(index)
    }

    /// The link a database belongs to, whatever the case of its name. Allocates nothing.
    pub fn link_of(&self, database: &str) -> Option<&LinkView> {
        let index = self.databases.binary_search_by(|(name, _)| compare_folded(name, database)).ok()?;
        self.databases.get(index).and_then(|(_, link)| self.links.get(*link))
    }
}

impl LinkView {
    fn check(&self) -> Result<(), TopologyError> {
        let link = || self.name.clone();
        match (&self.phase, &self.primary) {
            (Phase::Serving, None) => return Err(TopologyError::ServingWithoutPrimary(link())),
            (Phase::Unknown, Some(_)) => return Err(TopologyError::PrimaryWhileUnknown(link())),
            _ => {}
        }
        if let Some(replica) = self.primary.as_ref().filter(|primary| self.secondaries.contains(primary)) {
            return Err(TopologyError::PrimaryIsSecondary { link: link(), replica: replica.clone() });
        }
        for (index, replica) in self.secondaries.iter().enumerate() {
            if self.secondaries.iter().skip(index + 1).any(|other| other == replica) {
                return Err(TopologyError::SecondaryTwice { link: link(), replica: replica.clone() });
            }
        }
        Ok(())
    }
}

impl Phase {
    /// Its name, as metrics and the admin interface show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Holding { .. } => "holding",
            Self::Unknown => "unknown",
        }
    }
}

impl Epoch {
    const FIRST: Self = Self(1);

    /// The number itself.
    pub fn value(self) -> u64 {
        self.0
    }

    fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

fn index(links: &[LinkView]) -> Result<Vec<(String, usize)>, TopologyError> {
    let mut databases: Vec<(String, usize)> = Vec::new();
    for (number, link) in links.iter().enumerate() {
        for database in &link.databases {
            let folded = fold(database);
            if let Some((_, first)) = databases.iter().find(|(known, _)| *known == folded) {
                let first = links.get(*first).map_or_else(|| link.name.clone(), |first| first.name.clone());
                return Err(TopologyError::DatabaseInTwoLinks {
                    database: database.clone(),
                    first,
                    second: link.name.clone(),
                });
            }
            databases.push((folded, number));
        }
    }
    databases.sort();
    Ok(databases)
}

/// A name as it is compared. SQL Server compares database names by the server's collation, which is case-insensitive unless
/// the operator chose otherwise; two databases that differ only in case are refused here rather than mixed up.
pub fn fold(database: &str) -> String {
    database.chars().flat_map(char::to_lowercase).collect()
}

fn compare_folded(folded: &str, database: &str) -> Ordering {
    folded.chars().cmp(database.chars().flat_map(char::to_lowercase))
}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(ReplicaName);
name!(LinkName);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
