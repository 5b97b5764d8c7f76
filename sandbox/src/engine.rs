//! The simulated database engine behind one server: T-SQL in, rows and messages out. Knows nothing of TDS framing.

pub mod front;
pub mod sink;
