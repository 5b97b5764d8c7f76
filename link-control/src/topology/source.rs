//! Where a topology comes from. A source gives the first picture and then keeps it true.

use std::future::{self, Future};
use std::time::Instant;

use super::{LinkName, LinkView, Phase, ReplicaName, TopologyError, TopologyWriter};

/// Something that knows who is primary.
pub trait Source {
    /// The first picture, needed before the first session is served.
    fn first(&self, now: Instant) -> Vec<LinkView>;

    /// Publishes every change until the future is dropped. Owns the writer meanwhile, so there is one source at a time.
    ///
    /// # Errors
    /// The source cannot go on. The last picture stays.
    fn keep(self, writer: TopologyWriter) -> impl Future<Output = Result<(), TopologyError>> + Send;
}

/// One link whose roles an operator wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticLink {
    /// The link's name.
    pub name: LinkName,
    /// The databases that move together.
    pub databases: Vec<String>,
    /// Who takes writes.
    pub primary: ReplicaName,
    /// Who may answer reads.
    pub secondaries: Vec<ReplicaName>,
}

/// A source that never changes its mind: the roles are as configured until the process ends.
#[derive(Debug, Clone)]
pub struct StaticSource {
    links: Vec<StaticLink>,
}

impl StaticSource {
    /// A source that says what these links say.
    pub fn new(links: Vec<StaticLink>) -> Self {
        Self { links }
    }
}

impl Source for StaticSource {
    fn first(&self, now: Instant) -> Vec<LinkView> {
        let view = |link: &StaticLink| LinkView {
            name: link.name.clone(),
            databases: link.databases.clone(),
            phase: Phase::Serving,
            primary: Some(link.primary.clone()),
            secondaries: link.secondaries.clone(),
            position: None,
            lag: None,
            updated: now,
        };
        self.links.iter().map(view).collect()
    }

    async fn keep(self, writer: TopologyWriter) -> Result<(), TopologyError> {
        // Held, so that nobody else can publish beside the configuration.
        let _writer = writer;
        future::pending().await
    }
}
