//! `millrace new service NAME`: writes what a new service is made of, into the source tree.

mod name;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, Failure, output};
use name::service_name;

const PROTO: &str = include_str!("new_service/service.proto.txt");
const MODULE: &str = include_str!("new_service/module.rs.txt");
/// The line above which a module is mounted.
const MARK: &str = "        // `millrace new service` adds a line above this one.\n";

/// Things that can be new.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum New {
    /// Writes proto and module of a service, and the line that mounts it
    Service(Service),
}

/// Flags of `millrace new service`.
#[derive(Debug, Clone, Args)]
pub(super) struct Service {
    /// The package's last noun: 2 to 30 small letters, digits and `_`, as in `shipping`
    #[arg(value_parser = service_name)]
    name: String,
    /// Root of the source tree [default: the nearest one above this folder]
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self::Service(Service { name, root }) = self;
        let root = match root {
            Some(root) => root,
            None => find_root()?,
        };
        let made = write(&root, &name).map_err(|error| {
            let exit = match error.kind() {
                io::ErrorKind::AlreadyExists => Exit::CheckFailed,
                _ => Exit::Unreachable,
            };
            Failure::new(
                exit,
                format!("service {name} cannot be written below {}", root.display()),
                error,
            )
        })?;
        for path in made {
            output::line(format_args!("wrote {}", path.display()))?;
        }
        output::line(format_args!(
            "\nNext: write the RPCs in the proto (each with policy and shard_key), then their methods in the module; \
             format with `cargo fmt`.\n\
             Try:  cargo run --release, then curl http://127.0.0.1:8080/v1/{name}:ping"
        ))?;
        Ok(Exit::Ok)
    }
}

fn find_root() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(Exit::Unreachable, "the current folder cannot be read", error))?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("server/src/modules.rs").is_file());
    root.map(Path::to_owned).ok_or_else(|| {
        Failure::plain(
            Exit::Unreachable,
            format!("no source tree of millrace at {} or above", here.display()),
        )
        .help("run it in a clone of the repository, or name one with --root")
    })
}

/// Writes the files of a service and the two lines that name it; returns the paths. Every text is made before the first
/// file is touched, new files are never written over old ones, and what a failure leaves undone is taken back: a name
/// that is taken, a tree that is not ours and a full disk change nothing.
fn write(root: &Path, name: &str) -> io::Result<Vec<PathBuf>> {
    let proto = root.join(format!("proto/millrace/{name}/v1/{name}.proto"));
    let module = root.join(format!("server/src/{name}.rs"));
    let package = root.join(format!("proto/millrace/{name}"));
    let (modules, library) = (root.join("server/src/modules.rs"), root.join("server/src/lib.rs"));
    for taken in [&package, &module, &module.with_extension("")] {
        if taken.exists() {
            let problem = format!(
                "{} exists already: choose another name, or move it away",
                taken.display()
            );
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
        }
    }
    let (modules_before, library_before) = (read(&modules)?, read(&library)?);
    let line = format!("        crate::{name}::module(platform),\n");
    let mounted = insert(&modules_before, MARK, &line).ok_or_else(|| {
        let problem = format!(
            "{} has lost the line {MARK:?}: put it below the last module",
            modules.display()
        );
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })?;
    let declared = declare(&library_before, name);

    let written = create(&proto, &fill(PROTO, name))
        .and_then(|()| create(&module, &fill(MODULE, name)))
        .and_then(|()| replace(&library, &declared))
        .and_then(|()| replace(&modules, &mounted));
    if let Err(error) = written {
        // None of these was there before, or it was as it is put back. What cannot be undone, the next call names.
        let _ = fs::remove_dir_all(&package);
        let _ = fs::remove_file(&module);
        let _ = replace(&library, &library_before);
        return Err(error);
    }
    Ok(vec![proto, module, modules, library])
}

/// Fills in a template: `shipping_zones` also becomes `ShippingZones`.
fn fill(template: &str, name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let camel: String = name.split('_').filter(|word| !word.is_empty()).map(capital).collect();
    template.replace("{{name}}", name).replace("{{Name}}", &camel)
}

/// The text with a line before the mark, `None` if the mark is not there.
fn insert(text: &str, mark: &str, line: &str) -> Option<String> {
    let at = text.find(mark)?;
    Some(format!("{}{line}{}", &text[..at], &text[at..]))
}

/// The text of the crate root with the module declared, in the order of the alphabet.
fn declare(text: &str, name: &str) -> String {
    let noun = |line: &str| {
        line.trim_start_matches("pub ")
            .strip_prefix("mod ")
            .map(|rest| rest.trim_end_matches(';').to_owned())
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let later = |line: &&str| noun(line).is_some_and(|other| other.as_str() > name);
    let mut at = lines.iter().position(later).unwrap_or(lines.len());
    // An attribute belongs to the line below it.
    while at > 0 && lines[at - 1].starts_with("#[") {
        at -= 1;
    }
    let line = format!("pub mod {name};");
    lines.insert(at, &line);
    lines.join("\n") + "\n"
}

/// Names the file in an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(at(path))
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    let written = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())
    };
    written().map_err(at(path))
}

/// Replaces a file at once: whoever reads it sees the old text or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("rs.new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| {
            let _ = fs::remove_file(&beside);
            at(path)(error)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with the two files that are changed.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let target = root.path().join("server/src");
        fs::create_dir_all(&target).unwrap();
        for file in ["modules.rs", "lib.rs"] {
            fs::copy(source.join(file), target.join(file)).unwrap();
        }
        root
    }

    /// Every file below a folder with its text.
    fn files(folder: &Path) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path));
            } else {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_service_is_written_once() {
        let root = tree();
        write(root.path(), "shipping_zones").unwrap();
        let text = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
        let modules = text("server/src/modules.rs");
        assert!(
            modules.contains("        crate::shipping_zones::module(platform),\n        //"),
            "{modules}"
        );
        let library = text("server/src/lib.rs");
        assert!(
            library.contains("pub mod settings;\npub mod shipping_zones;\n#[cfg(test)]\nmod testing;\n"),
            "{library}"
        );
        let proto = text("proto/millrace/shipping_zones/v1/shipping_zones.proto");
        assert!(
            proto.contains("service ShippingZonesService {") && !proto.contains("{{"),
            "{proto}"
        );

        // A second call loses nothing of what was made of the first one's files, and a second service loses neither.
        fs::write(root.path().join("server/src/shipping_zones.rs"), "// Our work.\n").unwrap();
        let before = files(root.path());
        let refused = write(root.path(), "shipping_zones").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(
            refused.to_string().contains("proto/millrace/shipping_zones exists"),
            "{refused}"
        );
        assert_eq!(files(root.path()), before);
        write(root.path(), "abroad").unwrap();
        let modules = text("server/src/modules.rs");
        assert!(
            modules.contains("crate::shipping_zones::module(platform),\n        crate::abroad::module(platform),"),
            "{modules}"
        );
    }

    #[test]
    fn a_refused_name_or_tree_leaves_nothing() {
        // What stands in the way, and what the message names.
        type Spoil = fn(&Path);
        let cases: [(&str, Spoil, &str); 6] = [
            ("modules", |_| (), "server/src/modules.rs exists"),
            (
                "dev",
                |root| fs::create_dir_all(root.join("server/src/dev")).unwrap(),
                "server/src/dev exists",
            ),
            (
                "api",
                |root| fs::create_dir_all(root.join("proto/millrace/api")).unwrap(),
                "proto/millrace/api exists",
            ),
            (
                "shipping",
                |root| fs::remove_file(root.join("server/src/lib.rs")).unwrap(),
                "server/src/lib.rs",
            ),
            (
                "shipping",
                |root| fs::write(root.join("server/src/modules.rs"), "vec![]").unwrap(),
                "lost the line",
            ),
            // The last file cannot be written: all before it is taken back.
            (
                "shipping",
                |root| fs::create_dir(root.join("server/src/modules.rs.new")).unwrap(),
                "server/src/modules.rs",
            ),
        ];
        for (name, spoil, part) in cases {
            let root = tree();
            spoil(root.path());
            let before = files(root.path());
            let refused = write(root.path(), name).unwrap_err().to_string();
            assert!(refused.contains(part), "{name}: {refused}");
            assert_eq!(files(root.path()), before, "{name}");
        }
    }
}
