//! How a case is written: a schema's rules and settings, requests, and what comes of each.

use millrace_gateway::HeaderNames;
use millrace_gateway::transcode::{Compat, HttpRule, Options};

use crate::expect::Expect;
use crate::http::{Answer, Body, Piece, Request};
use crate::recorder::Seen;
use crate::reply::Reply;
use crate::shapes;

/// A case of the list, or a part of one.
pub(crate) struct Case {
    /// `B04`, or `C13/a setting` for a part that has a line of its own in the lists of `ids.rs`.
    pub(crate) id: &'static str,
    pub(crate) setup: Setup,
    pub(crate) what: What,
}

/// What is done with the schema.
pub(crate) enum What {
    /// It does not load; the refusal says this.
    Refused(&'static str),
    /// It loads and takes these.
    Calls(Vec<Call>),
}

/// A case whose schema loads.
pub(crate) fn case(id: &'static str, setup: impl Into<Setup>, calls: impl IntoIterator<Item = Call>) -> Case {
    Case {
        id,
        setup: setup.into(),
        what: What::Calls(calls.into_iter().collect()),
    }
}

/// A case whose schema is refused, with these words.
pub(crate) fn refused(id: &'static str, setup: impl Into<Setup>, says: &'static str) -> Case {
    Case {
        id,
        setup: setup.into(),
        what: What::Refused(says),
    }
}

/// Rules and settings. Cases with the same share a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    pub(crate) options: Options,
    pub(crate) request_headers: Vec<&'static str>,
    pub(crate) www_authenticate: Option<&'static str>,
    pub(crate) uri_bytes_max: Option<usize>,
    pub(crate) body_bytes_max: Option<usize>,
    /// The upstream cannot be reached.
    pub(crate) unreachable: bool,
    /// Names of trailers that are announced.
    pub(crate) trailers: Vec<&'static str>,
    pub(crate) header_text_refused: bool,
    pub(crate) header_names: HeaderNames,
    /// `X-Forwarded-For` is rewritten, and proxies of these networks are believed.
    pub(crate) trusted: Option<Vec<&'static str>>,
}

impl Setup {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    pub(crate) fn request_headers(mut self, names: &[&'static str]) -> Self {
        self.request_headers.extend(names);
        self
    }

    pub(crate) fn www_authenticate(mut self, challenge: &'static str) -> Self {
        self.www_authenticate = Some(challenge);
        self
    }

    /// For paths and queries above the default bound.
    pub(crate) fn long_uris(mut self) -> Self {
        self.uri_bytes_max = Some(64 << 10);
        self
    }

    pub(crate) fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = Some(bytes);
        self
    }

    pub(crate) fn trailers(mut self, names: &[&'static str]) -> Self {
        self.trailers.extend(names);
        self
    }

    pub(crate) fn header_text_refused(mut self) -> Self {
        self.header_text_refused = true;
        self
    }

    /// The profile of another gateway, as the setting `compat` has it.
    pub(crate) fn compat(mut self, profile: Compat) -> Self {
        let rules = std::mem::take(&mut self.options.rules);
        self.options = Options {
            rules,
            ..profile.options()
        };
        if profile == Compat::GrpcGateway {
            self.header_names = HeaderNames::GrpcGateway;
        }
        self
    }

    pub(crate) fn trusts(mut self, networks: &[&'static str]) -> Self {
        self.trusted = Some(networks.to_vec());
        self
    }

    pub(crate) fn unreachable(mut self) -> Self {
        self.unreachable = true;
        self
    }
}

impl From<HttpRule> for Setup {
    fn from(rule: HttpRule) -> Self {
        rules([rule])
    }
}

/// These rules.
pub(crate) fn rules(rules: impl IntoIterator<Item = HttpRule>) -> Setup {
    Setup::default().with(|options| options.rules = rules.into_iter().collect())
}

/// `R0` gets the first path, `R1` the second, and so on.
pub(crate) fn routes(paths: &[&str]) -> Setup {
    let numbered = paths.iter().enumerate();
    rules(numbered.map(|(at, path)| rule(&format!("R{at}"), path, "")))
}

/// A rule for an RPC by its short name; `path` is `METHOD /template`.
pub(crate) fn rule(rpc: &str, path: &str, body: &str) -> HttpRule {
    let (method, path) = path.split_once(' ').unwrap();
    HttpRule {
        selector: shapes::full_name(rpc),
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        ..HttpRule::default()
    }
}

/// The kitchen sink: `GET /sink` by query, `POST /sink` by body.
pub(crate) fn sink() -> Setup {
    let mut sink = rule("Sink", "GET /sink", "");
    sink.additional = vec![rule("Sink", "POST /sink", "*")];
    sink.into()
}

/// A case of the kitchen sink in the default profile.
pub(crate) fn sunk(id: &'static str, calls: impl IntoIterator<Item = Call>) -> Case {
    case(id, sink(), calls)
}

/// One request and what comes of it.
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) reply: Reply,
    /// The client goes when the call has reached the upstream.
    pub(crate) leaves: bool,
    pub(crate) over_http2: bool,
    pub(crate) expected: Vec<Expect>,
}

/// Any request.
pub(crate) fn ask(method: &'static str, target: impl Into<String>) -> Call {
    Call {
        request: Request {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Body::None,
        },
        reply: Reply::default(),
        leaves: false,
        over_http2: false,
        expected: Vec::new(),
    }
}

pub(crate) fn get(target: impl Into<String>) -> Call {
    ask("GET", target)
}

/// A query to the kitchen sink.
pub(crate) fn query(query: &str) -> Call {
    get(format!("/sink?{query}"))
}

/// JSON by POST.
pub(crate) fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Call {
    ask("POST", target).body(body)
}

impl Call {
    /// JSON, unless a header says otherwise.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = Body::Whole(body.into());
        self
    }

    /// JSON in pieces.
    pub(crate) fn pieces(mut self, pieces: Vec<Piece>) -> Self {
        self.request.body = Body::Pieces(pieces);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn answered(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }

    pub(crate) fn leaves(mut self) -> Self {
        self.leaves = true;
        self
    }

    pub(crate) fn over_http2(mut self) -> Self {
        self.over_http2 = true;
        self
    }

    fn expect(mut self, expected: Expect) -> Self {
        self.expected.push(expected);
        self
    }

    /// The status, 200 unless said.
    pub(crate) fn status(self, status: u16) -> Self {
        self.expect(Expect::Status(status))
    }

    /// The body, as JSON.
    pub(crate) fn json(self, json: &str) -> Self {
        let value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        self.expect(Expect::Json(value))
    }

    /// The body, byte by byte.
    pub(crate) fn exactly(self, body: impl Into<Vec<u8>>) -> Self {
        self.expect(Expect::Body(body.into()))
    }

    /// A part of the body.
    pub(crate) fn says(self, text: &str) -> Self {
        self.expect(Expect::Says(text.to_owned()))
    }

    /// A `google.rpc.Status` with the code that goes with the HTTP status and these words, and no call.
    pub(crate) fn refused(self, status: u16, says: &str) -> Self {
        let code = match status {
            404 => 5,
            405 | 501 => 12,
            408 => 4,
            413 | 429 | 431 => 8,
            400..=499 => 3,
            503 => 14,
            _ => 13,
        };
        let failed = self.status(status).expect(Expect::Code(code)).says(says);
        failed.expect(Expect::NotCalled)
    }

    /// A 400 for a field, by its path, and no call.
    pub(crate) fn refuses_field(self, field: &str) -> Self {
        self.refused(400, "").expect(Expect::Field(field.to_owned()))
    }

    /// A `google.rpc.Status` with this code.
    pub(crate) fn fails(self, status: u16, code: i32) -> Self {
        self.status(status).expect(Expect::Code(code))
    }

    pub(crate) fn not_called(self) -> Self {
        self.expect(Expect::NotCalled)
    }

    /// The RPC that is called, by its short name.
    pub(crate) fn rpc(self, rpc: &'static str) -> Self {
        self.expect(Expect::Rpc(rpc))
    }

    /// The one request message upstream.
    pub(crate) fn sends(self, text: impl Into<String>) -> Self {
        self.expect(Expect::Sends(vec![text.into()]))
    }

    /// The request messages upstream.
    pub(crate) fn sends_all<T: Into<String>>(self, texts: impl IntoIterator<Item = T>) -> Self {
        self.expect(Expect::Sends(texts.into_iter().map(Into::into).collect()))
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        self.expect(Expect::Header(name, Some(value.to_owned())))
    }

    pub(crate) fn no_header(self, name: &'static str) -> Self {
        self.expect(Expect::Header(name, None))
    }

    /// The values of a header upstream.
    pub(crate) fn metadata(self, name: &'static str, values: &[&'static str]) -> Self {
        self.expect(Expect::Metadata(name, values.to_vec()))
    }

    pub(crate) fn trailer(self, name: &'static str, value: Option<&'static str>) -> Self {
        self.expect(Expect::Trailer(name, value))
    }

    /// The body breaks off.
    pub(crate) fn broken(self) -> Self {
        self.expect(Expect::Broken)
    }

    /// The upstream's call is cancelled.
    pub(crate) fn cancelled(self) -> Self {
        self.expect(Expect::Cancelled)
    }

    pub(crate) fn check(self, check: fn(&Answer, &[Seen]) -> Result<(), String>) -> Self {
        self.expect(Expect::Check(check))
    }
}
