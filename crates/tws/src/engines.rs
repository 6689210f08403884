//! The engines that run, in order: those of the configuration first, then those an administrator added.
//!
//! Invariants:
//! - Names are unique, so a name means one engine for as long as it is registered.
//! - Readers never lock and never wait: they take the list as it is at that moment. Who holds an
//!   engine keeps it, also when it is replaced or removed meanwhile.
//! - Of two changes at once neither is lost.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;

use crate::model::EngineName;
use crate::ports::{
    ActionGateway, DefinitionGateway, EngineMonitor, LogGateway, ObjectGateway, PlanGateway,
    SubmitGateway, Unsupported,
};

/// One engine with its ports. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// The name by the configuration.
    pub name: EngineName,
    /// Its data are invented, and every page must say so.
    pub demo: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// How long an action waits for its effect to show; as for all engines when `None`.
    pub verify: Option<Duration>,
    /// Reads of the plan.
    pub plan: Arc<dyn PlanGateway>,
    /// Reads of logs.
    pub logs: Arc<dyn LogGateway>,
    /// Writes.
    pub actions: Arc<dyn ActionGateway>,
    /// Reads of what is in the plan beside jobs.
    pub objects: Arc<dyn ObjectGateway>,
    /// Reads of definitions.
    pub definitions: Arc<dyn DefinitionGateway>,
    /// Submissions.
    pub submit: Arc<dyn SubmitGateway>,
    /// What the release knows, and how the client gets on.
    pub monitor: Arc<dyn EngineMonitor>,
}

impl Engine {
    /// An engine whose client has every port. It takes actions and is no demo unless told.
    #[must_use]
    pub fn of<C>(name: EngineName, client: Arc<C>) -> Self
    where
        C: PlanGateway
            + LogGateway
            + ActionGateway
            + ObjectGateway
            + DefinitionGateway
            + SubmitGateway
            + EngineMonitor
            + 'static,
    {
        Self {
            name,
            demo: false,
            read_only: false,
            verify: None,
            plan: client.clone(),
            logs: client.clone(),
            actions: client.clone(),
            objects: client.clone(),
            definitions: client.clone(),
            submit: client.clone(),
            monitor: client,
        }
    }

    /// An engine whose client reads jobs and logs and acts, and lacks the rest.
    #[must_use]
    pub fn basic<C>(name: EngineName, client: Arc<C>) -> Self
    where
        C: PlanGateway + LogGateway + ActionGateway + 'static,
    {
        let lacks = Arc::new(Unsupported);
        Self {
            name,
            demo: false,
            read_only: false,
            verify: None,
            plan: client.clone(),
            logs: client.clone(),
            actions: client,
            objects: lacks.clone(),
            definitions: lacks.clone(),
            submit: lacks.clone(),
            monitor: lacks,
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("name", &self.name)
            .field("demo", &self.demo)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// The engines there are; none is a valid set, which answers nothing. Clones share the set, so that a
/// change by one is seen by all.
#[derive(Debug, Clone, Default)]
pub struct Engines(Arc<ArcSwap<Vec<Arc<Engine>>>>);

/// Two engines have one name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("two engines are named {0}")]
pub struct EnginesError(pub EngineName);

/// No engine has that name, or there is none at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownEngine {
    /// No engine has the name that was asked for.
    #[error("no engine is named {0}")]
    Named(EngineName),
    /// There is no engine.
    #[error("no engine is configured")]
    NoneConfigured,
}

impl Engines {
    /// The engines in this order; the first one answers when nobody names one.
    ///
    /// # Errors
    /// [`EnginesError`] when two have the same name.
    pub fn new(engines: Vec<Engine>) -> Result<Self, EnginesError> {
        let mut seen = HashSet::new();
        for engine in &engines {
            if !seen.insert(engine.name.clone()) {
                return Err(EnginesError(engine.name.clone()));
            }
        }
        let engines = engines.into_iter().map(Arc::new).collect();
        Ok(Self(Arc::new(ArcSwap::from_pointee(engines))))
    }

    /// The engine of that name; the first one when `name` is `None`.
    ///
    /// # Errors
    /// [`UnknownEngine`] when there is no such engine.
    pub fn get(&self, name: Option<&EngineName>) -> Result<Arc<Engine>, UnknownEngine> {
        let engines = self.0.load();
        let found = match name {
            None => engines.first().ok_or(UnknownEngine::NoneConfigured),
            Some(name) => engines
                .iter()
                .find(|engine| engine.name == *name)
                .ok_or_else(|| UnknownEngine::Named(name.clone())),
        };
        found.map(Arc::clone)
    }

    /// All of them at this moment, in order.
    #[must_use]
    pub fn list(&self) -> Arc<Vec<Arc<Engine>>> {
        self.0.load_full()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.load().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    /// Puts `engine` in the place of the one of its name, or at the end; whether there was one. What is
    /// cached of it stays: see [`crate::PlanService::invalidate`].
    #[expect(
        clippy::must_use_candidate,
        reason = "whether there was one is news, the change is the point"
    )]
    pub fn put(&self, engine: Engine) -> bool {
        let engine = Arc::new(engine);
        let before = self.0.rcu(|engines| {
            let mut engines = Vec::clone(engines);
            match engines.iter_mut().find(|old| old.name == engine.name) {
                Some(old) => *old = Arc::clone(&engine),
                None => engines.push(Arc::clone(&engine)),
            }
            engines
        });
        before.iter().any(|old| old.name == engine.name)
    }

    /// Takes the engine of that name out; whether there was one. As with [`Engines::put`], what is
    /// cached of it stays.
    #[expect(
        clippy::must_use_candidate,
        reason = "whether there was one is news, the change is the point"
    )]
    pub fn remove(&self, name: &EngineName) -> bool {
        let before = self.0.rcu(|engines| {
            let mut engines = Vec::clone(engines);
            engines.retain(|engine| engine.name != *name);
            engines
        });
        before.iter().any(|engine| engine.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{MockActionGateway, MockLogGateway, MockPlanGateway};

    fn engine(name: &str) -> Engine {
        let lacks = Arc::new(Unsupported);
        Engine {
            name: EngineName::parse(name).unwrap(),
            demo: false,
            read_only: false,
            verify: None,
            plan: Arc::new(MockPlanGateway::new()),
            logs: Arc::new(MockLogGateway::new()),
            actions: Arc::new(MockActionGateway::new()),
            objects: lacks.clone(),
            definitions: lacks.clone(),
            submit: lacks.clone(),
            monitor: lacks,
        }
    }

    #[test]
    fn the_first_engine_answers_when_nobody_names_one() {
        let engines = Engines::new(vec![engine("prod"), engine("test")]).unwrap();
        assert_eq!(engines.get(None).unwrap().name.as_str(), "prod");
        let name = EngineName::parse("test").unwrap();
        assert_eq!(engines.get(Some(&name)).unwrap().name, name);
    }

    #[test]
    fn an_unknown_name_is_an_error_and_never_another_engine() {
        let engines = Engines::new(vec![engine("prod")]).unwrap();
        let name = EngineName::parse("PROD").unwrap();
        assert_eq!(
            engines.get(Some(&name)).unwrap_err(),
            UnknownEngine::Named(name)
        );
        assert_eq!(
            Engines::default().get(None).unwrap_err(),
            UnknownEngine::NoneConfigured
        );
    }

    #[test]
    fn two_engines_of_one_name_are_refused() {
        let error = Engines::new(vec![engine("prod"), engine("prod")]).unwrap_err();
        assert_eq!(error.0.as_str(), "prod");
    }

    #[test]
    fn a_change_is_seen_by_every_clone_and_who_holds_an_engine_keeps_it() {
        let engines = Engines::new(vec![engine("prod")]).unwrap();
        let clone = engines.clone();
        let held = clone.get(None).unwrap();
        assert!(!engines.put(engine("test")));
        assert_eq!(clone.len(), 2);
        let replaced = Engine {
            read_only: true,
            ..engine("prod")
        };
        assert!(engines.put(replaced));
        assert!(clone.get(None).unwrap().read_only && !held.read_only);
        assert!(engines.remove(&held.name));
        assert!(!engines.remove(&held.name));
        assert_eq!(clone.get(None).unwrap().name.as_str(), "test");
    }

    #[test]
    fn of_many_changes_at_once_none_is_lost() {
        let engines = Engines::default();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let engines = engines.clone();
                scope.spawn(move || {
                    for number in 0..20 {
                        engines.put(engine(&format!("e{writer}-{number}")));
                        engines.remove(
                            &EngineName::parse(&format!("e{writer}-{}", number / 2 * 2)).unwrap(),
                        );
                    }
                });
            }
        });
        assert_eq!(engines.len(), 8 * 10);
    }
}
