//! Paths that no route binds: the OpenAPI document, as JSON and as YAML.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response};
use serde_json::Value;

use super::super::settings::OpenApi;
use crate::edge::Builtin;
use crate::transcode::{Schema, openapi};

/// Answers these paths. What they answer is made when it is first asked for: the document of ten thousand routes takes
/// as long as all else of a start, and most gateways are never asked.
pub(super) struct Pages {
    info: openapi::Info,
    schema: Arc<Schema>,
    pages: Vec<Page>,
}

struct Page {
    path: String,
    content_type: &'static str,
    write: fn(&Value) -> String,
    /// What is written, once it has been asked for.
    text: OnceLock<Bytes>,
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
            text: OnceLock::new(),
        });
        let yaml = settings.yaml_path.clone().map(|path| Page {
            path,
            content_type: "application/yaml",
            write: yaml,
            text: OnceLock::new(),
        });
        Self {
            info,
            schema,
            pages: json.into_iter().chain(yaml).collect(),
        }
    }

    fn text(&self, page: &Page) -> Bytes {
        if let Some(text) = page.text.get() {
            return text.clone();
        }
        // The first to ask makes it and the others wait; what else this thread has to do goes on in another. The runtime
        // of the command line has several.
        tokio::task::block_in_place(|| {
            let written = || (page.write)(&self.schema.openapi(&self.info)).into_boxed_str();
            let text = page.text.get_or_init(|| Bytes::from(written().into_boxed_bytes()));
            text.clone()
        })
    }
}

impl Builtin for Pages {
    fn get(&self, request: &Parts) -> Option<Response<Bytes>> {
        let page = self.pages.iter().find(|page| page.path == request.uri.path())?;
        let mut response = Response::new(self.text(page));
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
    fn a_page_is_made_once_and_not_before_it_is_asked_for() {
        let settings = OpenApi {
            title: "Shop".to_owned(),
            version: "7".to_owned(),
            servers: Vec::new(),
            json_path: Some("/openapi.json".to_owned()),
            yaml_path: Some("/openapi.yaml".to_owned()),
        };
        let schema = Arc::new(Schema::builder().build().unwrap());
        let pages = Pages::new(&settings, schema.clone());
        let made = || Vec::from_iter(pages.pages.iter().map(|page| page.text.get().is_some()));
        let get = |path: &str| {
            let (parts, ()) = http::Request::get(path).body(()).unwrap().into_parts();
            pages.get(&parts)
        };
        assert!(get("/elsewhere").is_none());
        assert_eq!(made(), [false, false]);
        let first = get("/openapi.json").unwrap();
        assert_eq!(made(), [true, false]);
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
