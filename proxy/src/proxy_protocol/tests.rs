//! Headers, what they say, and what is none.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A header with this text behind it, which must be left alone.
#[track_caller]
fn check(header: &[u8], want: Result<Option<(&str, &str)>, HeaderError>) {
    let got = parse(&[header, b"\x12\x01"].concat());
    let want = want.map(|ends| match ends {
        Some((client, server)) => {
            Announced::Client(Endpoints { client: client.parse().unwrap(), server: server.parse().unwrap() })
        }
        None => Announced::Nobody,
    });
    assert_eq!(got, want.map(|announced| Some((announced, header.len()))), "{}", header.escape_ascii());
}

/// A header of version 2 in pieces.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2_START, &[command, family][..], &length, body].concat()
}

const IPV4: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 1, 0xd4, 0x31, 0x05, 0x99];

#[test]
fn a_line_of_version_1_announces_a_client() {
    let want = Ok(Some(("203.0.113.9:54321", "10.0.0.1:1433")));
    check(b"PROXY TCP4 203.0.113.9 10.0.0.1 54321 1433\r\n", want);
    check(b"PROXY TCP6 2001:db8::9 fd00::1 54321 1433\r\n", Ok(Some(("[2001:db8::9]:54321", "[fd00::1]:1433"))));
}

#[test]
fn unknown_announces_nobody_whatever_follows() {
    check(b"PROXY UNKNOWN\r\n", Ok(None));
    check(b"PROXY UNKNOWN ffff:f...f:ffff whatever \xff\r\n", Ok(None));
}

#[test]
fn a_line_that_is_not_exactly_so_is_refused() {
    for line in [
        &b"PROXY TCP4 203.0.113.9 10.0.0.1 54321\r\n"[..],
        b"PROXY TCP4 203.0.113.9 10.0.0.1 54321 1433 1\r\n",
        b"PROXY TCP4  203.0.113.9 10.0.0.1 54321 1433\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 54321 1433\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 54321 1433 \r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 054321 1433\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 +5432 1433\r\n",
        b"PROXY TCP4 203.0.113.9 10.0.0.1 65536 1433\r\n",
        b"PROXY TCP4 2001:db8::9 10.0.0.1 54321 1433\r\n",
        b"PROXY TCP6 203.0.113.9 10.0.0.1 54321 1433\r\n",
        b"PROXY TCP4 203.0.113.09 10.0.0.1 54321 1433\r\n",
        b"PROXY UDP4 203.0.113.9 10.0.0.1 54321 1433\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY \r\n",
        b"PROXY \n",
    ] {
        check(line, Err(HeaderError::Line));
    }
}

#[test]
fn a_line_has_an_end_within_107_bytes() {
    let line = |bytes: usize| [&b"PROXY UNKNOWN "[..], &vec![b'x'; bytes - 16], b"\r\n"].concat();
    check(&line(107), Ok(None));
    check(&line(108), Err(HeaderError::Endless));
}

#[test]
fn version_2_announces_a_client_and_its_extensions_are_passed_over() {
    let want = Ok(Some(("203.0.113.9:54321", "10.0.0.1:1433")));
    check(&v2(V2_PROXY, TCP_OVER_IPV4, &IPV4), want);
    check(&v2(V2_PROXY, TCP_OVER_IPV4, &[&IPV4[..], &[0x04, 0, 1, 0]].concat()), want);
    let ipv6: Vec<u8> =
        ["2001:db8::9", "fd00::1"].iter().flat_map(|ip| ip.parse::<Ipv6Addr>().unwrap().octets()).collect();
    let ipv6 = [&ipv6[..], &[0xd4, 0x31, 0x05, 0x99]].concat();
    check(&v2(V2_PROXY, TCP_OVER_IPV6, &ipv6), Ok(Some(("[2001:db8::9]:54321", "[fd00::1]:1433"))));
}

#[test]
fn version_2_announces_nobody_for_its_own_connections_and_other_networks() {
    check(&v2(V2_LOCAL, UNSPECIFIED, &[]), Ok(None));
    check(&v2(V2_LOCAL, TCP_OVER_IPV4, &IPV4), Ok(None));
    check(&v2(V2_LOCAL, 0xff, &[]), Ok(None));
    check(&v2(V2_PROXY, UNSPECIFIED, &[1, 2, 3]), Ok(None));
    check(&v2(V2_PROXY, STREAM_OVER_UNIX, &[0; 216]), Ok(None));
}

#[test]
fn version_2_with_lies_is_refused() {
    check(&v2(0x11, TCP_OVER_IPV4, &IPV4), Err(HeaderError::Unknown(12)));
    check(&v2(0x22, TCP_OVER_IPV4, &IPV4), Err(HeaderError::Unknown(12)));
    check(&v2(V2_PROXY, 0x12, &IPV4), Err(HeaderError::Unknown(13)));
    check(&v2(V2_PROXY, 0x41, &IPV4), Err(HeaderError::Unknown(13)));
    check(&v2(V2_PROXY, TCP_OVER_IPV4, &IPV4[..11]), Err(HeaderError::TooShort));
    check(&v2(V2_PROXY, TCP_OVER_IPV6, &IPV4), Err(HeaderError::TooShort));
    check(&v2(V2_PROXY, TCP_OVER_IPV4, &[0; 4081]), Err(HeaderError::TooLarge));
}

#[test]
fn a_session_without_a_header_is_refused_at_its_first_byte() {
    for first in [0x12, 0x16, b'G', 0] {
        assert_eq!(parse(&[first]), Err(HeaderError::Missing));
    }
    assert_eq!(parse(b"PROXY"), Ok(None));
    assert_eq!(parse(b"PROXX"), Err(HeaderError::Missing));
    assert_eq!(parse(b"\r\n\r\n\0\r\nQUIT\r"), Err(HeaderError::Missing));
}

fn endpoints(client: &str, server: &str) -> Endpoints {
    Endpoints { client: client.parse().unwrap(), server: server.parse().unwrap() }
}

#[test]
fn what_we_announce_is_what_is_read() {
    let whole = |announced| Ok(Some((announced, encode(None).len())));
    assert_eq!(parse(&encode(None)), whole(Announced::Nobody));
    for (client, server) in [("203.0.113.9:54321", "10.0.0.1:1433"), ("[2001:db8::9]:1", "[fd00::1]:65535")] {
        let header = encode(Some(endpoints(client, server)));
        assert_eq!(parse(&header), Ok(Some((Announced::Client(endpoints(client, server)), header.len()))));
    }
}

#[test]
fn ends_of_two_families_are_announced_as_one() {
    let header = encode(Some(endpoints("203.0.113.9:1", "[fd00::1]:2")));
    let want = Announced::Client(endpoints("[::ffff:203.0.113.9]:1", "[fd00::1]:2"));
    assert_eq!(parse(&header), Ok(Some((want, header.len()))));
    let header = encode(Some(endpoints("[::ffff:203.0.113.9]:1", "10.0.0.1:2")));
    let want = Announced::Client(endpoints("203.0.113.9:1", "10.0.0.1:2"));
    assert_eq!(parse(&header), Ok(Some((want, header.len()))));
}

/// Bytes that are nearly a header: one of both starts, then anything.
fn near() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(Vec::new()),
        Just(V2_START.to_vec()),
        Just([V2_START, &[V2_PROXY, TCP_OVER_IPV4, 0, 12][..]].concat()),
        Just(V1_START.to_vec()),
        Just(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n".to_vec()),
    ];
    (start, vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #[test]
    fn any_cut_of_any_bytes_reads_the_same(bytes in near(), at in 0_usize..300) {
        let (whole, cut) = (parse(&bytes), parse(&bytes[..at.min(bytes.len())]));
        match cut {
            // What was decided early is decided the same with more bytes.
            Ok(Some(_)) | Err(_) => prop_assert_eq!(cut, whole),
            Ok(None) => if let Ok(Some((_, length))) = whole {
                prop_assert!(at < length, "a whole header was not seen");
            },
        }
    }
}
