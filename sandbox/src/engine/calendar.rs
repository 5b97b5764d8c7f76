//! Dates and times: one moment that every temporal type converts to and from, parsing, and calendar arithmetic.

mod format;
mod parse;

pub(crate) use format::format;
pub(crate) use parse::parse;

use tds::value::Value;

use super::error::SqlError;
use super::storage::offset_ticks;
use super::types::Type;

/// Units of 100 ns.
pub(crate) const TICKS_PER_SECOND: i64 = 10_000_000;
pub(crate) const TICKS_PER_MINUTE: i64 = 60 * TICKS_PER_SECOND;
pub(crate) const TICKS_PER_HOUR: i64 = 60 * TICKS_PER_MINUTE;
pub(crate) const TICKS_PER_DAY: i64 = 24 * TICKS_PER_HOUR;
/// 1900-01-01 as days since 0001-01-01.
pub(crate) const EPOCH_1900: i64 = 693_595;
/// 9999-12-31 as days since 0001-01-01.
const LAST_DAY: i64 = 3_652_058;
/// 1753-01-01, where datetime begins.
const DAY_1753: i64 = 639_905;

/// A point in local time; the offset only for datetimeoffset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Days since 0001-01-01.
    pub(crate) days: i64,
    /// 100 ns since midnight.
    pub(crate) ticks: i64,
    /// Minutes east of UTC.
    pub(crate) offset: i16,
}

/// Year, month and day of a day since 0001-01-01.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01, so that leap days come last in their year.
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days since 0001-01-01 of a date.
pub(crate) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 306
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

impl Moment {
    /// The date, if it exists.
    pub(crate) fn date(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists =
            (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then(|| Self { days: days_of(year, month, day), ticks: 0, offset: 0 })
    }

    /// Now, in UTC: the simulated servers live there.
    pub(crate) fn now() -> Self {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(0);
        let days = seconds / 86_400 + days_of(1970, 1, 1);
        let ticks = seconds % 86_400 * TICKS_PER_SECOND + i64::from(elapsed.subsec_nanos()) / 100;
        Self { days, ticks, offset: 0 }
    }

    /// Of a temporal value; a time lies on 1900-01-01.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Date(days) => Self { days: i64::from(*days), ticks: 0, offset: 0 },
            Value::Time(ticks) => Self { days: EPOCH_1900, ticks: ticks.cast_signed(), offset: 0 },
            Value::SmallDateTime(days, minutes) => {
                Self { days: EPOCH_1900 + i64::from(*days), ticks: i64::from(*minutes) * TICKS_PER_MINUTE, offset: 0 }
            }
            Value::DateTime(days, units) => {
                Self { days: EPOCH_1900 + i64::from(*days), ticks: i64::from(*units) * 100_000 / 3, offset: 0 }
            }
            Value::DateTime2(days, ticks) => Self { days: i64::from(*days), ticks: ticks.cast_signed(), offset: 0 },
            Value::DateTimeOffset(days, ticks, offset) => {
                Self { days: i64::from(*days), ticks: ticks.cast_signed(), offset: 0 }
                    .plus_ticks(offset_ticks(*offset))
                    .with_offset(*offset)
            }
            _ => return None,
        })
    }

    pub(crate) fn with_offset(self, offset: i16) -> Self {
        Self { offset, ..self }
    }

    pub(crate) fn plus_ticks(self, ticks: i64) -> Self {
        let total = i128::from(self.days) * i128::from(TICKS_PER_DAY) + i128::from(self.ticks) + i128::from(ticks);
        let day = i128::from(TICKS_PER_DAY);
        let days = i64::try_from(total.div_euclid(day)).unwrap_or(i64::MAX);
        let ticks = i64::try_from(total.rem_euclid(day)).unwrap_or(0);
        Self { days, ticks, ..self }
    }

    /// Rounded to `scale` digits of a second.
    fn rounded(self, scale: u8) -> Self {
        let unit = 10_i64.pow(7_u32.saturating_sub(u32::from(scale)));
        let ticks = (self.ticks + unit / 2) / unit * unit;
        Self { ticks: 0, ..self }.plus_ticks(ticks)
    }

    /// As a value of this type, or an overflow.
    pub(crate) fn to_value(self, to: Type) -> Result<Value, SqlError> {
        let out_of_range = || {
            let text = format!("The conversion to a {} data type resulted in an out-of-range value.", to.name());
            SqlError::new(242, 16, 3, text)
        };
        let day = |days: i64| u32::try_from(days).ok().filter(|_| days <= LAST_DAY).ok_or_else(out_of_range);
        Ok(match to {
            Type::Date => Value::Date(day(self.days)?),
            // A time that rounds past midnight wraps to it.
            Type::Time(scale) => Value::Time(self.rounded(scale).ticks.cast_unsigned()),
            Type::SmallDateTime => {
                let rounded = Self { ticks: 0, ..self }
                    .plus_ticks((self.ticks + TICKS_PER_MINUTE / 2) / TICKS_PER_MINUTE * TICKS_PER_MINUTE);
                let days = u16::try_from(rounded.days - EPOCH_1900).map_err(|_| out_of_range())?;
                Value::SmallDateTime(days, u16::try_from(rounded.ticks / TICKS_PER_MINUTE).unwrap_or(0))
            }
            Type::DateTime => {
                let mut units = (self.ticks * 3 + 50_000) / 100_000;
                let mut days = self.days;
                if units >= 25_920_000 {
                    units = 0;
                    days += 1;
                }
                if !(DAY_1753..=LAST_DAY).contains(&days) {
                    return Err(out_of_range());
                }
                let days = i32::try_from(days - EPOCH_1900).map_err(|_| out_of_range())?;
                Value::DateTime(days, u32::try_from(units).unwrap_or(0))
            }
            Type::DateTimeOffset(scale) => {
                let utc = self.rounded(scale).plus_ticks(-offset_ticks(self.offset));
                Value::DateTimeOffset(day(utc.days)?, utc.ticks.cast_unsigned(), self.offset)
            }
            Type::DateTime2(scale) => {
                let rounded = self.rounded(scale);
                Value::DateTime2(day(rounded.days)?, rounded.ticks.cast_unsigned())
            }
            _ => return Err(out_of_range()),
        })
    }

    /// Adds months, ending at the month's last day where the day does not exist.
    pub(crate) fn plus_months(self, months: i64) -> Option<Self> {
        let (year, month, day) = civil(self.days);
        let total = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        let date = Self::date(year, month, day.min(days_in_month(year, month)))?;
        Some(Self { days: date.days, ..self })
    }
}
