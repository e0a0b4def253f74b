//! Paths that no route binds: the OpenAPI document, as JSON and as YAML.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response};
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::super::settings::OpenApi;
use crate::edge::Builtin;
use crate::transcode::{Schema, openapi};

/// Answers these paths. What they answer is made when it is first asked for: the document of ten thousand routes takes
/// as long as all else of a start, and most gateways are never asked.
pub(super) struct Pages {
    info: openapi::Info,
    schema: Arc<Schema>,
    pages: Vec<Page>,
    /// What is written on each, once one has been asked for: the document is made once for all, since as a tree it
    /// takes ten times the memory of its text.
    texts: OnceLock<Vec<Bytes>>,
}

struct Page {
    path: String,
    content_type: &'static str,
    write: fn(&Value) -> String,
}

impl Pages {
    /// The pages of a schema.
    pub(super) fn new(settings: &OpenApi, schema: Arc<Schema>) -> Self {
        let info = openapi::Info {
            title: settings.title.clone(),
            version: settings.version.clone(),
            servers: settings.servers.clone(),
            ..openapi::Info::default()
        };
        let json = settings.json_path.clone().map(|path| Page {
            path,
            content_type: "application/json",
            write: json,
        });
        let yaml = settings.yaml_path.clone().map(|path| Page {
            path,
            content_type: "application/yaml",
            write: yaml,
        });
        Self {
            info,
            schema,
            pages: json.into_iter().chain(yaml).collect(),
            texts: OnceLock::new(),
        }
    }

    fn texts(&self) -> &[Bytes] {
        if let Some(texts) = self.texts.get() {
            return texts;
        }
        let made = || {
            self.texts.get_or_init(|| {
                let document = self.schema.openapi(&self.info);
                let written = self.pages.iter().map(|page| (page.write)(&document));
                // Boxed: a text that has grown has room that nobody needs any more.
                written
                    .map(|text| Bytes::from(text.into_boxed_str().into_boxed_bytes()))
                    .collect()
            })
        };
        // The first to ask makes them and the others wait; what else this thread has to do goes on in another, where
        // there is one.
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(made),
            _ => made(),
        }
    }
}

impl Builtin for Pages {
    fn get(&self, request: &Parts) -> Option<Response<Bytes>> {
        let index = self.pages.iter().position(|page| page.path == request.uri.path())?;
        let (page, text) = (self.pages.get(index)?, self.texts().get(index)?);
        let mut response = Response::new(text.clone());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
        // The next schema may bring another document under the same path.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
}

/// A document as JSON, for people to read.
fn json(document: &Value) -> String {
    format!("{document:#}\n")
}

/// A document as YAML in block style. All text is quoted as JSON quotes it, which YAML reads the same.
fn yaml(document: &Value) -> String {
    let mut text = String::new();
    block(&mut text, document, 0);
    text
}

/// Writes what stands behind a key or a dash, with the end of its last line.
fn block(text: &mut String, value: &Value, indent: usize) {
    // Writing to a string cannot fail.
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push_str(if indent == 0 { "" } else { "\n" });
            for (name, value) in fields {
                let _ = write!(text, "{:indent$}{}:", "", Value::from(name.as_str()));
                block(text, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                let _ = write!(text, "{:indent$}-", "");
                block(text, item, indent + 2);
            }
        }
        scalar => {
            let _ = writeln!(text, " {scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_made_once_and_not_before_one_is_asked_for() {
        let settings = OpenApi {
            title: "Shop".to_owned(),
            version: "7".to_owned(),
            servers: Vec::new(),
            json_path: Some("/openapi.json".to_owned()),
            yaml_path: Some("/openapi.yaml".to_owned()),
        };
        let schema = Arc::new(Schema::builder().build().unwrap());
        let pages = Pages::new(&settings, schema.clone());
        let get = |path: &str| {
            let (parts, ()) = http::Request::get(path).body(()).unwrap().into_parts();
            pages.get(&parts)
        };
        assert!(get("/elsewhere").is_none());
        assert!(pages.texts.get().is_none());
        let first = get("/openapi.json").unwrap();
        assert_eq!(first.headers()[CONTENT_TYPE], "application/json");
        let document = schema.openapi(&pages.info);
        assert_eq!(document["info"], json!({"title": "Shop", "version": "7"}));
        assert_eq!(first.body(), format!("{document:#}\n").as_bytes());
        let second = get("/openapi.json").unwrap();
        assert_eq!(second.body().as_ptr(), first.body().as_ptr());
        let read: Value = serde_saphyr::from_slice(get("/openapi.yaml").unwrap().body()).unwrap();
        assert_eq!(read, document);
    }

    #[test]
    fn yaml_says_what_json_says() {
        let document = json!({
            "openapi": "3.1.0",
            "yes": [true, null, 7, 1.5, "no", "a: b", "line\nbreak", "é\u{2028}\u{1}"],
            "empty": [{}, [], {"a": [[1, 2], [{"b": {"c": ["d"]}}]]}],
            "/v1/{name}": {"get": {"description": "- a\n- b # c"}},
        });
        let text = yaml(&document);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, document, "{text}");
    }
}
