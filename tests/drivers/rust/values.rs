//! The common notation of values: text to a tiberius parameter, and a tiberius result to text.

use serde_json::Value;
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, Time};
use tiberius::{ColumnData, IntoSql, Uuid};

use crate::session::Failure;

/// A value on its way to the server.
pub(crate) struct Parameter(ColumnData<'static>);

impl<'a> IntoSql<'a> for Parameter {
    fn into_sql(self) -> ColumnData<'a> {
        self.0
    }
}

impl Parameter {
    pub(crate) fn parse(kind: &str, text: Option<&str>) -> Result<Self, Failure> {
        Ok(Self(match kind {
            "bit" => ColumnData::Bit(text.map(|text| text == "true")),
            "int" => ColumnData::I32(text.map(read).transpose()?),
            "bigint" => ColumnData::I64(text.map(read).transpose()?),
            "decimal" => ColumnData::Numeric(text.map(decimal).transpose()?),
            "float" => ColumnData::F64(text.map(double).transpose()?),
            "nvarchar" => ColumnData::String(text.map(|text| text.to_owned().into())),
            "varbinary" => ColumnData::Binary(text.map(binary).transpose()?.map(Into::into)),
            "date" => ColumnData::Date(text.map(date).transpose()?),
            "datetime" => ColumnData::DateTime(text.map(datetime).transpose()?),
            "datetime2" => ColumnData::DateTime2(text.map(datetime2).transpose()?),
            "uniqueidentifier" => ColumnData::Guid(text.map(read::<Uuid>).transpose()?),
            other => return Err(Failure::Program(format!("unknown kind of parameter {other}"))),
        }))
    }
}

/// A result in the common notation.
pub(crate) fn text(data: &ColumnData<'static>) -> Result<Value, Failure> {
    let text = match data {
        ColumnData::U8(value) => value.map(|value| value.to_string()),
        ColumnData::I16(value) => value.map(|value| value.to_string()),
        ColumnData::I32(value) => value.map(|value| value.to_string()),
        ColumnData::I64(value) => value.map(|value| value.to_string()),
        ColumnData::Time(None) | ColumnData::SmallDateTime(None) | ColumnData::DateTimeOffset(None) => None,
        ColumnData::F32(value) => value.map(|value| format!("single:{:08x}", value.to_bits())),
        ColumnData::Xml(value) => value.as_ref().map(|xml| xml.to_string()),
        ColumnData::F64(value) => value.map(|value| format!("double:{:016x}", value.to_bits())),
        ColumnData::Bit(value) => value.map(|value| value.to_string()),
        ColumnData::String(value) => value.as_ref().map(ToString::to_string),
        ColumnData::Guid(value) => value.map(|value| value.to_string().to_uppercase()),
        ColumnData::Binary(value) => value.as_ref().map(|value| hex(value)),
        ColumnData::Numeric(value) => value.map(|value| value.to_string()),
        ColumnData::Date(value) => value.map(|value| day(FIRST_DAY + i64::from(value.days()))).transpose()?,
        ColumnData::DateTime(value) => value
            .map(|value| {
                // 300 ticks a second, shown as SQL Server does: rounded to the millisecond.
                let milliseconds = (u64::from(value.seconds_fragments()) * 10 + 1) / 3;
                moment(DAY_1900 + i64::from(value.days()), milliseconds * 10_000)
            })
            .transpose()?,
        ColumnData::DateTime2(value) => value
            .map(|value| {
                let scale = u32::from(7 - value.time().scale().min(7));
                moment(FIRST_DAY + i64::from(value.date().days()), value.time().increments() * 10_u64.pow(scale))
            })
            .transpose()?,
        other => return Err(Failure::Program(format!("no notation for {other:?}"))),
    };
    Ok(text.map_or(Value::Null, Value::String))
}

/// The Julian days of 0001-01-01 and 1900-01-01, from which TDS counts.
const FIRST_DAY: i64 = 1_721_426;
const DAY_1900: i64 = 2_415_021;

fn wrong(text: &str) -> Failure {
    Failure::Program(format!("no such value: {text}"))
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| wrong(text))
}

fn decimal(text: &str) -> Result<Numeric, Failure> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = u8::try_from(fraction.len()).map_err(|_| wrong(text))?;
    Ok(Numeric::new_with_scale(read(&format!("{whole}{fraction}"))?, scale))
}

fn double(text: &str) -> Result<f64, Failure> {
    let bits = text.strip_prefix("double:").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    bits.map(f64::from_bits).ok_or_else(|| wrong(text))
}

fn binary(text: &str) -> Result<Vec<u8>, Failure> {
    let digits = text.strip_prefix("0x").ok_or_else(|| wrong(text))?;
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02X}"))
}

fn julian(text: &str) -> Result<i64, Failure> {
    let mut parts = text.splitn(3, '-').map(read::<u16>);
    let mut part = || parts.next().unwrap_or_else(|| Err(wrong(text)));
    let (year, month, day) = (part()?, part()?, part()?);
    let month =
        u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok()).ok_or_else(|| wrong(text))?;
    let day = u8::try_from(day).map_err(|_| wrong(text))?;
    let date = time::Date::from_calendar_date(i32::from(year), month, day).map_err(|_| wrong(text))?;
    Ok(i64::from(date.to_julian_day()))
}

fn date(text: &str) -> Result<Date, Failure> {
    u32::try_from(julian(text)? - FIRST_DAY).map(Date::new).map_err(|_| wrong(text))
}

/// The day, and the ticks of 100 ns since midnight.
fn day_and_ticks(text: &str) -> Result<(i64, u64), Failure> {
    let (day, clock) = text.split_once('T').ok_or_else(|| wrong(text))?;
    let (seconds, fraction) = clock.split_once('.').ok_or_else(|| wrong(text))?;
    let seconds = seconds.split(':').try_fold(0, |sum, part| Ok::<u64, Failure>(sum * 60 + read::<u64>(part)?))?;
    Ok((julian(day)?, seconds * 10_000_000 + read::<u64>(fraction)?))
}

fn datetime(text: &str) -> Result<DateTime, Failure> {
    let (day, ticks) = day_and_ticks(text)?;
    let days = i32::try_from(day - DAY_1900).map_err(|_| wrong(text))?;
    // 300 fragments a second, to the nearest.
    let fragments = u32::try_from((ticks * 3 + 50_000) / 100_000).map_err(|_| wrong(text))?;
    Ok(DateTime::new(days, fragments))
}

fn datetime2(text: &str) -> Result<DateTime2, Failure> {
    let (day, ticks) = day_and_ticks(text)?;
    let days = u32::try_from(day - FIRST_DAY).map_err(|_| wrong(text))?;
    Ok(DateTime2::new(Date::new(days), Time::new(ticks, 7)))
}

fn day(julian: i64) -> Result<String, Failure> {
    let date = i32::try_from(julian).ok().and_then(|julian| time::Date::from_julian_day(julian).ok());
    let date = date.ok_or_else(|| wrong(&julian.to_string()))?;
    Ok(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
}

fn moment(julian: i64, ticks: u64) -> Result<String, Failure> {
    let (seconds, fraction) = (ticks / 10_000_000, ticks % 10_000_000);
    let clock = format!("{:02}:{:02}:{:02}.{fraction:07}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(format!("{}T{clock}", day(julian)?))
}
