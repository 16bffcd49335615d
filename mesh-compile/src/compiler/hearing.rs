//! The questions that services ask while their listeners are made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::units::{Questions, UnitKey};
use crate::proxy::outbound::ServiceByService;
use crate::registry::service::Service;
use crate::view::{Asked, Reader, Recorder};

/// Takes questions about hosts down by the service that asked; others stay with who listens to all of them.
pub(super) struct Hearing<'h> {
    recorder: &'h Recorder,
    /// Services that are heard; `None`: all.
    hosts: Option<&'h BTreeSet<Arc<str>>>,
    asked: BTreeMap<Arc<str>, Asked>,
}

impl<'h> Hearing<'h> {
    pub(super) fn of(recorder: &'h Recorder, hosts: Option<&'h BTreeSet<Arc<str>>>) -> Self {
        Self { recorder, hosts, asked: BTreeMap::new() }
    }

    /// Remembers what was asked, and forgets what services of `before` asked once.
    pub(super) fn remember<'b>(self, before: impl Iterator<Item = &'b Arc<str>>, questions: &mut Questions) {
        for host in before.filter(|host| !self.asked.contains_key(*host)) {
            questions.forget(&UnitKey::Listeners(Arc::clone(host)));
        }
        for (host, asked) in self.asked {
            questions.remember(&UnitKey::Listeners(host), asked);
        }
    }
}

impl ServiceByService for Hearing<'_> {
    fn begin(&mut self) {
        self.recorder.begin();
    }

    fn end(&mut self, service: Option<&Arc<Service>>) {
        let asked = self.recorder.end();
        let heard = service.map(|it| &it.hostname);
        let Some(host) = heard.filter(|it| self.hosts.is_none_or(|hosts| hosts.contains(*it))) else {
            return;
        };
        for question in asked {
            if question.is_about_a_host() {
                self.asked.entry(Arc::clone(host)).or_default().insert(question);
            } else {
                self.recorder.asked(&|| question.clone());
            }
        }
    }
}
