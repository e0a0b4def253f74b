//! The binary `millrace-gateway`. All it does is in [`millrace_gateway::standalone`].

fn main() {}
