//! What a collation says about bytes: its locale, its flags and the code page of non-Unicode text ([MS-TDS] 2.2.5.1.2).

use super::Collation;
use encoding_rs::{
    BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
    WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258,
};

/// The flag of collations whose varchar text is UTF-8 (`fUTF8`).
const UTF8: u32 = 1 << 26;

impl Collation {
    /// `SQL_Latin1_General_CP1_CI_AS`, the default of servers installed in US English and of Azure SQL.
    pub const SQL_LATIN1_GENERAL_CP1_CI_AS: Self = Self([0x09, 0x04, 0xD0, 0x00, 0x34]);

    fn info(self) -> u32 {
        let [a, b, c, d, _] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    /// The 20 bits of the Windows locale.
    pub fn lcid(self) -> u32 {
        self.info() & 0x000F_FFFF
    }

    /// The sort order of a SQL collation; 0 for Windows collations.
    pub fn sort_id(self) -> u8 {
        let [.., sort_id] = self.0;
        sort_id
    }

    /// Whether char and varchar text is UTF-8.
    pub fn is_utf8(self) -> bool {
        self.info() & UTF8 != 0
    }

    /// The code page of char and varchar text. `None` for pages nobody here speaks (437, 850 and the locales that
    /// have Unicode only): their text is read and written as ASCII.
    pub(crate) fn encoding(self) -> Option<&'static Encoding> {
        if self.is_utf8() {
            return Some(UTF_8);
        }
        match self.sort_id() {
            0 => by_locale(self.lcid()),
            sort_id => by_sort_order(sort_id),
        }
    }
}

/// The code page of a SQL collation, by the sort orders Microsoft documents for SQL Server 2000.
fn by_sort_order(sort_id: u8) -> Option<&'static Encoding> {
    Some(match sort_id {
        30..=35 | 40..=49 | 55..=61 => return None,
        80..=98 => WINDOWS_1250,
        104..=108 => WINDOWS_1251,
        112..=124 => WINDOWS_1253,
        128..=130 => WINDOWS_1254,
        136..=138 => WINDOWS_1255,
        144..=146 => WINDOWS_1256,
        152..=160 => WINDOWS_1257,
        192 | 193 | 200 => SHIFT_JIS,
        194 | 195 | 201 => EUC_KR,
        196 | 197 | 202 => BIG5,
        198 | 199 | 203 => GBK,
        204..=206 => WINDOWS_874,
        _ => WINDOWS_1252,
    })
}

/// The ANSI code page of a Windows locale, by its language and, where a language has two scripts, the whole locale.
fn by_locale(lcid: u32) -> Option<&'static Encoding> {
    let locale = lcid & 0xFFFF;
    Some(match locale {
        0x0404 | 0x0C04 | 0x1404 | 0x7C04 => BIG5,
        0x0C1A | 0x1C1A | 0x201A | 0x082C | 0x0843 => WINDOWS_1251,
        0x045A | 0x0465 | 0x0481 => return None,
        _ => match locale & 0x03FF {
            0x01 | 0x20 | 0x29 | 0x80 | 0x8C => WINDOWS_1256,
            0x04 => GBK,
            0x05 | 0x0E | 0x15 | 0x18 | 0x1A | 0x1B | 0x1C | 0x24 | 0x42 => WINDOWS_1250,
            0x02 | 0x19 | 0x22 | 0x23 | 0x28 | 0x2F | 0x3F | 0x40 | 0x44 | 0x50 | 0x6D | 0x85 => WINDOWS_1251,
            0x08 => WINDOWS_1253,
            0x0D => WINDOWS_1255,
            0x11 => SHIFT_JIS,
            0x12 => EUC_KR,
            0x1E => WINDOWS_874,
            0x1F | 0x2C | 0x43 => WINDOWS_1254,
            0x25..=0x27 => WINDOWS_1257,
            0x2A => WINDOWS_1258,
            0x39 | 0x3A | 0x45..=0x4E | 0x51 | 0x53 | 0x54 | 0x57 | 0x61 | 0x63 => return None,
            _ => WINDOWS_1252,
        },
    })
}
