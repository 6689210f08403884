//! The client of HCL Workload Automation's REST API v2.
