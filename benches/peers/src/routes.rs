//! A service with many routes, as descriptors: written by hand, since compiling so many takes minutes in a debug build.

use prost::Message;

/// A FileDescriptorSet with such a service added; sets are joined by joining their bytes.
pub(crate) fn added_to(set: &[u8], routes: usize) -> Vec<u8> {
    let added = FileDescriptorSet {
        file: vec![file(routes)],
    };
    [set, added.encode_to_vec().as_slice()].concat()
}

/// Paths of the shapes that the order service has, none of them equal to one of its own.
fn file(routes: usize) -> FileDescriptor {
    let method = |number: usize| {
        let get = match number % 3 {
            0 => format!("/v1/{{name=users/*/kind{number}/*}}"),
            1 => format!("/v1/kind{number}/{{name}}"),
            _ => format!("/v2/{{name=kind{number}/*}}"),
        };
        let named = ".peers.routes.v1.Named".to_owned();
        Method {
            name: format!("Get{number}"),
            input_type: named.clone(),
            output_type: named,
            options: Some(MethodOptions {
                http: Some(HttpRule { get }),
            }),
        }
    };
    FileDescriptor {
        name: "peers/routes/v1/routes.proto".to_owned(),
        package: "peers.routes.v1".to_owned(),
        dependency: vec!["google/api/annotations.proto".to_owned()],
        message_type: vec![MessageType {
            name: "Named".to_owned(),
            // The field `string name = 1`: optional is 1, a string 9.
            field: vec![Field {
                name: "name".to_owned(),
                number: 1,
                label: 1,
                kind: 9,
                json_name: "name".to_owned(),
            }],
        }],
        service: vec![Service {
            name: "RoutesService".to_owned(),
            method: (0..routes).map(method).collect(),
        }],
        syntax: "proto3".to_owned(),
    }
}

// The parts of descriptor.proto and http.proto that are needed: prost-types would lose the option.

#[derive(Clone, PartialEq, Message)]
struct FileDescriptorSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<FileDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct FileDescriptor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    dependency: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    message_type: Vec<MessageType>,
    #[prost(message, repeated, tag = "6")]
    service: Vec<Service>,
    #[prost(string, tag = "12")]
    syntax: String,
}

#[derive(Clone, PartialEq, Message)]
struct MessageType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    field: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "10")]
    json_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<Method>,
}

#[derive(Clone, PartialEq, Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    input_type: String,
    #[prost(string, tag = "3")]
    output_type: String,
    #[prost(message, optional, tag = "4")]
    options: Option<MethodOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    #[prost(message, optional, tag = "72295728")]
    http: Option<HttpRule>,
}

#[derive(Clone, PartialEq, Message)]
struct HttpRule {
    #[prost(string, tag = "2")]
    get: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::ORDERS;

    #[test]
    fn the_service_stays_and_the_routes_are_there() {
        let set = FileDescriptorSet::decode(added_to(ORDERS, 10).as_slice()).unwrap();
        let methods = |package: &str| {
            let file = set.file.iter().find(|file| file.package == package).unwrap();
            file.service[0].method.clone()
        };
        assert_eq!(methods("peers.orders.v1").len(), 3);
        let added = methods("peers.routes.v1");
        assert_eq!(added.len(), 10);
        let rule = added[4].options.clone().unwrap().http.unwrap();
        assert_eq!(rule.get, "/v1/kind4/{name}");
    }
}
