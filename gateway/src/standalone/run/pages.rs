//! Paths that no route binds: the OpenAPI document, as JSON and as YAML.

use std::fmt::Write;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response};
use serde_json::Value;

use super::super::settings::OpenApi;
use crate::edge::Builtin;
use crate::transcode::{Schema, openapi};

/// Answers these paths.
pub(super) struct Pages(Vec<Page>);

struct Page {
    path: String,
    content_type: &'static str,
    text: Bytes,
}

impl Pages {
    /// The pages of a schema.
    pub(super) fn new(settings: &OpenApi, schema: &Schema) -> Self {
        let info = openapi::Info {
            title: settings.title.clone(),
            version: settings.version.clone(),
            servers: settings.servers.clone(),
            ..openapi::Info::default()
        };
        let document = schema.openapi(&info);
        let mut pages = Vec::new();
        if let Some(path) = settings.json_path.clone() {
            let (content_type, text) = ("application/json", format!("{document:#}\n").into());
            pages.push(Page {
                path,
                content_type,
                text,
            });
        }
        if let Some(path) = settings.yaml_path.clone() {
            let (content_type, text) = ("application/yaml", yaml(&document).into());
            pages.push(Page {
                path,
                content_type,
                text,
            });
        }
        Self(pages)
    }
}

impl Builtin for Pages {
    fn get(&self, request: &Parts) -> Option<Response<Bytes>> {
        let page = self.0.iter().find(|page| page.path == request.uri.path())?;
        let mut response = Response::new(page.text.clone());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
        // The next schema may bring another document under the same path.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
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
