//! A stand-in for the HCL Workload Automation engine: REST v2 over a plan that moves.
