//! Writing LOGIN7: the fixed part, the variable data in the order of its offsets, the features last.

use super::{FIXED_BYTES, FIXED_BYTES_BEFORE_7_2, LOGIN7_BYTES_MAX, Login7, feature, flags};
use crate::text;
use bytes::{BufMut, Bytes, BytesMut};

/// The login does not fit LOGIN7: it is above [`LOGIN7_BYTES_MAX`], or its SSPI data pushes a field behind it too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the login is larger than a LOGIN7 message can be")]
pub struct TooLarge;

impl Login7 {
    /// The body of the message. Before TDS 7.2 there is no place for a new password and none is written.
    ///
    /// # Errors
    /// The login is larger than a LOGIN7 message can be.
    pub fn encode(&self) -> Result<Bytes, TooLarge> {
        let since_7_2 = self.tds_version.is_7_2_or_later();
        let fixed_bytes = if since_7_2 { FIXED_BYTES } else { FIXED_BYTES_BEFORE_7_2 };
        let mut body = Body { fixed: BytesMut::with_capacity(512), variable: BytesMut::new(), fixed_bytes };
        body.fixed.put_u32_le(0);
        for number in [
            self.tds_version.number(),
            self.packet_bytes,
            self.client_version,
            self.client_process_id,
            self.connection_id,
        ] {
            body.fixed.put_u32_le(number);
        }
        let flags3 = self.option_flags3.without(flags::EXTENSION);
        let flags3 = if self.features.is_some() { flags3.with(flags::EXTENSION) } else { flags3 };
        body.fixed.put_slice(&[self.option_flags1.0, self.option_flags2.0, self.type_flags.0, flags3.0]);
        body.fixed.put_i32_le(self.time_zone_minutes);
        body.fixed.put_u32_le(self.locale_id);
        body.field(2, |out| text::put(out, &self.host_name))?;
        body.field(2, |out| text::put(out, &self.user_name))?;
        body.field(2, |out| self.password.put(out))?;
        body.field(2, |out| text::put(out, &self.application_name))?;
        body.field(2, |out| text::put(out, &self.server_name))?;
        let pointer = body.variable.len();
        body.field(1, |out| out.put_bytes(0, if self.features.is_some() { 4 } else { 0 }))?;
        body.field(2, |out| text::put(out, &self.library_name))?;
        body.field(2, |out| text::put(out, &self.language))?;
        body.field(2, |out| text::put(out, &self.database))?;
        body.fixed.put_slice(&self.client_id);
        let sspi_bytes = self.put_sspi(&mut body)?;
        body.field(2, |out| text::put(out, &self.attach_database_file))?;
        if since_7_2 {
            body.field(2, |out| self.new_password.put(out))?;
            body.fixed.put_u32_le(if sspi_bytes >= u32::from(u16::MAX) { sspi_bytes } else { 0 });
        }
        if let Some(features) = &self.features {
            let block = body.end()?;
            write_at(&mut body.variable, pointer, block);
            feature::put(&mut body.variable, features);
        }
        body.finish()
    }

    fn put_sspi(&self, body: &mut Body) -> Result<u32, TooLarge> {
        let data = &self.sspi.0;
        let offset = body.offset()?;
        body.fixed.put_u16_le(offset);
        body.fixed.put_u16_le(u16::try_from(data.len()).unwrap_or(u16::MAX));
        if data.len() >= usize::from(u16::MAX) && !self.tds_version.is_7_2_or_later() {
            return Err(TooLarge);
        }
        body.variable.put_slice(data);
        u32::try_from(data.len()).map_err(|_| TooLarge)
    }
}

/// A message in the making.
struct Body {
    fixed: BytesMut,
    variable: BytesMut,
    fixed_bytes: usize,
}

impl Body {
    /// Where the next variable data begins, counted from the start of the message.
    fn end(&self) -> Result<u32, TooLarge> {
        u32::try_from(self.fixed_bytes.saturating_add(self.variable.len())).map_err(|_| TooLarge)
    }

    fn offset(&self) -> Result<u16, TooLarge> {
        // Behind long SSPI data only empty fields can be placed; their offset means nothing.
        self.end().map(|end| u16::try_from(end).unwrap_or(0))
    }

    /// Adds a field whose length is counted in units of `unit` bytes.
    fn field(&mut self, unit: usize, put: impl FnOnce(&mut BytesMut)) -> Result<(), TooLarge> {
        let offset = self.offset()?;
        let before = self.variable.len();
        put(&mut self.variable);
        let length = self.variable.len().saturating_sub(before).checked_div(unit).unwrap_or(0);
        if length > 0 && offset == 0 {
            return Err(TooLarge);
        }
        self.fixed.put_u16_le(offset);
        self.fixed.put_u16_le(u16::try_from(length).map_err(|_| TooLarge)?);
        Ok(())
    }

    fn finish(mut self) -> Result<Bytes, TooLarge> {
        let length = self.end()?;
        self.fixed.put_slice(&self.variable);
        if self.fixed.len() > LOGIN7_BYTES_MAX {
            return Err(TooLarge);
        }
        write_at(&mut self.fixed, 0, length);
        Ok(self.fixed.freeze())
    }
}

fn write_at(bytes: &mut BytesMut, at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *place = value.to_le_bytes();
    }
}
