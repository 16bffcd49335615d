//! A class of proxies that begins with what another one knows.
//!
//! Proxies of other namespaces and labels run mostly the same. What does not depend on these two stays where it is in
//! memory; what asked about them, and what is answered otherwise for the other proxy, is out of date from the beginning,
//! and made anew as if a change had come.

use std::sync::Arc;

use super::class::{Class, Stale};
use crate::proxy::outbound::PortTables;
use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;
use crate::view::{Kinship, Lookup, Recorder, Scope};

impl Class {
    /// Whether the scope of this class is that of another proxy too.
    pub(super) fn has_scope_of(&self, snapshot: &MeshSnapshot, kinship: &Kinship, proxy: &Proxy) -> bool {
        self.scope.is_for(snapshot, kinship, &self.proxy, proxy)
    }

    /// The class of a proxy that differs from those of this one in namespace and labels at most. `None`: there is too
    /// little to share. This class must be up to date.
    pub(super) fn fork(&mut self, snapshot: &MeshSnapshot, kinship: &Kinship, proxy: &Proxy) -> Option<Self> {
        let is_ready = self.revision > 0 && self.stale.is_empty() && !self.depends_on_address();
        if !is_ready || !Kinship::are_set_up_alike(snapshot, self.settings.as_deref(), &self.proxy, proxy) {
            return None;
        }
        let mut stale = Stale::default();
        if !self.has_scope_of(snapshot, kinship, proxy) {
            let scope = Scope::of(snapshot, proxy);
            // To forget most of what is there is dearer than to make the rest.
            if scope.services.len() < self.scope.services.len() / 2 {
                return None;
            }
            stale.scope = true;
            stale.prepared = Some(scope);
        }
        self.note_what_differs(snapshot, kinship, proxy, &mut stale);
        Some(Self {
            proxy: proxy.clone(),
            settings: self.settings.clone(),
            scope: Arc::clone(&self.scope),
            recorder: Recorder::default(),
            questions: self.questions.fork(),
            routes: self.routes.fork(),
            listening: self.listening.clone(),
            listeners: self.listeners.clone(),
            tables: self.tables.iter().map(PortTables::clone).collect(),
            clusters: self.clusters.fork(),
            stale,
            revision: 1,
        })
    }

    /// Notes what is out of date for another proxy.
    fn note_what_differs(
        &self,
        snapshot: &MeshSnapshot,
        kinship: &Kinship,
        proxy: &Proxy,
        stale: &mut Stale,
    ) {
        let (from, to) = (&*self.proxy.namespace, &*proxy.namespace);
        let note = |question: &Lookup, stale: &mut Stale| {
            stale.units.extend(self.questions.units(question).cloned());
            stale.listeners |= self.listening.as_ref().is_some_and(|heard| heard.asked.contains(question));
        };
        if from != to {
            note(&Lookup::OwnNamespace, stale);
        }
        if self.proxy.labels != proxy.labels {
            note(&Lookup::OwnLabels, stale);
        }
        for host in kinship.ruled_otherwise(snapshot, from, to) {
            let mut questions = self.questions.about_rules(&host, true);
            let heard = self.listening.iter().flat_map(|heard| heard.asked.iter());
            questions.extend(heard.filter(|it| it.is_about_rules_of(&host)).cloned());
            for question in questions {
                let asked = question.hostname().and_then(|host| self.scope.service(host));
                let differs = asked.is_some_and(|service| {
                    Kinship::is_ruled_otherwise(snapshot, &question, &service.namespace, (from, to))
                });
                if differs {
                    note(&question, stale);
                }
            }
        }
        stale.renamed = kinship.known_otherwise(from, to);
    }
}
