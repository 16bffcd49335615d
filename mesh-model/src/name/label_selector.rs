//! Choosing workloads by their labels (T-008).

use super::StringMap;

/// Whether every label of `selector` is in `labels` with the same value; an empty selector takes all (T-008).
pub fn labels_subset_of(selector: &StringMap, labels: &StringMap) -> bool {
    selector.len() <= labels.len() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// A Kubernetes `LabelSelector`: all labels and all requirements must hold; an empty one takes all.
/// API: meta/v1 `LabelSelector`; labels are compared as T-008 says.
///
/// ```
/// # use mesh_model::name::{LabelSelector, SelectorOperator, SelectorRequirement};
/// let selector = LabelSelector {
///     match_labels: [("app".to_owned(), "web".to_owned())].into(),
///     match_expressions: vec![SelectorRequirement {
///         key: "tier".to_owned(),
///         operator: SelectorOperator::DoesNotExist,
///     }],
/// };
/// assert!(selector.matches(&[("app".to_owned(), "web".to_owned())].into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector {
    /// Labels that must be there with these values.
    pub match_labels: StringMap,
    /// Requirements that must all hold.
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One entry of `matchExpressions`. API: meta/v1 `LabelSelectorRequirement`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorRequirement {
    /// The label.
    pub key: String,
    /// What must be true of it.
    pub operator: SelectorOperator,
}

/// What must be true of a label. API: meta/v1 `LabelSelectorOperator`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorOperator {
    /// `In`: set to one of these values.
    In(Vec<String>),
    /// `NotIn`: not set, or set to none of these values.
    NotIn(Vec<String>),
    /// `Exists`: set to anything.
    Exists,
    /// `DoesNotExist`: not set.
    DoesNotExist,
}

impl SelectorOperator {
    /// From its written form; `None` for an unknown operator, `In`/`NotIn` without values, or the others with.
    pub fn parse(operator: &str, values: Vec<String>) -> Option<Self> {
        match (operator, values.is_empty()) {
            ("In", false) => Some(Self::In(values)),
            ("NotIn", false) => Some(Self::NotIn(values)),
            ("Exists", true) => Some(Self::Exists),
            ("DoesNotExist", true) => Some(Self::DoesNotExist),
            _ => None,
        }
    }
}

impl LabelSelector {
    /// Whether it takes every workload.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it takes a workload with these labels.
    pub fn matches(&self, labels: &StringMap) -> bool {
        labels_subset_of(&self.match_labels, labels)
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl SelectorRequirement {
    /// Whether it holds for these labels.
    pub fn holds(&self, labels: &StringMap) -> bool {
        let value = labels.get(&self.key);
        match &self.operator {
            SelectorOperator::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            SelectorOperator::NotIn(values) => {
                value.is_none_or(|value| !values.iter().any(|one| one == value))
            }
            SelectorOperator::Exists => value.is_some(),
            SelectorOperator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> StringMap {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_empty_selector_takes_all() {
        assert!(labels_subset_of(&labels(&[]), &labels(&[])));
        assert!(LabelSelector::default().matches(&labels(&[("a", "1")])));
    }

    #[test]
    fn every_label_must_be_there_with_its_value() {
        let workload = labels(&[("a", "1"), ("b", "2")]);
        assert!(labels_subset_of(&labels(&[("a", "1")]), &workload));
        assert!(!labels_subset_of(&labels(&[("a", "2")]), &workload));
        assert!(!labels_subset_of(&labels(&[("c", "1")]), &workload));
        assert!(!labels_subset_of(&workload, &labels(&[("a", "1")])));
    }

    #[test]
    fn not_in_holds_for_an_absent_label() {
        let holds = |operator: &str, values: &[&str], workload: &[(&str, &str)]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            let operator = SelectorOperator::parse(operator, values).unwrap();
            SelectorRequirement { key: "a".to_owned(), operator }.holds(&labels(workload))
        };
        assert!(holds("NotIn", &["1"], &[]));
        assert!(!holds("NotIn", &["1"], &[("a", "1")]));
        assert!(!holds("In", &["1"], &[]));
        assert!(holds("In", &["1", "2"], &[("a", "2")]));
        assert!(holds("Exists", &[], &[("a", "")]));
        assert!(holds("DoesNotExist", &[], &[("b", "")]));
    }

    #[test]
    fn operators_take_values_or_none() {
        assert_eq!(SelectorOperator::parse("In", vec![]), None);
        assert_eq!(SelectorOperator::parse("Exists", vec!["x".to_owned()]), None);
        assert_eq!(SelectorOperator::parse("in", vec!["x".to_owned()]), None);
    }
}
