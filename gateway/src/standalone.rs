//! The stand-alone gateway: a proxy before any gRPC server.
