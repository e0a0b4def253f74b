//! What the contract says of each method: whether its answers stream, and whether a call may be sent again.
//! Read once from descriptors, when the client is built.

use std::collections::HashMap;

use prost_reflect::{Cardinality, DescriptorError, DescriptorPool, ExtensionDescriptor, Kind, MethodDescriptor, Value};

/// The field option that marks an idempotency key (`millrace/api/v1/options.proto`).
const KEY_OPTION: &str = "millrace.api.v1.idempotency_key";

/// What the channel must know of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    /// Whether the answer is a stream, which has no end in time unless its caller sets one.
    pub(crate) streams_answers: bool,
    /// Whether a call may be sent again.
    pub(crate) replay: Replay,
}

/// Whether a call may be sent again when its outcome is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// No: a second call would do its work twice, or its request is a stream.
    Never,
    /// Yes: its `idempotency_level` says so.
    Safe,
    /// Yes, with the same idempotency key in this string field of the request.
    Keyed {
        /// Number of the field.
        field: u32,
    },
}

/// The methods of the known services by gRPC path, as in `/package.Service/Method`.
#[derive(Debug, Default)]
pub(crate) struct Methods(HashMap<String, Method>);

impl Methods {
    /// Adds the methods of an encoded `FileDescriptorSet`.
    ///
    /// Each set is read in a pool of its own, so that two sets may hold different editions of an imported file.
    pub(crate) fn add(&mut self, descriptors: &[u8]) -> Result<(), DescriptorError> {
        let pool = DescriptorPool::decode(descriptors)?;
        let key_option = pool.get_extension_by_name(KEY_OPTION);
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                self.0.insert(path, describe(&method, key_option.as_ref()));
            }
        }
        Ok(())
    }

    /// What is known of the method with this path.
    pub(crate) fn get(&self, path: &str) -> Option<Method> {
        self.0.get(path).copied()
    }
}

fn describe(method: &MethodDescriptor, key_option: Option<&ExtensionDescriptor>) -> Method {
    let replay = if method.is_client_streaming() {
        Replay::Never
    } else if let Some(field) = key_option.and_then(|option| key_field(method, option)) {
        Replay::Keyed { field }
    } else if is_idempotent(method) {
        Replay::Safe
    } else {
        Replay::Never
    };
    Method {
        streams_answers: method.is_server_streaming(),
        replay,
    }
}

fn key_field(method: &MethodDescriptor, option: &ExtensionDescriptor) -> Option<u32> {
    let is_key = |field: &prost_reflect::FieldDescriptor| {
        field.kind() == Kind::String
            && field.cardinality() != Cardinality::Repeated
            && field.options().get_extension(option).as_bool() == Some(true)
    };
    let field = method.input().fields().find(is_key)?;
    Some(field.number())
}

/// Whether `google.protobuf.MethodOptions.idempotency_level` is NO_SIDE_EFFECTS (1) or IDEMPOTENT (2).
fn is_idempotent(method: &MethodDescriptor) -> bool {
    let options = method.options();
    let level = options.get_field_by_name("idempotency_level");
    matches!(level.as_deref(), Some(Value::EnumNumber(1 | 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_says_what_may_be_sent_again() {
        let mut methods = Methods::default();
        methods.add(millrace_proto::FILE_DESCRIPTOR_SET).unwrap();
        let cases = [
            // Reads, and changes that are the same when done twice.
            ("/millrace.ordering.v1.OrderingService/GetOrder", false, Replay::Safe),
            ("/millrace.ordering.v1.OrderingService/CancelOrder", false, Replay::Safe),
            ("/millrace.ordering.v1.OrderingService/WatchOrders", true, Replay::Safe),
            // Creates carry a key; its field has another number in each.
            (
                "/millrace.ordering.v1.OrderingService/CreateOrder",
                false,
                Replay::Keyed { field: 3 },
            ),
            (
                "/millrace.identity.v1.IdentityService/CreateUser",
                false,
                Replay::Keyed { field: 2 },
            ),
        ];
        for (path, streams_answers, replay) in cases {
            let expected = Method {
                streams_answers,
                replay,
            };
            assert_eq!(methods.get(path), Some(expected), "{path}");
        }
        assert_eq!(methods.get("/millrace.ordering.v1.OrderingService/Nothing"), None);
    }

    #[test]
    fn what_declares_nothing_is_never_sent_again() {
        let mut methods = Methods::default();
        methods.add(&undeclared()).unwrap();
        let expected = Method {
            streams_answers: false,
            replay: Replay::Never,
        };
        assert_eq!(methods.get("/test.Counter/Add"), Some(expected));
        assert!(methods.add(b"\xFF").is_err());
    }

    /// `package test; message Empty {} service Counter { rpc Add(Empty) returns (Empty); }` on the wire, without an
    /// option.
    fn undeclared() -> Vec<u8> {
        fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
            let length = u8::try_from(bytes.len()).unwrap();
            [&[number << 3 | 2, length], bytes].concat()
        }
        let method = [field(1, b"Add"), field(2, b".test.Empty"), field(3, b".test.Empty")].concat();
        let service = [field(1, b"Counter"), field(2, &method)].concat();
        let message = field(1, b"Empty");
        let file = [
            field(1, b"t.proto"),
            field(2, b"test"),
            field(4, &message),
            field(6, &service),
            field(12, b"proto3"),
        ];
        field(1, &file.concat())
    }
}
