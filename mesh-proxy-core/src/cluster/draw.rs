//! What a decision leaves to chance: one of its destinations, its mirrors, its faults (T-155, T-182).

use mesh_compile::route_table::action::{Fault, FaultAbort, Mirror};

use crate::decision::ClusterChoice;
use crate::dice::Dice;

/// One of the destinations, by weight; `None`: there is none. Drawn once per request: retries stay (T-156).
pub fn destination<'c>(choices: &'c [ClusterChoice], dice: &mut dyn Dice) -> Option<&'c ClusterChoice> {
    let total: u64 = choices.iter().map(|choice| u64::from(choice.weight)).sum();
    if choices.len() < 2 || total == 0 {
        return choices.first();
    }
    let drawn = dice.below(total);
    let mut sum = 0;
    choices.iter().find(|choice| {
        sum += u64::from(choice.weight);
        drawn < sum
    })
}

/// The mirrors that get a copy of this request.
pub fn mirrors<'m>(mirrors: &'m [Mirror], dice: &'m mut dyn Dice) -> impl Iterator<Item = &'m Mirror> {
    mirrors.iter().filter(|mirror| dice.happens(mirror.percent))
}

/// What fault injection does to one request: the delay comes first (T-182).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrawnFault {
    /// Wait before anything else, in milliseconds.
    pub delay_ms: Option<u64>,
    /// Answer instead of forwarding.
    pub abort: Option<FaultAbort>,
}

/// Draws the faults of one request, each by its own share.
pub fn fault(fault: &Fault, dice: &mut dyn Dice) -> DrawnFault {
    let delay_ms = fault.delay.filter(|(_, percent)| dice.happens(*percent));
    let abort = fault.abort.filter(|(_, percent)| dice.happens(*percent));
    DrawnFault {
        delay_ms: delay_ms.map(|(ms, _)| u64::try_from(ms).unwrap_or(0)),
        abort: abort.map(|(abort, _)| abort),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::dice::SeededDice;

    pub(in crate::cluster) fn choice(cluster: &str, weight: u32) -> ClusterChoice {
        ClusterChoice {
            cluster: cluster.into(),
            weight,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            authority: None,
        }
    }

    #[test]
    fn destinations_get_their_share() {
        let choices = [choice("a", 1), choice("b", 0), choice("c", 3)];
        let mut dice = SeededDice::new(5);
        let mut count = |name: &str| {
            (0..100_000).filter(|_| *destination(&choices, &mut dice).unwrap().cluster == *name).count()
        };
        assert!((24_000..26_000).contains(&count("a")));
        assert_eq!(count("b"), 0);
        assert!((74_000..76_000).contains(&count("c")));
    }

    #[test]
    fn a_single_destination_is_not_drawn() {
        assert!(destination(&[choice("a", 0)], &mut SeededDice::new(0)).is_some());
        assert!(destination(&[], &mut SeededDice::new(0)).is_none());
    }

    #[test]
    fn faults_are_drawn_apart() {
        let both = Fault { delay: Some((50, 30.0)), abort: Some((FaultAbort::Http(418), 20.0)) };
        let mut dice = SeededDice::new(9);
        let drawn: Vec<_> = (0..100_000).map(|_| fault(&both, &mut dice)).collect();
        let count = |test: fn(&DrawnFault) -> bool| drawn.iter().filter(|fault| test(fault)).count();
        assert!((29_300..30_700).contains(&count(|fault| fault.delay_ms == Some(50))));
        assert!((19_300..20_700).contains(&count(|fault| fault.abort.is_some())));
        assert!((5_500..6_500).contains(&count(|fault| fault.abort.is_some() && fault.delay_ms.is_some())));
    }
}
