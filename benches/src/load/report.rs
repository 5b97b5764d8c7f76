//! Medians over the rounds, ratios of medians, and the table.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::thread;

use super::options::Options;
use super::sample::{Sample, Scenario};
use super::subject::{Field, Kind};

/// Every sample of a run.
pub(super) struct Report {
    samples: BTreeMap<(Scenario, Kind), Vec<Sample>>,
}

const HEADINGS: &str = "\
| what                | through   | requests/s | ±    | p50 µs   | p99 µs   | MiB/s   | CPU µs/request | × direct | × HAProxy |
|---------------------|-----------|-----------:|-----:|---------:|---------:|--------:|---------------:|---------:|----------:|";

impl Report {
    /// Says what is measured, and on what.
    pub(super) fn new(options: &Options, field: &Field) -> io::Result<Self> {
        let cores = thread::available_parallelism()?;
        let Options { rounds, seconds, threads, end_threads, .. } = options;
        let legs =
            if options.tls { "TLS on both legs (TDS 8.0; the TCP relay passes it through)" } else { "plaintext" };
        writeln!(
            io::stdout().lock(),
            "{legs}; {rounds} interleaved rounds of {seconds} s; {cores} cores; {threads} thread(s) in the middle, \
             {end_threads} each for the server and the load generator; {}.\n\
             Numbers are medians and hold for this machine and moment only; the ratios (of requests/s) are what counts.\n\
             ± is half the distance between the best and the worst round.\n\n{HEADINGS}",
            field.haproxy
        )?;
        Ok(Self { samples: BTreeMap::new() })
    }

    /// Adds one measurement.
    pub(super) fn add(&mut self, scenario: Scenario, kind: Kind, sample: Sample) {
        self.samples.entry((scenario, kind)).or_default().push(sample);
    }

    /// Prints a scenario's lines.
    pub(super) fn print(&self, scenario: Scenario) -> io::Result<()> {
        let throughput = |kind| {
            let samples = self.samples.get(&(scenario, kind))?;
            Some(median(samples.iter().map(|sample| sample.requests_per_second)))
        };
        let (direct, haproxy) = (throughput(Kind::Direct), throughput(Kind::Haproxy));
        for ((_, kind), samples) in self.samples.iter().filter(|((of, _), _)| *of == scenario) {
            let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field));
            let requests = of(|sample| sample.requests_per_second);
            let ratio = |to: Option<f64>| to.map_or_else(|| "–".to_owned(), |to| format!("{:.2}", requests / to));
            let cpu: Option<Vec<f64>> = samples.iter().map(|sample| sample.cpu_us).collect();
            let cpu = cpu.map_or_else(|| "–".to_owned(), |cpu| format!("{:.1}", median(cpu.into_iter())));
            writeln!(
                io::stdout().lock(),
                "| {:19} | {kind:9} | {requests:10.1} | {:3.0}% | {:8.1} | {:8.1} | {:7.1} | {cpu:>14} | {:>8} | {:>9} |",
                scenario.to_string(),
                spread_percent(samples),
                of(|sample| sample.p50_us),
                of(|sample| sample.p99_us),
                of(|sample| sample.mib_per_second),
                ratio(direct),
                ratio(haproxy),
            )?;
        }
        Ok(())
    }
}

/// Half the distance between the best and the worst round, in percent of the median.
fn spread_percent(samples: &[Sample]) -> f64 {
    let throughput = || samples.iter().map(|sample| sample.requests_per_second);
    let (worst, best) = (throughput().fold(f64::INFINITY, f64::min), throughput().fold(0.0, f64::max));
    (best - worst) / 2.0 / median(throughput()) * 100.0
}

/// The middle value, or the mean of the two in the middle; 0 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().saturating_sub(1) / 2), values.get(values.len() / 2));
    low.zip(high).map_or(0.0, |(low, high)| f64::midpoint(*low, *high))
}
