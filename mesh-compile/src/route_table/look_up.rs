//! The route look-up of a virtual host: candidates in order, each step told to the observer.

use mesh_model::facts::RequestFacts;
use mesh_model::trace::{Observer, Outcome, Stage, Step};
use serde_json::{Map, Value};

use super::candidates::Candidate;
use super::path_index::{Answer, PathIndex};
use super::predicate::{Failure, Subject};
use super::{Route, VirtualHost};

impl VirtualHost {
    /// The first route all of whose predicates hold (T-135 to T-149); `None` means 404 (T-036).
    ///
    /// `claims` are those of the verified token. An exhaustive observer hears of every route, others of the
    /// candidates that the index proposes; the answer is the same.
    pub fn find<'t, O: Observer>(
        &'t self,
        request: &RequestFacts<'_>,
        claims: Option<&Map<String, Value>>,
        observer: &mut O,
    ) -> Option<&'t Route> {
        match self.routes.index() {
            Some(index) if !O::EXHAUSTIVE => self.find_by_index(index, request, claims, observer),
            _ if O::EXHAUSTIVE => self.find_telling_all(&Subject::new(request, claims), observer),
            _ => scan(&self.routes, &Subject::new(request, claims), observer),
        }
    }

    fn find_by_index<'t, O: Observer>(
        &'t self,
        index: &PathIndex,
        request: &RequestFacts<'_>,
        claims: Option<&Map<String, Value>>,
        observer: &mut O,
    ) -> Option<&'t Route> {
        let path = index.read(request.path.as_bytes());
        let subject = || Subject::of_path(path.path().len(), request, claims);
        let mut try_one = |subject: &Subject<'_>, position: u32, path_fits: bool| {
            let route = self.routes.get(position as usize)?;
            let verdict = if path_fits {
                subject.check_beyond_path(&route.matcher)
            } else {
                subject.check(&route.matcher)
            };
            consider(position as usize, route, subject, verdict, observer).then_some(route)
        };
        match index.answer(&path) {
            Answer::Nothing => None,
            Answer::Winner(position) => {
                let route = self.routes.get(position as usize)?;
                observer.note(|| step(position as usize, route, Outcome::Won));
                Some(route)
            }
            Answer::List(positions, path_fits) => {
                let subject = subject();
                positions.iter().find_map(|position| try_one(&subject, *position, path_fits))
            }
            Answer::Merge => {
                let subject = subject();
                index
                    .candidates(&path, &subject)
                    .find_map(|Candidate { position, path_fits }| try_one(&subject, position, path_fits))
            }
        }
    }

    /// Looks at every route, in order.
    fn find_telling_all<'t, O: Observer>(
        &'t self,
        subject: &Subject<'_>,
        observer: &mut O,
    ) -> Option<&'t Route> {
        let mut winner = None;
        for (position, route) in self.routes.iter().enumerate() {
            if winner.is_some() {
                observer.note(|| step(position, route, Outcome::NotAsked));
            } else if consider(position, route, subject, subject.check(&route.matcher), observer) {
                winner = Some(route);
            }
        }
        winner
    }
}

/// Tries routes one by one.
fn scan<'t, O: Observer>(routes: &'t [Route], subject: &Subject<'_>, observer: &mut O) -> Option<&'t Route> {
    routes
        .iter()
        .enumerate()
        .find(|(position, route)| {
            consider(*position, route, subject, subject.check(&route.matcher), observer)
        })
        .map(|(_, route)| route)
}

/// Tells what became of a candidate; `true`: it won.
fn consider<O: Observer>(
    position: usize,
    route: &Route,
    subject: &Subject<'_>,
    verdict: Result<(), Failure<'_>>,
    observer: &mut O,
) -> bool {
    match verdict {
        Ok(()) => observer.note(|| step(position, route, Outcome::Won)),
        Err(failure) => {
            observer.note(|| step(position, route, Outcome::Lost).because(failure.because(subject)));
        }
    }
    verdict.is_ok()
}

fn step(position: usize, route: &Route, outcome: Outcome) -> Step<'_> {
    let rule = if route.name.is_empty() {
        format!("route[{position}]")
    } else {
        format!("route[{position}] {}", route.name)
    };
    Step::new(Stage::Route, outcome, rule).origin(&route.origin)
}
