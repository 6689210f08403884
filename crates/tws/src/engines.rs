//! The engines that the configuration names, in its order.
//!
//! Invariant: names are unique, so a name means one engine for as long as the process lives.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::model::EngineName;
use crate::ports::{ActionGateway, LogGateway, PlanGateway};

/// One engine with its ports.
#[derive(Clone)]
pub struct Engine {
    /// The name by the configuration.
    pub name: EngineName,
    /// Its data are invented, and every page must say so.
    pub demo: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// Reads of the plan.
    pub plan: Arc<dyn PlanGateway>,
    /// Reads of logs.
    pub logs: Arc<dyn LogGateway>,
    /// Writes.
    pub actions: Arc<dyn ActionGateway>,
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

/// The engines there are; none is a valid configuration, which answers nothing.
#[derive(Debug, Clone, Default)]
pub struct Engines(Arc<[Engine]>);

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
    /// The configuration names no engine.
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
        Ok(Self(engines.into()))
    }

    /// The engine of that name; the first one when `name` is `None`.
    ///
    /// # Errors
    /// [`UnknownEngine`] when there is no such engine.
    pub fn get(&self, name: Option<&EngineName>) -> Result<&Engine, UnknownEngine> {
        match name {
            None => self.0.first().ok_or(UnknownEngine::NoneConfigured),
            Some(name) => self
                .0
                .iter()
                .find(|engine| engine.name == *name)
                .ok_or_else(|| UnknownEngine::Named(name.clone())),
        }
    }

    /// All of them, in the configuration's order.
    pub fn iter(&self) -> impl Iterator<Item = &Engine> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{MockActionGateway, MockLogGateway, MockPlanGateway};

    fn engine(name: &str) -> Engine {
        Engine {
            name: EngineName::parse(name).unwrap(),
            demo: false,
            read_only: false,
            plan: Arc::new(MockPlanGateway::new()),
            logs: Arc::new(MockLogGateway::new()),
            actions: Arc::new(MockActionGateway::new()),
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
}
