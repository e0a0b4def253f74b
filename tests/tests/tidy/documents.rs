//! What the documents say about the code is so.

use std::fs;

use super::source::{report, root, sources};

#[test]
fn readme_shows_the_example_that_is_compiled() {
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    let (Some(readme), Some(example)) = (read("README.md"), read("client/examples/place_order.rs")) else {
        return;
    };
    // The file's own `//!` is not part of what the README shows.
    let shown: String = example
        .lines()
        .skip_while(|line| line.starts_with("//!") || line.is_empty())
        .fold(String::new(), |text, line| text + line + "\n");
    let blocks: Vec<&str> = readme
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(
        blocks.contains(&shown.as_str()),
        "README.md does not show client/examples/place_order.rs as it is:\n{shown}"
    );
}

#[test]
fn documents_name_files_that_exist() {
    let mut complaints = Vec::new();
    for file in sources("md") {
        for name in file.text.split('`').skip(1).step_by(2) {
            let is_path = name.contains('/') && name.ends_with(".rs") && !name.contains(['{', '*', '<', ' ']);
            if is_path && !root().join(name).exists() {
                complaints.push(format!("{}: `{name}` does not exist", file.path));
            }
        }
    }
    report(complaints);
}
