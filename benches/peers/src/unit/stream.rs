//! How a unit answers streams over REST, and what such an answer says.

use serde::Deserialize;
use serde_json::Value;

/// Streamed answers over REST.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    /// The Accept header that asks for them.
    pub(crate) accept: String,
    /// What they look like.
    form: StreamForm,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StreamForm {
    /// A message a line.
    Lines,
    /// A line is `{"result": message}`.
    Results,
    /// A JSON array.
    Array,
    /// Server-sent events.
    Events,
}

impl Stream {
    /// The messages of an answer.
    ///
    /// # Errors
    ///
    /// It is not of that form.
    pub(crate) fn messages(&self, body: &[u8]) -> Result<Value, serde_json::Error> {
        let text = String::from_utf8_lossy(body);
        match self.form {
            StreamForm::Array => serde_json::from_str(&text),
            StreamForm::Lines => text
                .lines()
                .filter(|line| !line.is_empty())
                .map(serde_json::from_str::<Value>)
                .collect(),
            StreamForm::Results => {
                let lines = text.lines().filter(|line| !line.is_empty());
                let results = lines.map(|line| {
                    let mut line: Value = serde_json::from_str(line)?;
                    Ok(line.get_mut("result").map(Value::take).unwrap_or(line))
                });
                results.collect()
            }
            StreamForm::Events => {
                let events = text
                    .split("\n\n")
                    .filter(|event| !event.lines().any(|line| line.starts_with("event:")));
                let data = events.filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data:")));
                data.map(serde_json::from_str::<Value>).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_forms_say_the_same() {
        let expected = json!([{"number": 1}, {"number": 2}]);
        for (form, body) in [
            (StreamForm::Lines, "{\"number\":1}\n{\"number\":2}\n"),
            (
                StreamForm::Results,
                "{\"result\":{\"number\":1}}\n{\"result\":{\"number\":2}}\n",
            ),
            (StreamForm::Array, "[{\"number\":1},{\"number\":2}]"),
            (
                StreamForm::Events,
                "id: 1\ndata: {\"number\":1}\n\n: beat\n\ndata: {\"number\":2}\n\nevent: end\ndata: {}\n\n",
            ),
        ] {
            let accept = String::new();
            assert_eq!(
                Stream { accept, form }.messages(body.as_bytes()).unwrap(),
                expected,
                "{form:?}"
            );
        }
    }

    #[test]
    fn an_error_in_a_stream_is_no_message() {
        let accept = String::new();
        let form = StreamForm::Results;
        let said = Stream { accept, form }
            .messages(b"{\"error\":{\"code\":13}}\n")
            .unwrap();
        assert_eq!(said, json!([{"error": {"code": 13}}]));
    }
}
