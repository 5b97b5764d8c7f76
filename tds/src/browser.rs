//! The SQL Server Browser's datagrams, both ways: which port an instance listens on ([MC-SQLR]).
//!
//! A client that is told `host\instance` asks UDP port 1434 of the host for the instance's TCP port.

use std::fmt;

use crate::prelogin::Version;

/// The UDP port that clients ask; none of them can be told another.
pub const PORT: u16 = 1434;

/// Largest answer in bytes. [MC-SQLR] allows 64 KiB for lists; a kibibyte fits into one packet of any network and makes a
/// poor amplifier for those who write somebody else's address under their question.
pub const ANSWER_BYTES_MAX: usize = 1024;

/// Longest name of an instance in a question, in bytes ([MC-SQLR] 2.2.3).
pub const INSTANCE_BYTES_MAX: usize = 32;

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// Every instance (CLNT_BCAST_EX, CLNT_UCAST_EX).
    All,
    /// The instance of this name, whatever its case (CLNT_UCAST_INST).
    One(&'a [u8]),
}

/// What is told of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance<'a> {
    /// The host's name, as it calls itself.
    pub server_name: &'a str,
    /// The instance's name.
    pub name: &'a str,
    /// Its version.
    pub version: Version,
    /// Where it listens.
    pub tcp_port: u16,
}

impl<'a> Question<'a> {
    /// Reads a datagram. `None` for everything that gets no answer: questions for the dedicated administrator connection
    /// (CLNT_UCAST_DAC), which is a server's own, and whatever is no question.
    pub fn decode(datagram: &'a [u8]) -> Option<Self> {
        match datagram {
            [0x02 | 0x03] => Some(Self::All),
            // Some drivers (JDBC) leave the closing NUL out.
            [0x04, name @ ..] => {
                let name = name.strip_suffix(&[0]).unwrap_or(name);
                let plausible = (1..=INSTANCE_BYTES_MAX).contains(&name.len()) && !name.contains(&0);
                plausible.then_some(Self::One(name))
            }
            _ => None,
        }
    }

    /// Whether it asks for the instance called `name`.
    pub fn asks_for(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(asked) => asked.eq_ignore_ascii_case(name.as_bytes()),
        }
    }
}

impl fmt::Display for Instance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server_name, name, version, tcp_port } = self;
        let Version { major, minor, build, sub_build } = version;
        write!(f, "ServerName;{server_name};InstanceName;{name};IsClustered;No;")?;
        write!(f, "Version;{major}.{minor}.{build}.{sub_build};tcp;{tcp_port};;")
    }
}

/// The answer that tells of these instances (SVR_RESP). `None` where there is none to tell of, which is answered with
/// silence, or where they do not fit into [`ANSWER_BYTES_MAX`].
pub fn answer<'a>(instances: impl IntoIterator<Item = Instance<'a>>) -> Option<Vec<u8>> {
    let text: String = instances.into_iter().map(|instance| instance.to_string()).collect();
    let length = u16::try_from(text.len()).ok().filter(|length| *length > 0)?;
    let answer = [&[0x05][..], &length.to_le_bytes(), text.as_bytes()].concat();
    (answer.len() <= ANSWER_BYTES_MAX).then_some(answer)
}

#[cfg(test)]
mod tests {
    //! Questions as drivers ask them, and answers as they read them.

    use super::*;

    #[track_caller]
    fn check(datagram: &[u8], want: Option<Question<'_>>) {
        assert_eq!(Question::decode(datagram), want, "{}", datagram.escape_ascii());
    }

    #[test]
    fn questions_for_all_are_one_byte() {
        check(&[0x02], Some(Question::All));
        check(&[0x03], Some(Question::All));
        check(&[0x03, 0], None);
        check(&[0x02, 0x03], None);
    }

    #[test]
    fn a_question_for_one_carries_its_name_with_or_without_a_nul() {
        check(b"\x04SALES\0", Some(Question::One(b"SALES")));
        check(b"\x04SALES", Some(Question::One(b"SALES")));
        check(b"\x04\0", None);
        check(b"\x04", None);
        check(b"\x04SA\0LES\0", None);
        check(&[&[0x04][..], &[b'x'; 32], &[0]].concat(), Some(Question::One(&[b'x'; 32])));
        check(&[&[0x04][..], &[b'x'; 33], &[0]].concat(), None);
    }

    #[test]
    fn everything_else_gets_no_answer() {
        check(b"\x0f\x01SALES\0", None);
        check(b"", None);
        check(&[0x05, 0, 0], None);
        check(b"\x12\x01\x00\x2f", None);
    }

    #[test]
    fn names_are_compared_whatever_their_case() {
        assert!(Question::One(b"sales").asks_for("SALES"));
        assert!(!Question::One(b"sales").asks_for("SALES2"));
        assert!(Question::All.asks_for("SALES"));
    }

    const SALES: Instance<'_> = Instance {
        server_name: "sql.corp.local",
        name: "SALES",
        version: Version { major: 16, minor: 0, build: 4135, sub_build: 4 },
        tcp_port: 1433,
    };

    #[test]
    fn an_answer_is_its_length_and_pairs_of_names_and_values() {
        let text = "ServerName;sql.corp.local;InstanceName;SALES;IsClustered;No;Version;16.0.4135.4;tcp;1433;;";
        let want = [&[0x05, u8::try_from(text.len()).unwrap(), 0][..], text.as_bytes()].concat();
        assert_eq!(answer([SALES]), Some(want));
        let two = answer([SALES, Instance { name: "HR", ..SALES }]).unwrap();
        assert_eq!(usize::from(u16::from_le_bytes([two[1], two[2]])), two.len() - 3);
        assert!(two.ends_with(b"InstanceName;HR;IsClustered;No;Version;16.0.4135.4;tcp;1433;;"));
    }

    #[test]
    fn nothing_to_tell_is_no_answer_and_no_answer_is_large() {
        assert_eq!(answer([]), None);
        assert!(answer([SALES; 11]).is_some_and(|answer| answer.len() <= 1024));
        assert_eq!(answer([SALES; 12]), None);
    }
}
