//! The four flag bytes of LOGIN7 ([MS-TDS] 2.2.6.4). Bits without a name are kept as they came.

macro_rules! flag_byte {
    ($(#[$doc:meta])* $name:ident { $($(#[$bit_doc:meta])* $bit:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub struct $name(pub u8);

        impl $name {
            $($(#[$bit_doc])* pub const $bit: Self = Self($value);)*

            /// Whether every bit of `other` is set.
            pub fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both sets of bits.
            #[must_use]
            pub fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits that are not in `other`.
            #[must_use]
            pub fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }
    };
}

flag_byte! {
    /// OptionFlags1.
    OptionFlags1 {
        /// fByteOrder: the client is big-endian.
        BIG_ENDIAN = 0x01,
        /// fCharSet: EBCDIC.
        EBCDIC = 0x02,
        /// fFloat: VAX floating point.
        FLOAT_VAX = 0x04,
        /// fFloat: ND5000 floating point.
        FLOAT_ND5000 = 0x08,
        /// fDumpLoad: the client does not dump or load.
        DUMP_LOAD_OFF = 0x10,
        /// fUseDB: tell the client when `USE` changes the database.
        USE_DATABASE = 0x20,
        /// fDatabase: the login fails if its database cannot be opened.
        DATABASE_FATAL = 0x40,
        /// fSetLang: tell the client when the language changes.
        SET_LANGUAGE = 0x80,
    }
}

flag_byte! {
    /// OptionFlags2.
    OptionFlags2 {
        /// fLanguage: the login fails if its language cannot be set.
        LANGUAGE_FATAL = 0x01,
        /// fODBC: the session begins with the ODBC defaults of its SET options.
        ODBC = 0x02,
        /// fTranBoundary, of TDS before 7.2.
        TRANSACTION_BOUNDARY = 0x04,
        /// fCacheConnect, of TDS before 7.2.
        CACHE_CONNECT = 0x08,
        /// fUserType: 1 is the server itself, 2 a DQ login, 3 replication.
        USER_TYPE = 0x70,
        /// fIntSecurity: integrated authentication, with SSPI data.
        INTEGRATED_SECURITY = 0x80,
    }
}

flag_byte! {
    /// TypeFlags.
    TypeFlags {
        /// fSQLType: the kind of SQL the client sends; 0 is the default.
        SQL_TYPE = 0x0F,
        /// fOLEDB: the session begins with the OLE DB defaults of its SET options.
        OLE_DB = 0x10,
        /// fReadOnlyIntent: `ApplicationIntent=ReadOnly`.
        READ_ONLY_INTENT = 0x20,
    }
}

flag_byte! {
    /// OptionFlags3. fExtension is not kept here: it follows from [`super::Login7::features`].
    OptionFlags3 {
        /// fChangePassword: change the password at this login.
        CHANGE_PASSWORD = 0x01,
        /// fSendYukonBinaryXML: xml may come in binary form.
        BINARY_XML = 0x02,
        /// fUserInstance: a user instance is wanted.
        USER_INSTANCE = 0x04,
        /// fUnknownCollationHandling: the client copes with collations it does not know.
        UNKNOWN_COLLATION_HANDLING = 0x08,
    }
}

/// fExtension: feature extensions follow.
pub(super) const EXTENSION: OptionFlags3 = OptionFlags3(0x10);
