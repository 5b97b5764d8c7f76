//! The data path: one TDS session in, the right SQL Server out.

pub mod config;
