//! The examples of the documents are settings that work, with the repository's own descriptors.

use std::path::Path;

use crate::support::{file, said};

#[test]
fn examples_of_settings_work_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let descriptors = root.join("proto/baseline.binpb");
    let mut tried = 0;
    // Those of the README are pasted with all else there, by `first_minutes`.
    for name in ["docs/coming-from.md"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for language in ["yaml", "toml"] {
            for example in text.split(&format!("```{language}\n")).skip(1) {
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
    assert_eq!(tried, 1, "an example was not found where it was");
}
