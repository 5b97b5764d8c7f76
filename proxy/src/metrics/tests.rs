//! What Prometheus sees after sessions came and went, and that every metric is in the operators' table.

use super::*;

/// Runs `work` with a recorder of its own, and gives what Prometheus would read.
fn rendered(work: impl FnOnce(&Meters)) -> String {
    let (recorder, handle) = recorder::build().unwrap();
    metrics::with_local_recorder(&recorder, || work(&Meters::new(["main"])));
    handle.render()
}

#[track_caller]
fn check(rendered: &str, line: &str) {
    assert!(rendered.lines().any(|got| got == line), "{line:?} is not in:\n{rendered}");
}

#[test]
fn services_show_as_zero_before_their_first_session() {
    let text = rendered(|_| ());
    check(&text, "proxy_sessions{service=\"main\"} 0");
    for outcome in ["served", "login-refused", "failed", "turned-away"] {
        check(&text, &format!("proxy_sessions_total{{service=\"main\",outcome=\"{outcome}\"}} 0"));
    }
}

#[test]
fn a_session_is_live_until_dropped_and_counted_once() {
    let text = rendered(|meters| {
        let mut served = meters.session("main");
        served.ended(Outcome::LoginRefused);
        served.ended(Outcome::Served);
        drop(served);
        let live = meters.session("main");
        // A task that is cut says nothing; forgetting the guard stands for one that is still running.
        drop(meters.session("main"));
        meters.turned_away("main");
        std::mem::forget(live);
    });
    check(&text, "proxy_sessions{service=\"main\"} 1");
    check(&text, "proxy_sessions_total{service=\"main\",outcome=\"served\"} 1");
    check(&text, "proxy_sessions_total{service=\"main\",outcome=\"login-refused\"} 0");
    check(&text, "proxy_sessions_total{service=\"main\",outcome=\"failed\"} 1");
    check(&text, "proxy_sessions_total{service=\"main\",outcome=\"turned-away\"} 1");
}

#[test]
fn requests_and_bytes_are_counted_where_they_went() {
    let text = rendered(|meters| {
        let route = RouteMeters::new("mi", "secondary", "read-only-intent");
        route.request();
        route.up(100);
        route.down(4_096);
        route.down(4);
        route.response(Duration::from_micros(300));
        meters.logged_in(Duration::from_millis(20));
        meters.failed("backend");
        meters.rule_matched("management-tools", "primary");
        std::mem::forget(RouteMeters::new("onprem", "primary", "no-intent"));
    });
    check(&text, "proxy_requests_total{replica=\"mi\",reason=\"read-only-intent\"} 1");
    check(&text, "proxy_rule_matches_total{rule=\"management-tools\",action=\"primary\"} 1");
    check(&text, "proxy_bytes_total{direction=\"up\"} 100");
    check(&text, "proxy_bytes_total{direction=\"down\"} 4100");
    check(&text, "proxy_backends{replica=\"mi\"} 0");
    check(&text, "proxy_backends{replica=\"onprem\"} 1");
    check(&text, "proxy_errors_total{fault=\"backend\"} 1");
    check(&text, "proxy_request_duration_seconds_bucket{role=\"secondary\",le=\"0.00025\"} 0");
    check(&text, "proxy_request_duration_seconds_bucket{role=\"secondary\",le=\"0.0005\"} 1");
    check(&text, "proxy_login_duration_seconds_bucket{le=\"0.025\"} 1");
}

#[test]
fn every_metric_is_described() {
    let text = rendered(|meters| {
        drop(meters.session("main"));
        meters.failed("proxy");
        meters.logged_in(Duration::ZERO);
        RouteMeters::new("a", "primary", "no-intent").response(Duration::ZERO);
        replica_answers("a", true);
        replica_differences("sales", "version", 1);
        topology_epoch(7);
    });
    check(&text, "proxy_replica_answers{replica=\"a\"} 1");
    check(&text, "link_topology_epoch 7");
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
}
