//! Log lines: their form, what is in them, and where they go. Installed by a `main`, once.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// Why the process cannot report.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is no filter. A checked configuration has none such.
    #[error("the log level cannot be used")]
    Level(#[from] ParseError),
    /// The process reports already.
    #[error("the log is installed already")]
    Installed(#[from] TryInitError),
    /// Nobody reports any more.
    #[error("the log level cannot be changed")]
    Gone(#[from] reload::Error),
}

/// Changes what is reported while the process runs.
pub struct LevelSwitch(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl LevelSwitch {
    /// Reports what `level` says from now on.
    ///
    /// # Errors
    /// The level is no filter, or nobody reports any more.
    pub fn set(&self, level: &str) -> Result<(), TelemetryError> {
        Ok((self.0)(EnvFilter::try_new(level)?)?)
    }
}

/// Makes the process report on stderr, so that stdout stays for answers to commands.
///
/// # Errors
/// The level is no filter, or the process reports already.
pub fn install(log: &Log) -> Result<LevelSwitch, TelemetryError> {
    match log.format {
        LogFormat::Text => {
            let (lines, level) = text(log, io::stderr)?;
            lines.try_init()?;
            Ok(level)
        }
        LogFormat::Json => {
            let (lines, level) = json(log, io::stderr)?;
            lines.try_init()?;
            Ok(level)
        }
    }
}

/// Lines for people: time, level, the spans the event is in with their fields, message, fields.
fn text<W>(log: &Log, writer: W) -> Result<(impl Subscriber + Send + Sync + use<W>, LevelSwitch), ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.level)?;
    // Colours would put escape bytes into files and journals, where most of these lines end up.
    let lines = tracing_subscriber::fmt().with_writer(writer).with_ansi(false);
    let lines = lines.with_env_filter(filter).with_filter_reloading();
    let level = lines.reload_handle();
    Ok((lines.finish(), LevelSwitch(Box::new(move |filter| level.reload(filter)))))
}

/// One JSON object per line: `timestamp`, `level`, `target`, `message`, the event's fields, and `span` with the fields of the
/// innermost span, such as `session.id`.
fn json<W>(log: &Log, writer: W) -> Result<(impl Subscriber + Send + Sync + use<W>, LevelSwitch), ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.level)?;
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(true).with_span_list(false);
    let lines = lines.with_writer(writer).with_env_filter(filter).with_filter_reloading();
    let level = lines.reload_handle();
    Ok((lines.finish(), LevelSwitch(Box::new(move |filter| level.reload(filter)))))
}

#[cfg(test)]
mod tests {
    //! What one event looks like in each form.

    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span, trace};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat) -> String {
        let lines = Lines::default();
        let writer = {
            let lines = lines.clone();
            move || lines.clone()
        };
        let log = Log { format, level: "info".to_owned() };
        let event = || {
            let _span = info_span!("session", session.id = 7, client.address = "10.0.0.9:5000").entered();
            info!(replica = "mi", "routed");
            trace!("too much");
        };
        match format {
            LogFormat::Text => tracing::subscriber::with_default(text(&log, writer).unwrap().0, event),
            LogFormat::Json => tracing::subscriber::with_default(json(&log, writer).unwrap().0, event),
        }
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_text_line_names_its_session_and_has_no_escapes() {
        let text = written(LogFormat::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("session{session.id=7 client.address=\"10.0.0.9:5000\"}"), "{text}");
        assert!(text.trim_end().ends_with("routed replica=\"mi\""), "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }

    #[test]
    fn a_json_line_is_one_object_that_names_its_session() {
        let text = written(LogFormat::Json);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "routed");
        assert_eq!(line["replica"], "mi");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["span"]["session.id"], 7);
    }

    #[test]
    fn a_level_that_is_changed_counts_for_the_next_line() {
        let lines = Lines::default();
        let writer = {
            let lines = lines.clone();
            move || lines.clone()
        };
        let log = Log { format: LogFormat::Text, level: "info".to_owned() };
        let (subscriber, level) = text(&log, writer).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            for (level_now, number) in [("warn", 1), ("trace", 2), ("off", 3)] {
                level.set(level_now).unwrap();
                trace!(number, "told");
            }
            assert!(level.set("no,such=filter=").is_err());
        });
        let bytes = lines.0.lock().unwrap().clone();
        let written = String::from_utf8(bytes).unwrap();
        assert_eq!(written.lines().count(), 1, "{written}");
        assert!(written.contains("number=2"), "{written}");
    }
}
