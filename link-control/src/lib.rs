//! The Managed Instance link: who is primary.
//!
//! [`topology`] is the part the data path stands on: one immutable picture of every link, one writer, many readers.

pub mod topology;
