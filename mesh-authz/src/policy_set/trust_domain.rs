//! Which identities a written principal stands for where a mesh has several trust domains (S-146, S-161 to S-172).

/// The trust domain of the mesh and its aliases.
#[derive(Debug, Clone)]
pub(super) struct TrustDomains<'a> {
    domains: Vec<&'a str>,
}

impl<'a> TrustDomains<'a> {
    pub(super) fn new(own: &'a str, aliases: &'a [String]) -> Self {
        Self { domains: std::iter::once(own).chain(aliases.iter().map(String::as_str)).collect() }
    }

    /// The principals that `value` stands for: one for each trust domain where it names one of them, or
    /// `cluster.local`, which points to all of them (S-163, S-166).
    pub(super) fn principals(&self, value: &str) -> Vec<String> {
        let keep = || vec![value.to_owned()];
        let Some((domain, rest)) = value.split_once('/') else { return keep() };
        // S-162: exactly five parts, and not "any trust domain".
        if domain == "*" || rest.split('/').count() != 4 {
            return keep();
        }
        if domain != "cluster.local" && !self.domains.iter().any(|known| glob(known, domain)) {
            return keep();
        }
        let mut found: Vec<String> = Vec::new();
        for known in &self.domains {
            let principal = match domain.strip_prefix('*') {
                Some(suffix) if known.ends_with(suffix) => value.to_owned(),
                _ => format!("{known}/{rest}"),
            };
            if !found.contains(&principal) {
                found.push(principal);
            }
        }
        found
    }

    /// The same without a copy where the value stands for itself alone.
    pub(super) fn each_principal(&self, value: &str, mut visit: impl FnMut(&str)) {
        let own = self.domains.as_slice();
        let is_itself =
            matches!(own, [only] if value.strip_prefix(*only).is_some_and(|rest| rest.starts_with('/')));
        if is_itself {
            visit(value);
        } else {
            self.principals(value).iter().for_each(|principal| visit(principal));
        }
    }

    /// The trust domains that `value` stands for: all of them where it is one of them (S-146, E-090).
    pub(super) fn trust_domains(&self, value: &str) -> Vec<String> {
        if self.domains.contains(&value) {
            self.domains.iter().map(|&domain| domain.to_owned()).collect()
        } else {
            vec![value.to_owned()]
        }
    }
}

/// The same, or a leading or a trailing star of `pattern` fits.
pub(super) fn glob(text: &str, pattern: &str) -> bool {
    text == pattern
        || pattern.strip_suffix('*').is_some_and(|prefix| text.starts_with(prefix))
        || pattern.strip_prefix('*').is_some_and(|suffix| text.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(own: &str, aliases: &[&str], value: &str) -> Vec<String> {
        let aliases: Vec<String> = aliases.iter().map(|&alias| alias.to_owned()).collect();
        TrustDomains::new(own, &aliases).principals(value)
    }

    #[test]
    fn s164_to_s172_principals_get_one_copy_for_each_trust_domain() {
        let bar = |td: &str| format!("{td}/ns/foo/sa/bar");
        assert_eq!(expand("cluster.local", &[], &bar("cluster.local")), [bar("cluster.local")]);
        assert_eq!(expand("td2", &["td1"], &bar("td1")), [bar("td2"), bar("td1")]);
        assert_eq!(expand("td1", &[], &bar("cluster.local")), [bar("td1")]);
        assert_eq!(
            expand("td1", &["cluster.local"], &bar("cluster.local")),
            [bar("td1"), bar("cluster.local")]
        );
        assert_eq!(
            expand("td2", &["foo-td1", "cluster.local"], &bar("*-td1")),
            [bar("td2"), bar("*-td1"), bar("cluster.local")]
        );
        assert_eq!(expand("new-td", &["old-td"], "*-td/ns/n/sa/s"), ["*-td/ns/n/sa/s"]);
        assert_eq!(expand("td1", &["td2"], &bar("some-td")), [bar("some-td")]);
        for value in ["/ns/n/sa/s", "*", "*/ns/foo/sa/bar", "*sa/zzz", "sa/x"] {
            assert_eq!(expand("new-td", &["td2", "td3"], value), [value]);
        }
    }
}
