//! The application's name as a replica gets it: the client's own, and ours behind it.

/// The longest name SQL Server takes ([MS-TDS] 2.2.6.4), in UTF-16 units.
const NAME_CHARS_MAX: usize = 128;

/// `client`'s name with `suffix` behind it. Where both are too long, the client's is cut at its end: the first words of
/// a name tell most, and whoever looks for ours looks at the end.
pub(super) fn name(client: &str, suffix: &str) -> String {
    if suffix.is_empty() {
        return client.to_owned();
    }
    if client.is_empty() {
        // Nothing is left for `; ` to separate.
        return suffix.trim_start_matches(|character: char| !character.is_alphanumeric()).to_owned();
    }
    let room = NAME_CHARS_MAX.saturating_sub(suffix.encode_utf16().count());
    let mut used = 0;
    let fits = |character: &char| {
        used += character.len_utf16();
        used <= room
    };
    let mut name: String = client.chars().take_while(fits).collect();
    name.push_str(suffix);
    name
}

#[cfg(test)]
mod tests {
    //! Names of clients, and what replicas read.

    use super::*;

    #[track_caller]
    fn check(client: &str, suffix: &str, want: &str) {
        assert_eq!(name(client, suffix), want);
    }

    #[test]
    fn both_names_are_there() {
        check("Order Entry", "; tds-proxy", "Order Entry; tds-proxy");
        check("Order Entry", " (via tds-proxy)", "Order Entry (via tds-proxy)");
    }

    #[test]
    fn without_a_suffix_the_name_is_as_it_was() {
        check("Order Entry", "", "Order Entry");
        check(&"x".repeat(200), "", &"x".repeat(200));
    }

    #[test]
    fn without_a_name_only_ours_is_there() {
        check("", "; tds-proxy", "tds-proxy");
        check("", "", "");
    }

    #[test]
    fn what_is_too_long_is_cut_between_two_characters_and_ours_stays() {
        check(&"x".repeat(128), "; tds-proxy", &format!("{}; tds-proxy", "x".repeat(117)));
        let cut = name(&"😀".repeat(64), "; tds-proxy");
        assert_eq!(cut, format!("{}; tds-proxy", "😀".repeat(58)), "117 units hold 58 pairs and a half");
    }
}
