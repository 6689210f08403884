//! What the plan needs from outside.

mod gateway;

pub use gateway::{ActionError, ActionGateway, GatewayError, LogGateway, PlanGateway};
#[cfg(any(test, feature = "mocks"))]
pub use gateway::{MockActionGateway, MockLogGateway, MockPlanGateway};
