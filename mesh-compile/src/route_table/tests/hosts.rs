use super::*;

fn table(domains: &[&str]) -> RouteTable {
    RouteTable::new("80", domains.iter().map(|domain| host(domain, &[*domain], Vec::new())).collect())
}

fn found(domains: &[&str], authority: &str) -> Option<String> {
    table(domains).virtual_host(authority).map(|host| host.name.to_string())
}

#[test]
fn exact_beats_suffix_beats_prefix_beats_any() {
    let domains = ["*", "api.*", "*.x.org", "api.x.org"];
    assert_eq!(found(&domains, "api.x.org").as_deref(), Some("api.x.org"));
    assert_eq!(found(&domains, "b.x.org").as_deref(), Some("*.x.org"));
    assert_eq!(found(&["*", "api.*", "*.x.org"], "api.x.org").as_deref(), Some("*.x.org"));
    assert_eq!(found(&domains, "api.y").as_deref(), Some("api.*"));
    assert_eq!(found(&domains, "y").as_deref(), Some("*"));
}

#[test]
fn the_longest_wildcard_wins() {
    assert_eq!(found(&["*.org", "*.x.org", "*org"], "a.x.org").as_deref(), Some("*.x.org"));
    assert_eq!(found(&["*-x.org", "*x.org"], "a-x.org").as_deref(), Some("*-x.org"));
    assert_eq!(found(&["a.*", "a.b.*"], "a.b.c").as_deref(), Some("a.b.*"));
}

#[test]
fn a_star_stands_for_at_least_one_character() {
    assert_eq!(found(&["*.x.org"], ".x.org"), None);
    assert_eq!(found(&["*.x.org"], "x.org"), None);
    assert_eq!(found(&["api.*"], "api."), None);
    assert_eq!(found(&["*.x.org"], "a.x.org").as_deref(), Some("*.x.org"));
}

#[test]
fn ports_and_case_do_not_count() {
    assert_eq!(found(&["x.org"], "X.Org:8080").as_deref(), Some("x.org"));
    assert_eq!(found(&["X.ORG"], "x.org").as_deref(), Some("X.ORG"));
    assert_eq!(found(&["x.org:80"], "x.org:80"), None);
}

#[test]
fn a_port_is_cut_behind_the_bracket_of_an_ipv6_literal() {
    assert_eq!(found(&["[fd00::1]"], "[fd00::1]:80").as_deref(), Some("[fd00::1]"));
    assert_eq!(found(&["[fd00::1]"], "[fd00::1]").as_deref(), Some("[fd00::1]"));
}

#[test]
fn a_trailing_dot_counts() {
    assert_eq!(found(&["x.org"], "x.org."), None);
    assert_eq!(found(&["x.org", "x.org."], "x.org.").as_deref(), Some("x.org."));
}

#[test]
fn of_equal_domains_the_first_keeps_its_place() {
    let first = host("first", &["a.org"], Vec::new());
    let second = host("second", &["A.org", "b.org"], Vec::new());
    let table = RouteTable::new("80", vec![first, second]);
    assert_eq!(&*table.virtual_host("a.org").unwrap().name, "first");
    assert_eq!(&*table.virtual_host("b.org").unwrap().name, "second");
}

#[test]
fn a_chosen_host_without_a_fitting_route_does_not_fall_back() {
    let specific = host("specific", &["a.x.org"], vec![route("r", exact("/a"))]);
    let general = host("general", &["*"], vec![route("r", prefix("/"))]);
    let table = RouteTable::new("80", vec![general, specific]);
    let chosen = table.virtual_host("a.x.org").unwrap();
    assert!(chosen.find(&request("/b"), None, &mut ()).is_none());
}
