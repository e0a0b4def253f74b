//! The examples of the documents are settings that work, with the repository's own descriptors.

use std::path::Path;

use crate::support::{file, said};

#[test]
fn examples_of_settings_work_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let descriptors = root.join("proto/baseline.binpb");
    let mut tried = 0;
    for (name, chapter) in [
        ("README.md", "## Put REST in front of your own gRPC server"),
        ("docs/coming-from.md", "# Coming from"),
    ] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let chapter = text.split_once(chapter).unwrap().1;
        let chapter = chapter.split_once("\n## ").map_or(chapter, |(chapter, _)| chapter);
        for language in ["yaml", "toml"] {
            for example in chapter.split(&format!("```{language}\n")).skip(1) {
                let example = example.split("```").next().unwrap();
                let config = file("documents", &format!("example.{language}"), example);
                let checked = said(&[
                    "check",
                    "--descriptors",
                    descriptors.to_str().unwrap(),
                    "--config",
                    &config,
                ]);
                assert_eq!(checked.code, 0, "{name}:\n{example}\n{}{}", checked.out, checked.err);
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 2, "an example was not found where it was");
}
