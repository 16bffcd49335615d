//! One evaluator, many observers: production passes `()`, explaining passes a [`Trace`].

use std::borrow::Cow;

use serde::Serialize;

use crate::origin::Origin;

/// The part of a decision a step belongs to.
/// Ours: the questions that a decision answers, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Which listener and filter chain take the connection.
    Listener,
    /// TLS and peer authentication.
    Transport,
    /// Tokens.
    Authenticate,
    /// Authorization policies.
    Authorize,
    /// Virtual host, route, and what the route does.
    Route,
    /// Cluster and its settings.
    Cluster,
}

/// What became of a candidate. Ours: what was not asked must not look like what did not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Outcome {
    /// It applied.
    #[serde(rename = "won")]
    Won,
    /// It was looked at and did not apply.
    #[serde(rename = "lost")]
    Lost,
    /// An earlier one had settled the question.
    #[serde(rename = "not asked")]
    NotAsked,
}

/// The predicate that decided. Ours: the two texts beside each other are what a person compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Because<'e> {
    /// What was looked at (`path`, `header x-user`, `source principal`).
    pub field: Cow<'e, str>,
    /// What the configuration asks for.
    pub wanted: Cow<'e, str>,
    /// What the request had.
    pub got: Cow<'e, str>,
}

/// One candidate of a decision and its fate.
/// Ours: one form for every part of a decision, so that one printer does for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step<'e> {
    /// The part of the decision.
    pub stage: Stage,
    /// The candidate, in words (`route shop/reviews http[0].match[1]`).
    pub rule: Cow<'e, str>,
    /// Its fate.
    pub outcome: Outcome,
    /// The first predicate that failed, or what made it win.
    pub because: Option<Because<'e>>,
    /// Where it was written.
    pub origin: Option<Cow<'e, Origin>>,
}

impl<'e> Because<'e> {
    /// `field` was asked for `wanted` and had `got`.
    pub fn new(
        field: impl Into<Cow<'e, str>>,
        wanted: impl Into<Cow<'e, str>>,
        got: impl Into<Cow<'e, str>>,
    ) -> Self {
        Self { field: field.into(), wanted: wanted.into(), got: got.into() }
    }

    fn into_owned(self) -> Because<'static> {
        Because {
            field: Cow::Owned(self.field.into_owned()),
            wanted: Cow::Owned(self.wanted.into_owned()),
            got: Cow::Owned(self.got.into_owned()),
        }
    }
}

impl<'e> Step<'e> {
    /// A candidate and its fate.
    pub fn new(stage: Stage, outcome: Outcome, rule: impl Into<Cow<'e, str>>) -> Self {
        Self { stage, rule: rule.into(), outcome, because: None, origin: None }
    }

    /// Adds the predicate that decided.
    #[must_use]
    pub fn because(mut self, because: Because<'e>) -> Self {
        self.because = Some(because);
        self
    }

    /// Adds where the candidate was written.
    #[must_use]
    pub fn origin(mut self, origin: &'e Origin) -> Self {
        self.origin = Some(Cow::Borrowed(origin));
        self
    }

    /// A copy that outlives the decision.
    pub fn into_owned(self) -> Step<'static> {
        Step {
            stage: self.stage,
            rule: Cow::Owned(self.rule.into_owned()),
            outcome: self.outcome,
            because: self.because.map(Because::into_owned),
            origin: self.origin.map(|origin| Cow::Owned(origin.into_owned())),
        }
    }
}

/// Listens to a decision being made. Ours: explaining is deciding with a listener, so that the two cannot differ.
///
/// The evaluator calls [`note`](Self::note) for each candidate it looks at. An observer never changes the verdict.
pub trait Observer {
    /// Asks the evaluator to look also at candidates that can no longer win, and to note them as [`Outcome::NotAsked`].
    const EXHAUSTIVE: bool = false;

    /// Hears of a step. Implementations that do not listen never call `step`.
    fn note<'e>(&mut self, step: impl FnOnce() -> Step<'e>);
}

/// Production: nobody listens, nothing is built.
impl Observer for () {
    fn note<'e>(&mut self, _: impl FnOnce() -> Step<'e>) {}
}

impl<O: Observer> Observer for &mut O {
    const EXHAUSTIVE: bool = O::EXHAUSTIVE;
    fn note<'e>(&mut self, step: impl FnOnce() -> Step<'e>) {
        (**self).note(step);
    }
}

/// Two observers hear the same steps.
impl<A: Observer, B: Observer> Observer for (A, B) {
    const EXHAUSTIVE: bool = A::EXHAUSTIVE || B::EXHAUSTIVE;
    fn note<'e>(&mut self, step: impl FnOnce() -> Step<'e>) {
        let step = step();
        self.0.note(|| step.clone());
        self.1.note(|| step);
    }
}

/// Keeps every step: what `explain` prints.
/// Ours: steps are kept as data; how they are shown is the caller's business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Trace {
    /// In the order of evaluation.
    pub steps: Vec<Step<'static>>,
}

impl Observer for Trace {
    const EXHAUSTIVE: bool = true;
    fn note<'e>(&mut self, step: impl FnOnce() -> Step<'e>) {
        self.steps.push(step().into_owned());
    }
}
