//! What can be wrong with bytes a peer sent.

/// A peer's bytes broke the protocol. Carries numbers and names of fields, never contents: contents may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A structure ended before a field it must have.
    #[error("{what} needs {want} bytes but only {have} are left")]
    Truncated {
        /// The field that did not fit.
        what: &'static str,
        /// Bytes the field needs.
        want: usize,
        /// Bytes that were left.
        have: usize,
    },
    /// A field holds a value the protocol does not allow there.
    #[error("{what} has the value {value}, which is not allowed")]
    BadValue {
        /// The field.
        what: &'static str,
        /// What it held.
        value: u64,
    },
    /// A structure is larger than its limit.
    #[error("{what} is larger than its limit of {limit} bytes")]
    TooLarge {
        /// The structure.
        what: &'static str,
        /// Its limit.
        limit: usize,
    },
    /// A text is not valid UTF-16.
    #[error("{what} is not valid UTF-16")]
    BadText {
        /// The field.
        what: &'static str,
    },
    /// A packet type that [MS-TDS] 2.2.3.1.1 does not define.
    #[error("packet type 0x{0:02x} is unknown")]
    UnknownPacketKind(u8),
    /// A token that [MS-TDS] 2.2.7 does not define.
    #[error("token 0x{0:02x} is unknown")]
    UnknownToken(u8),
    /// A data type that [MS-TDS] 2.2.5.4 does not define.
    #[error("data type 0x{0:02x} is unknown")]
    UnknownType(u8),
    /// Something that is only allowed elsewhere, such as a token before the metadata it depends on.
    #[error("{0}")]
    Misplaced(&'static str),
}
