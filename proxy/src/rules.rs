//! Which of the operator's rules applies to a session. Pure: the first whose conditions are all met.

use std::net::IpAddr;

use crate::config::{Folded, Pattern, Rule};

/// What is known of a session when its login was heard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor<'a> {
    /// The service it came to.
    pub(crate) service: &'a str,
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// The login's name.
    pub(crate) login: &'a str,
    /// What the application calls itself.
    pub(crate) application: &'a str,
    /// What the client's machine calls itself.
    pub(crate) host: &'a str,
    /// The database it asks for.
    pub(crate) database: &'a str,
}

/// The first of `rules` that applies to `visitor`.
pub(crate) fn first_match<'r>(rules: &'r [Rule], visitor: Visitor<'_>) -> Option<&'r Rule> {
    if rules.is_empty() {
        return None;
    }
    let login = Folded::new(visitor.login);
    let application = Folded::new(visitor.application);
    let host = Folded::new(visitor.host);
    let database = Folded::new(visitor.database);
    rules.iter().find(|rule| {
        any(&rule.services, |service| **service == *visitor.service)
            && any(&rule.networks, |network| network.contains(visitor.address))
            && matches(&rule.logins, &login)
            && matches(&rule.applications, &application)
            && matches(&rule.hosts, &host)
            && matches(&rule.databases, &database)
    })
}

fn matches(patterns: &[Pattern], name: &Folded) -> bool {
    any(patterns, |pattern| pattern.matches(name))
}

/// Whether one of `values` fits; a condition that was not written is met by everybody.
fn any<T>(values: &[T], fits: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(fits)
}

#[cfg(test)]
mod tests {
    //! Rules as an operator writes them, one visitor at a time.

    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const REST: &str = "
        [replicas.onprem]
        address = \"sql01:1433\"
        encryption = \"off\"
        [links.sales]
        databases = [\"SalesDB\"]
        primary = \"onprem\"
        [services.main]
        listen = \"127.0.0.1:1433\"
        link = \"sales\"
        encryption = \"off\"
        [services.other]
        listen = \"127.0.0.1:1434\"
        link = \"sales\"
        encryption = \"off\"
        ";

    const SOMEBODY: Visitor<'_> = Visitor {
        service: "main",
        address: IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3)),
        login: "Sales_App",
        application: "Order Entry",
        host: "WEB01",
        database: "SalesDB",
    };

    /// The name of the rule that applies; each rule is a name and its conditions.
    #[track_caller]
    fn check(rules: &[(&str, &str)], visitor: Visitor<'_>, want: Option<&str>) {
        let rule = |(name, conditions): &(&str, &str)| {
            format!("[[rules]]\nname = \"{name}\"\naction = \"primary\"\n{conditions}\n")
        };
        let text = rules.iter().map(rule).collect::<String>() + REST;
        let config = Config::parse(&text, Path::new("")).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(first_match(&config.rules, visitor).map(|rule| &*rule.name), want, "{rules:?}");
    }

    #[test]
    fn without_rules_none_applies() {
        check(&[], SOMEBODY, None);
    }

    #[test]
    fn every_condition_looks_at_its_own_field() {
        for (condition, applies) in [
            ("services = [\"main\"]", true),
            ("services = [\"other\"]", false),
            ("logins = [\"sales_*\"]", true),
            ("logins = [\"order*\"]", false),
            ("applications = [\"order entry\"]", true),
            ("applications = [\"sales*\"]", false),
            ("hosts = [\"web??\"]", true),
            ("hosts = [\"order*\"]", false),
            ("databases = [\"salesdb\"]", true),
            ("databases = [\"web01\"]", false),
            ("networks = [\"10.0.0.0/8\"]", true),
            ("networks = [\"10.0.0.0/16\"]", false),
        ] {
            check(&[("it", condition)], SOMEBODY, applies.then_some("it"));
        }
    }

    #[test]
    fn several_values_mean_any_and_several_conditions_mean_all() {
        check(&[("it", "logins = [\"nobody\", \"sales_app\"]")], SOMEBODY, Some("it"));
        check(&[("it", "logins = [\"sales_app\"]\nhosts = [\"web01\"]")], SOMEBODY, Some("it"));
        check(&[("it", "logins = [\"sales_app\"]\nhosts = [\"db01\"]")], SOMEBODY, None);
    }

    #[test]
    fn the_first_rule_that_applies_wins() {
        let rules =
            [("no", "hosts = [\"db01\"]"), ("narrow", "logins = [\"sales_app\"]"), ("wide", "logins = [\"*\"]")];
        check(&rules, SOMEBODY, Some("narrow"));
        check(&rules, Visitor { login: "somebody else", ..SOMEBODY }, Some("wide"));
    }

    #[test]
    fn a_field_the_client_left_empty_is_met_by_a_star_only() {
        let nameless = Visitor { application: "", ..SOMEBODY };
        check(&[("it", "applications = [\"?*\"]")], nameless, None);
        check(&[("it", "applications = [\"*\"]")], nameless, Some("it"));
    }
}
