//! gRPC servers behind the gateway.
