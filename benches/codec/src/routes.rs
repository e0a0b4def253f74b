//! Sets of 10 to 10,000 routes such as a large API has, and the paths that are looked for in them.
//!
//! Each collection of a user has nine bindings. All sets have the same shapes, so that only the number of routes
//! differs: with ten thousand of them, one segment has a thousand literals to choose from.

use millrace_transcode::Schema;
use prost::Message;

use crate::DESCRIPTORS;

/// The numbers of routes that are compared.
pub const COUNTS: [usize; 4] = [10, 100, 1_000, 10_000];

/// The bindings of one collection, below its name: HTTP method, what follows, and a path that fits it.
const BINDINGS: [(&str, &str, &str); 9] = [
    ("GET", "", ""),
    ("POST", "", ""),
    ("GET", "/{item}", "/2612804094800205616"),
    ("PATCH", "/{item}", "/2612804094800205616"),
    ("DELETE", "/{item}", "/2612804094800205616"),
    ("POST", "/{item}:cancel", "/2612804094800205616:cancel"),
    ("GET", "/{item}/parts", "/2612804094800205616/parts"),
    ("GET", "/{item}/parts/{part}", "/2612804094800205616/parts/12"),
    ("PUT", "/{item}/labels", "/2612804094800205616/labels"),
];
/// One more: it is found only after everything below `users` was tried to the last segment.
const BEHIND: &str = "/v1/*/{user}/*/{item}/parts/{part}/trail";
const USER: &str = "/v1/users/859827825691651782";

#[rustfmt::skip]
const FIRST: [&str; 34] = [
    "account", "billing", "card", "carrier", "catalog", "claim", "contract", "credit", "customer", "delivery", "device",
    "dispute", "export", "fleet", "freight", "gift", "import", "invoice", "ledger", "loyalty", "market", "order",
    "partner", "payment", "price", "product", "project", "refund", "report", "return", "service", "shipping", "stock",
    "tax",
];
#[rustfmt::skip]
const SECOND: [&str; 34] = [
    "Accounts", "Addresses", "Alerts", "Approvals", "Audits", "Batches", "Budgets", "Cases", "Categories", "Charges",
    "Codes", "Comments", "Documents", "Entries", "Events", "Exports", "Files", "Groups", "Holds", "Images", "Items",
    "Jobs", "Keys", "Labels", "Limits", "Lists", "Notes", "Orders", "Periods", "Plans", "Rates", "Rules", "Slots",
    "Tasks",
];

/// A request to look up: HTTP method and path.
pub type Request = (&'static str, String);

/// What is looked up in a set, by what becomes of it. Each kind has so many requests, evenly spread.
#[derive(Debug)]
pub struct Requests {
    /// Are bound.
    pub hit: Vec<Request>,
    /// Are not: the last segment is nobody's.
    pub miss: Vec<Request>,
    /// Are bound for other methods.
    pub other_method: Vec<Request>,
    /// Are bound by the last template that is tried.
    pub backtrack: Vec<Request>,
}

impl Requests {
    /// For a set of so many routes.
    pub fn of(routes: usize) -> Self {
        let collections = collections(routes);
        // As many for each set, or the caches would tell the sets apart.
        let below = |of: usize, below: &str| format!("{USER}/{}{below}", collection(of * collections / REQUESTS));
        let every = |method: &'static str, rest: &str| (0..REQUESTS).map(|at| (method, below(at, rest))).collect();
        let hit = |at: usize| {
            let (method, _, rest) = BINDINGS[at % BINDINGS.len()];
            (method, below(at, rest))
        };
        Self {
            hit: (0..REQUESTS).map(hit).collect(),
            miss: every("GET", "/2612804094800205616/nothing"),
            other_method: every("DELETE", ""),
            backtrack: every("GET", "/2612804094800205616/parts/12/trail"),
        }
    }

    /// Each kind with its name.
    pub fn kinds(&self) -> [(&'static str, &[Request]); 4] {
        [
            ("hit", &self.hit),
            ("miss", &self.miss),
            ("other_method", &self.other_method),
            ("backtrack", &self.backtrack),
        ]
    }
}

/// Requests of each kind: more than the collections of the largest set, so that all of it is walked.
const REQUESTS: usize = 2_048;
/// From one request to the next, where the order shall not be the order of the routes. Odd, so that all are met.
pub const STRIDE: usize = 1_021;

/// A loaded set of so many routes.
///
/// # Panics
/// The set does not load.
pub fn schema(routes: usize) -> Schema {
    let schema = Schema::builder().descriptors(&descriptors(routes)).build();
    let schema = schema.expect("the set loads");
    assert_eq!(schema.routes().count(), routes);
    schema
}

/// One less than a power of ten is a multiple of nine.
fn collections(routes: usize) -> usize {
    (routes - 1) / BINDINGS.len()
}

fn collection(at: usize) -> String {
    format!("{}{}", FIRST[at % FIRST.len()], SECOND[at / FIRST.len()])
}

/// A `FileDescriptorSet` of an API with so many routes. What `google.api.http` needs is in [`crate::DESCRIPTORS`].
fn descriptors(routes: usize) -> Vec<u8> {
    let mut services: Vec<_> = (0..collections(routes)).map(service).collect();
    services.push(Service {
        name: "Behind".to_owned(),
        methods: vec![method(0, "GET", BEHIND.to_owned())],
    });
    let call = Kind {
        name: "Call".to_owned(),
        fields: (1..).zip(["user", "item", "part"]).map(field).collect(),
    };
    let file = File {
        name: "routes.proto".to_owned(),
        package: "routes.v1".to_owned(),
        dependencies: vec!["google/api/annotations.proto".to_owned()],
        kinds: vec![call],
        services,
        syntax: "proto3".to_owned(),
    };
    let mut set = FileSet::decode(DESCRIPTORS).expect("the build script wrote it");
    set.files
        .retain(|file| FileName::decode(file.as_slice()).is_ok_and(|file| file.name.starts_with("google/")));
    set.files.push(file.encode_to_vec());
    set.encode_to_vec()
}

fn service(at: usize) -> Service {
    let collection = collection(at);
    let methods = BINDINGS
        .iter()
        .enumerate()
        .map(|(number, (http, rest, _))| method(number, http, format!("/v1/users/{{user}}/{collection}{rest}")));
    Service {
        methods: methods.collect(),
        name: format!("{collection}Service"),
    }
}

fn method(number: usize, http_method: &str, path: String) -> Method {
    let custom = Pattern {
        kind: http_method.to_owned(),
        path,
    };
    Method {
        name: format!("Call{number}"),
        input: ".routes.v1.Call".to_owned(),
        output: ".routes.v1.Call".to_owned(),
        options: Some(Options {
            http: Some(Rule { custom: Some(custom) }),
        }),
    }
}

fn field((number, name): (i32, &str)) -> Field {
    const OPTIONAL: i32 = 1;
    const STRING: i32 = 9;
    Field {
        name: name.to_owned(),
        number,
        label: OPTIONAL,
        kind: STRING,
    }
}

// As much of `google/protobuf/descriptor.proto` and `google/api/http.proto` as is written here; prost's own types keep
// no extensions.

#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FileName {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    dependencies: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    kinds: Vec<Kind>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Service>,
    #[prost(string, tag = "12")]
    syntax: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Kind {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<Method>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    input: String,
    #[prost(string, tag = "3")]
    output: String,
    #[prost(message, optional, tag = "4")]
    options: Option<Options>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Options {
    #[prost(message, optional, tag = "72295728")]
    http: Option<Rule>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Rule {
    #[prost(message, optional, tag = "8")]
    custom: Option<Pattern>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pattern {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    path: String,
}
