//! What a schema's author may want to know about its routes, beyond what refuses to load: routes that hide parts of
//! each other, fields that no request can set and no answer shows, RPCs that REST does not reach. Made on demand, by
//! the router and the rules of binding themselves.

mod fields;
mod shadow;

use std::collections::HashMap;
use std::fmt;

use crate::rule::Route;
use crate::schema::Schema;

/// Most pairs of routes that are listed as hiding each other.
pub const SHADOWED_MAX: usize = 1_000;

/// What [`Schema::report`] found; nothing of it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Routes that no request reaches.
    pub unreachable: Vec<Binding>,
    /// Routes of which another, more specific one takes a part; at most [`SHADOWED_MAX`].
    pub shadowed: Vec<Shadowed>,
    /// Fields of requests that no route of their RPC can set, by path, query, body or header.
    pub unbound_fields: Vec<RpcFields>,
    /// Fields of answers that no route of their RPC shows, since `response_body` names others.
    pub unseen_fields: Vec<RpcFields>,
    /// RPCs without a route: `package.Service/Method`.
    pub unbound_rpcs: Vec<String>,
}

/// A route as people name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// HTTP method, `*` for any.
    pub http_method: String,
    /// The template.
    pub path: String,
    /// `package.Service/Method`.
    pub rpc: String,
}

/// Requests that fit one route and go to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// The route that does not get them.
    pub route: Binding,
    /// The more specific route that does.
    pub by: Binding,
    /// Such a request: method and path.
    pub example: String,
}

/// Fields of an RPC's request or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcFields {
    /// `package.Service/Method`.
    pub rpc: String,
    /// Field paths, in the order of the schema; a field whose fields are all meant stands for them.
    pub fields: Vec<String>,
}

impl Report {
    pub(crate) fn of(schema: &Schema) -> Self {
        let mut report = Self {
            unreachable: shadow::unreachable(schema),
            shadowed: shadow::shadowed(schema),
            ..Self::default()
        };
        let mut by_rpc: HashMap<&str, Vec<&Route>> = HashMap::new();
        for route in schema.routes() {
            by_rpc.entry(route.rpc.full_name()).or_default().push(route);
        }
        for method in schema.methods() {
            let rpc = method.full_name();
            let routes = by_rpc.remove(rpc).unwrap_or_default();
            if routes.is_empty() {
                report.unbound_rpcs.push(rpc.to_owned());
                continue;
            }
            let listed = |fields: Vec<String>| {
                let rpc = rpc.to_owned();
                (!fields.is_empty()).then_some(RpcFields { rpc, fields })
            };
            report.unbound_fields.extend(listed(fields::unbound(method, &routes)));
            report.unseen_fields.extend(listed(fields::unseen(method, &routes)));
        }
        report
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Binding {
    pub(crate) fn of(route: &Route) -> Self {
        Self {
            http_method: route.http_method.clone(),
            path: route.path.clone(),
            rpc: route.rpc.full_name().to_owned(),
        }
    }
}

impl fmt::Display for Binding {
    /// `GET /v1/{name=shelves/*} (library.v1.Library/GetShelf)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.http_method, self.path, self.rpc)
    }
}

impl fmt::Display for Report {
    /// One finding a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for route in &self.unreachable {
            writeln!(f, "no request reaches {route}")?;
        }
        for Shadowed { route, by, example } in &self.shadowed {
            writeln!(f, "{example} fits {route}, and goes to {by}")?;
        }
        for RpcFields { rpc, fields } in &self.unbound_fields {
            writeln!(f, "{rpc}: no route can set {}", fields.join(", "))?;
        }
        for RpcFields { rpc, fields } in &self.unseen_fields {
            writeln!(f, "{rpc}: no route shows {}", fields.join(", "))?;
        }
        for rpc in &self.unbound_rpcs {
            writeln!(f, "{rpc}: no route (setting rpc_paths binds it by its name)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{load, routes, rule};
    use crate::schema::Schema;

    fn shadows(paths: &[&str]) -> Vec<String> {
        let report = routes(paths).unwrap().report();
        let short = |rpc: &str| rpc.trim_start_matches("shapes.v1.Routes/").to_owned();
        let of_test = report
            .shadowed
            .iter()
            .filter(|shadowed| shadowed.by.rpc.contains("Routes/"));
        let shown = of_test.map(|shadowed| {
            let (by, route) = (short(&shadowed.by.rpc), short(&shadowed.route.rpc));
            format!("{by} over {route}: {}", shadowed.example)
        });
        let mut shown: Vec<_> = shown.collect();
        shown.extend(
            report
                .unreachable
                .iter()
                .map(|route| format!("never {}", short(&route.rpc))),
        );
        shown
    }

    #[test]
    fn routes_hide_each_other() {
        let none: &[&str] = &[];
        for (paths, expected) in [
            (
                &["GET /shelves/{id}", "GET /shelves/archive"][..],
                &["R1 over R0: GET /shelves/archive"][..],
            ),
            (&["GET /{x}/b", "GET /a/{y}"], &["R1 over R0: GET /a/b"]),
            (&["GET /{x=**}", "GET /{x=a/**}/b"], &["R1 over R0: GET /a/b"]),
            (&["GET /{x=a/**}/b/c", "GET /{x=**}/c"], &["R0 over R1: GET /a/b/c"]),
            (&["GET /files", "GET /files/{x=**}"], &["R0 over R1: GET /files"]),
            (&["* /a/b", "GET /a/{x}"], &["R0 over R1: GET /a/b"]),
            (&["GET /a/{x}:v", "GET /a/b:v"], &["R1 over R0: GET /a/b:v"]),
            // Apart by method, literal, length, verb.
            (&["GET /a/{x}", "POST /a/b"], none),
            (&["GET /a/{x}", "GET /b/c"], none),
            (&["GET /a/{x}", "GET /a/b/c"], none),
            (&["GET /a/{x}", "GET /a/b:v"], none),
            (&["GET /a/**/x", "GET /a/{x}/y"], none),
            // The same shape: what is meant by a rule for any method.
            (&["* /a/{x}", "GET /a/{id}"], none),
            // A path with a NUL is refused before it is looked up.
            (&["GET /a%00"], &["never R0"]),
        ] {
            assert_eq!(shadows(paths), expected, "{paths:?}");
        }
    }

    fn unbound(schema: &Schema, rpc: &str) -> String {
        let report = schema.report();
        let found = report.unbound_fields.iter().find(|fields| fields.rpc.ends_with(rpc));
        found.map(|fields| fields.fields.join(" ")).unwrap_or_default()
    }

    #[test]
    fn fields_that_nothing_sets() {
        let sink = "r_m m_sm any emp o_m.r_m o_m.m_sm o_m.any o_m.emp nested.r_m nested.m_sm nested.any nested.emp";
        let book = "book.any book.r_m";
        for (rpc, path, body, expected) in [
            ("Shapes.Sink", "GET /sink", "", sink),
            ("Shapes.Sink", "POST /sink", "*", ""),
            // Another member of its oneof than the path's cannot be set.
            (
                "Shapes.Sink",
                "GET /sink/{o_b}",
                "",
                "r_m m_sm any emp o_s o_m nested.r_m nested.m_sm nested.any nested.emp",
            ),
            ("Shapes.PutBook", "PUT /books/{shelf}", "book", ""),
            ("Shapes.PutBook", "PUT /books", "request_id", book),
            ("Shapes.PatchBook", "PATCH /books", "book", ""),
            ("Library.WatchShelves", "GET /watch", "", ""),
        ] {
            let schema = load(vec![rule(rpc, path, body)]).unwrap();
            let rpc = rpc.replace('.', "/");
            assert_eq!(unbound(&schema, &rpc), expected, "{path} {body}");
        }
        let mut both = rule("Shapes.PutBook", "GET /books", "");
        both.additional = vec![rule("Shapes.PutBook", "PUT /books", "book")];
        assert_eq!(unbound(&load(vec![both]).unwrap(), "PutBook"), "");
    }

    #[test]
    fn what_answers_leave_out_and_who_has_no_route() {
        let mut cut = rule("Library.GetShelf", "GET /shelf", "");
        cut.response_body = "theme".to_owned();
        let report = load(vec![cut]).unwrap().report();
        let unseen: Vec<_> = report
            .unseen_fields
            .iter()
            .map(|fields| fields.fields.join(" "))
            .collect();
        assert_eq!(unseen, ["id kind"]);
        assert!(report.unbound_rpcs.contains(&"shapes.v1.Library/Internal".to_owned()));
        assert!(!report.is_empty());
        let text = report.to_string();
        for line in [
            "shapes.v1.Library/GetShelf: no route shows id, kind\n",
            "shapes.v1.Library/Internal: no route (setting rpc_paths binds it by its name)\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
