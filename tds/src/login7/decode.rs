//! Reading LOGIN7: the fixed part, then whatever its offsets point at.

use super::{FIXED_BYTES, FIXED_BYTES_BEFORE_7_2, LOGIN7_BYTES_MAX, Login7, SspiData, TdsVersion};
use super::{OptionFlags1, OptionFlags2, OptionFlags3, Password, TypeFlags, feature, flags};
use crate::{DecodeError, read::Reader, text};
use bytes::Bytes;

/// Where a field of the variable part is: its offset from the start of the message and its length.
#[derive(Clone, Copy, Default)]
struct Place {
    offset: u16,
    length: u16,
}

impl Login7 {
    /// Reads the body of a LOGIN7 message. Bytes after the length it announces are ignored.
    ///
    /// # Errors
    /// A length that does not fit the bytes or is above [`LOGIN7_BYTES_MAX`], a field outside the message, a feature block
    /// without an end, or a string that is not UTF-16.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let announced = Reader::new(body).u32("LOGIN7 length")?;
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length > LOGIN7_BYTES_MAX {
            return Err(DecodeError::TooLarge { what: "a LOGIN7 message", limit: LOGIN7_BYTES_MAX });
        }
        let message = Reader::new(body).take(length, "LOGIN7 message")?;
        let mut fixed = Reader::new(message);
        fixed.u32("LOGIN7 length")?;
        let tds_version = TdsVersion::from_number(fixed.u32("LOGIN7 TDSVersion")?);
        // A field may begin anywhere after the fixed part; before it, it would read lengths as text.
        let least = if tds_version.is_7_2_or_later() { FIXED_BYTES } else { FIXED_BYTES_BEFORE_7_2 };
        if length < least {
            return Err(DecodeError::Truncated { what: "LOGIN7 fixed part", want: least, have: length });
        }
        Fields { message, least }.read(tds_version, &mut fixed)
    }
}

struct Fields<'a> {
    message: &'a [u8],
    least: usize,
}

impl<'a> Fields<'a> {
    fn read(&self, tds_version: TdsVersion, fixed: &mut Reader<'a>) -> Result<Login7, DecodeError> {
        let mut number = |what| fixed.u32(what);
        let packet_bytes = number("LOGIN7 PacketSize")?;
        let client_version = number("LOGIN7 ClientProgVer")?;
        let client_process_id = number("LOGIN7 ClientPID")?;
        let connection_id = number("LOGIN7 ConnectionID")?;
        let [flags1, flags2, type_flags, flags3] = fixed.array("LOGIN7 flags")?;
        let flags3 = OptionFlags3(flags3);
        let time_zone_minutes = fixed.i32("LOGIN7 ClientTimeZone")?;
        let locale_id = fixed.u32("LOGIN7 ClientLCID")?;
        let host_name = self.text(fixed, "LOGIN7 HostName")?;
        let user_name = self.text(fixed, "LOGIN7 UserName")?;
        let password = self.password(fixed, "LOGIN7 Password")?;
        let application_name = self.text(fixed, "LOGIN7 AppName")?;
        let server_name = self.text(fixed, "LOGIN7 ServerName")?;
        let extension = place(fixed, "LOGIN7 Extension")?;
        let library_name = self.text(fixed, "LOGIN7 CltIntName")?;
        let language = self.text(fixed, "LOGIN7 Language")?;
        let database = self.text(fixed, "LOGIN7 Database")?;
        let client_id = fixed.array("LOGIN7 ClientID")?;
        let sspi = place(fixed, "LOGIN7 SSPI")?;
        let attach_database_file = self.text(fixed, "LOGIN7 AtchDBFile")?;
        let (new_password, sspi_long) = if tds_version.is_7_2_or_later() {
            (self.password(fixed, "LOGIN7 ChangePassword")?, fixed.u32("LOGIN7 cbSSPILong")?)
        } else {
            (Password::default(), 0)
        };
        let extended = flags3.contains(flags::EXTENSION);
        Ok(Login7 {
            tds_version,
            packet_bytes,
            client_version,
            client_process_id,
            connection_id,
            option_flags1: OptionFlags1(flags1),
            option_flags2: OptionFlags2(flags2),
            type_flags: TypeFlags(type_flags),
            option_flags3: flags3.without(flags::EXTENSION),
            time_zone_minutes,
            locale_id,
            host_name,
            user_name,
            password,
            application_name,
            server_name,
            library_name,
            language,
            database,
            client_id,
            sspi: self.sspi(sspi, sspi_long)?,
            attach_database_file,
            new_password,
            features: extended.then(|| self.features(extension)).transpose()?,
        })
    }

    fn slice(&self, offset: usize, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        // Drivers leave the offset of an empty field at 0.
        if length == 0 {
            return Ok(&[]);
        }
        if offset < self.least {
            return Err(DecodeError::BadValue { what, value: offset as u64 });
        }
        let mut rest = Reader::new(self.message);
        rest.take(offset, what)?;
        rest.take(length, what)
    }

    fn characters(&self, fixed: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let Place { offset, length } = place(fixed, what)?;
        self.slice(usize::from(offset), usize::from(length) * 2, what)
    }

    fn text(&self, fixed: &mut Reader<'a>, what: &'static str) -> Result<String, DecodeError> {
        text::decode(self.characters(fixed, what)?, what)
    }

    fn password(&self, fixed: &mut Reader<'a>, what: &'static str) -> Result<Password, DecodeError> {
        Password::decode(self.characters(fixed, what)?, what)
    }

    fn sspi(&self, Place { offset, length }: Place, long: u32) -> Result<SspiData, DecodeError> {
        let length = match (length, long) {
            (u16::MAX, 1..) => usize::try_from(long).unwrap_or(usize::MAX),
            (length, _) => usize::from(length),
        };
        self.slice(usize::from(offset), length, "LOGIN7 SSPI").map(|data| SspiData(Bytes::copy_from_slice(data)))
    }

    fn features(&self, extension: Place) -> Result<Vec<feature::Feature>, DecodeError> {
        let pointer = self.slice(usize::from(extension.offset), 4, "LOGIN7 Extension")?;
        let offset = usize::try_from(Reader::new(pointer).u32("LOGIN7 Extension")?).unwrap_or(usize::MAX);
        if offset < self.least {
            return Err(DecodeError::BadValue { what: "LOGIN7 FeatureExt offset", value: offset as u64 });
        }
        let mut block = Reader::new(self.message);
        block.take(offset, "LOGIN7 FeatureExt")?;
        feature::decode(&mut block)
    }
}

fn place(fixed: &mut Reader<'_>, what: &'static str) -> Result<Place, DecodeError> {
    Ok(Place { offset: fixed.u16(what)?, length: fixed.u16(what)? })
}
