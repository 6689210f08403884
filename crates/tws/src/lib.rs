//! The plan: jobs, streams, workstations, actions on them, and the plan cache.
