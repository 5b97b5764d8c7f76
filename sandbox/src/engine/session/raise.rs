//! PRINT, RAISERROR, THROW and WAITFOR.

use std::time::Duration;

use tds::value::Value;

use super::super::ast::Expr;
use super::super::calendar::{self, Moment, TICKS_PER_DAY};
use super::super::convert::{Reason, convert};
use super::super::error::SqlError;
use super::super::sink::Sink;
use super::super::types::Type;
use super::{Failure, Frame, Session};

/// Characters a message may have.
const MESSAGE_CHARACTERS: usize = 2047;

impl Session {
    pub(super) fn print(
        &mut self,
        value: &Expr,
        slot: usize,
        frame: &Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let value = self.evaluate(value, Some(slot), frame, Some(Type::NVARCHAR_MAX))?;
        let text = if let Value::Text(text) = value { text } else { String::new() };
        let text: String = text.chars().take(4000).collect();
        self.error = 0;
        sink.message(SqlError::new(0, 0, 1, text).message(&frame.procedure))?;
        Ok(())
    }

    fn whole(&mut self, value: &Expr, frame: &Frame) -> Result<i32, Failure> {
        match self.evaluate(value, None, frame, Some(Type::Int))? {
            Value::Int(value) => Ok(value),
            _ => Ok(0),
        }
    }

    pub(super) fn raise_error(
        &mut self,
        message: &Expr,
        severity: &Expr,
        state: &Expr,
        arguments: &[Expr],
        frame: &Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let (value, _) = self.evaluate_typed(message, frame)?;
        let (number, pattern) = match value {
            Value::Text(text) => (50_000, text),
            Value::Int(number) => {
                let text = format!(
                    "Error {number}, severity 16, state 1 was raised, but no message with that error number was found in sys.messages."
                );
                return Err(SqlError::new(18054, 16, 1, text).into());
            }
            _ => (50_000, String::new()),
        };
        let severity = self.whole(severity, frame)?.clamp(0, 25);
        let state = self.whole(state, frame)?.clamp(0, 255);
        if severity > 18 {
            let text = "Only System Administrator can specify WITH LOG option for RAISERROR command.";
            return Err(SqlError::new(2778, 16, 1, text).into());
        }
        let mut texts = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let (value, type_) = self.evaluate_typed(argument, frame)?;
            let text = convert(value, type_, Type::NVARCHAR_MAX, 0, Reason::Cast)?;
            texts.push(if let Value::Text(text) = text { text } else { "(null)".to_owned() });
        }
        let text = formatted(&pattern, &texts)?;
        let class = u8::try_from(severity).unwrap_or(16);
        let error = SqlError::new(number, class, u8::try_from(state).unwrap_or(1), text);
        if class > 10 {
            return Err(error.into());
        }
        self.error = 0;
        sink.message(error.message(&frame.procedure))?;
        Ok(())
    }

    pub(super) fn throw(&mut self, parts: Option<&(Expr, Expr, Expr)>, frame: &Frame) -> Result<(), Failure> {
        let error = match parts {
            None => {
                let text = "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.";
                let inside = frame.errors.last().cloned();
                inside.ok_or_else(|| SqlError::new(10704, 15, 1, text))?
            }
            Some((number, message, state)) => {
                let number = self.whole(number, frame)?;
                if number < 50_000 {
                    let text = format!(
                        "Error number {number} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647."
                    );
                    return Err(SqlError::new(35100, 16, 10, text).into());
                }
                let message = self.evaluate(message, None, frame, Some(Type::nvarchar(2048)))?;
                let text = if let Value::Text(text) = message { text } else { String::new() };
                let state = u8::try_from(self.whole(state, frame)?.clamp(0, 255)).unwrap_or(1);
                SqlError::new(number, 16, state, text)
            }
        };
        self.thrown = true;
        Err(error.into())
    }

    pub(super) fn wait_for(&mut self, time: bool, value: &Expr, slot: usize, frame: &Frame) -> Result<(), Failure> {
        let (value, _) = match value {
            Expr::Variable(_) => self.evaluate_typed(value, frame)?,
            other => (self.evaluate(other, Some(slot), frame, None)?, Type::Null),
        };
        let ticks = match &value {
            Value::Text(text) => calendar::parse(text).map(|moment| moment.ticks),
            other => Moment::of(other).map(|moment| moment.ticks),
        };
        let Some(mut ticks) = ticks else {
            let text = "Incorrect time syntax in time string used with WAITFOR.";
            return Err(SqlError::new(148, 15, 1, text).into());
        };
        if time {
            ticks = (ticks - Moment::now().ticks).rem_euclid(TICKS_PER_DAY);
        }
        let duration = Duration::from_nanos(u64::try_from(ticks).unwrap_or(0).saturating_mul(100));
        if self.interrupter.sleep(duration) { Ok(()) } else { Err(Failure::Stop) }
    }
}

/// RAISERROR's printf: `%s %d %i %u %x %X %o`, widths, `-`, `0`, precision, and `%%`.
fn formatted(pattern: &str, arguments: &[String]) -> Result<String, SqlError> {
    let mut result = String::new();
    let mut arguments = arguments.iter();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            result.push(c);
            continue;
        }
        if rest.next_if_eq(&'%').is_some() {
            result.push('%');
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) = rest.next_if(|c| matches!(c, '-' | '+' | '0' | '#' | ' ')) {
            flags.push(flag);
        }
        let mut number = |separator: bool| {
            let mut digits = String::new();
            if separator && rest.next_if_eq(&'.').is_none() {
                return None;
            }
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse::<usize>().ok().map(|width| width.min(MESSAGE_CHARACTERS))
        };
        let (width, precision) = (number(false).unwrap_or(0), number(true));
        while rest.next_if(|c| matches!(c, 'l' | 'h' | 'I' | '6' | '4')).is_some() {}
        let Some(kind) = rest.next() else { break };
        let argument = arguments.next().map_or("(null)", String::as_str);
        let as_number = || argument.parse::<i64>().map_err(|_| wrong_argument());
        let text = match kind {
            's' => argument.chars().take(precision.unwrap_or(usize::MAX)).collect(),
            'd' | 'i' if argument == "(null)" => argument.to_owned(),
            'd' | 'i' => as_number()?.to_string(),
            'u' => (as_number()? as u32).to_string(),
            'x' => format!("{:x}", as_number()? as u32),
            'X' => format!("{:X}", as_number()? as u32),
            'o' => format!("{:o}", as_number()? as u32),
            _ => return Err(wrong_argument()),
        };
        let padded = match (flags.contains('-'), flags.contains('0')) {
            (true, _) => format!("{text:<width$}"),
            (false, true) => format!("{text:0>width$}"),
            (false, false) => format!("{text:>width$}"),
        };
        result.push_str(&padded);
    }
    if result.chars().count() > MESSAGE_CHARACTERS {
        let kept: String = result.chars().take(MESSAGE_CHARACTERS - 3).collect();
        result = format!("{kept}...");
    }
    Ok(result)
}

fn wrong_argument() -> SqlError {
    SqlError::new(
        2786,
        16,
        1,
        "The data type of substitution parameter 1 does not match the expected type of the format specification.",
    )
}
