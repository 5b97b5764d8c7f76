//! Two simulated SQL Servers and the proxy in front of them. A simulation: it says so, and refuses what it cannot do.

pub mod engine;
