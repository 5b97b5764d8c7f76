//! The recorder that keeps the process's metrics and renders them for Prometheus.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::{LOGIN_DURATION, REQUEST_DURATION};

/// Reads what the recorder keeps. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder(PrometheusHandle);

/// The recorder cannot be installed: the process has one already.
#[derive(Debug, thiserror::Error)]
#[error("the metrics recorder cannot be installed")]
pub struct InstallError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Recorder {
    /// Makes the process count. To be called once, by `main`.
    ///
    /// # Errors
    /// The process counts already.
    pub fn install() -> Result<Self, InstallError> {
        let (recorder, handle) = build().map_err(|error| InstallError(error.into()))?;
        metrics::set_global_recorder(recorder).map_err(|error| InstallError(error.to_string().into()))?;
        Ok(handle)
    }

    /// Every metric in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Condenses what was recorded, for as long as it is polled. Histograms keep each sample until then.
    pub async fn keep(&self) {
        let mut tick = tokio::time::interval(CONDENSE_INTERVAL);
        loop {
            tick.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// A recorder with our buckets, not installed.
pub(super) fn build() -> Result<(PrometheusRecorder, Recorder), BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(LOGIN_DURATION.to_owned()), &LOGIN_BUCKETS_SECONDS)?
        .set_buckets_for_metric(Matcher::Full(REQUEST_DURATION.to_owned()), &REQUEST_BUCKETS_SECONDS)?
        .build_recorder();
    let handle = Recorder(recorder.handle());
    Ok((recorder, handle))
}

/// Bounds the samples kept to those of one second.
const CONDENSE_INTERVAL: Duration = Duration::from_secs(1);

/// From a login on the same machine to the longest a driver waits.
const LOGIN_BUCKETS_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];

/// From a cached row to a report.
const REQUEST_BUCKETS_SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];
