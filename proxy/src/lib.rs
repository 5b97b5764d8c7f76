//! The data path: one TDS session in, the right SQL Server out.

pub mod admin;
pub mod config;
pub mod health;
pub mod metrics;
pub mod telemetry;
