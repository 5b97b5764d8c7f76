//! The one cell that holds the current topology: a single writer, any number of readers that never wait.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Epoch, LinkView, Topology, TopologyError};

/// Makes the cell with its first picture.
///
/// # Errors
/// The picture contradicts itself.
pub fn store(initial: Vec<LinkView>) -> Result<(TopologyWriter, TopologyReader), TopologyError> {
    let cell = Arc::new(ArcSwap::from_pointee(Topology::checked(Epoch::FIRST, initial)?));
    Ok((TopologyWriter { cell: Arc::clone(&cell) }, TopologyReader { cell }))
}

/// The only one who may change the topology: it cannot be cloned, and publishing takes it exclusively.
#[derive(Debug)]
pub struct TopologyWriter {
    cell: Arc<ArcSwap<Topology>>,
}

/// Sees the current topology. Cheap to clone, never blocks and is never blocked.
#[derive(Debug, Clone)]
pub struct TopologyReader {
    cell: Arc<ArcSwap<Topology>>,
}

impl TopologyWriter {
    /// Replaces the picture and returns its epoch, one more than the last.
    ///
    /// # Errors
    /// The picture contradicts itself; the current one stays.
    // `&mut` is the point: with it there is one publisher at a time, so an epoch is given out once.
    pub fn publish(&mut self, links: Vec<LinkView>) -> Result<Epoch, TopologyError> {
        let epoch = self.cell.load().epoch().next();
        self.cell.store(Arc::new(Topology::checked(epoch, links)?));
        Ok(epoch)
    }
}

impl TopologyReader {
    /// The picture as it is now. Take one for a whole request: a change between two looks would mix two epochs.
    pub fn snapshot(&self) -> Arc<Topology> {
        self.cell.load_full()
    }
}
