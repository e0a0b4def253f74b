//! `millrace new service NAME`: writes what a new service is made of, into the source tree.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, Failure, output};

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

/// Rust's keywords of small letters, the reserved ones included: no module can have such a name.
const KEYWORDS: [&str; 50] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while",
];

fn service_name(text: &str) -> Result<String, String> {
    let good = (2..=30).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !text.ends_with('_')
        && !text.contains("__");
    if good && KEYWORDS.contains(&text) {
        Err(format!(
            "`{text}` is a word of Rust, and the module is named after the service; choose another"
        ))
    } else if good {
        Ok(text.to_owned())
    } else {
        Err("use 2 to 30 small letters, digits and `_`, as in `shipping`".to_owned())
    }
}

impl New {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Self::Service(Service { name, root }) = self;
        let root = match root {
            Some(root) => root,
            None => find_root()?,
        };
        let made = write(&root, &name).map_err(|error| {
            Failure::new(
                Exit::Unreachable,
                format!("service {name} cannot be written below {}", root.display()),
                error,
            )
        })?;
        for path in made {
            output::line(format_args!("wrote {}", path.display()))?;
        }
        output::line(format_args!(
            "\nNext: write the RPCs in the proto (each with policy and shard_key), then their methods in the module.\n\
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

/// Writes the files of a service and the two lines that name it; returns the paths. New files are made first, and never
/// over old ones, so that a name that is taken changes nothing.
fn write(root: &Path, name: &str) -> io::Result<Vec<PathBuf>> {
    let proto = root.join(format!("proto/millrace/{name}/v1/{name}.proto"));
    let module = root.join(format!("server/src/{name}.rs"));
    let package = root.join(format!("proto/millrace/{name}"));
    let (modules, library) = (root.join("server/src/modules.rs"), root.join("server/src/lib.rs"));
    let mounted = insert(&modules, MARK, &format!("        crate::{name}::module(platform),\n"))?;
    let declared = declare(&library, name)?;

    if module.exists() || package.exists() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("there is a {name} already"),
        ));
    }
    create(&proto, &fill(PROTO, name))?;
    create(&module, &fill(MODULE, name))?;
    fs::write(&modules, mounted)?;
    fs::write(&library, declared)?;
    Ok(vec![proto, module, modules, library])
}

/// Fills in a template: `shipping_zones` also becomes `ShippingZones`.
fn fill(template: &str, name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let camel: String = name.split('_').filter(|word| !word.is_empty()).map(capital).collect();
    template.replace("{{name}}", name).replace("{{Name}}", &camel)
}

/// The text of a file with a line before the mark.
fn insert(path: &Path, mark: &str, line: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let missing = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} has lost its mark", path.display()),
        )
    };
    let at = text.find(mark).ok_or_else(missing)?;
    Ok(format!("{}{line}{}", &text[..at], &text[at..]))
}

/// The text of the crate root with the module declared, in the order of the alphabet.
fn declare(path: &Path, name: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
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
    Ok(lines.join("\n") + "\n")
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_nouns_of_packages() {
        for (name, good) in [
            ("shipping", true),
            ("shipping_zones", true),
            ("v2", true),
            ("Shipping", false),
            ("s", false),
            ("2shipping", false),
            ("shipping-zones", false),
            ("shipping_", false),
            ("../x", false),
            ("match", false),
        ] {
            assert_eq!(service_name(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_service_is_written_once() {
        let root = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let target = root.path().join("server/src");
        fs::create_dir_all(&target).unwrap();
        for file in ["modules.rs", "lib.rs"] {
            fs::copy(source.join(file), target.join(file)).unwrap();
        }
        write(root.path(), "shipping_zones").unwrap();
        let modules = fs::read_to_string(target.join("modules.rs")).unwrap();
        assert!(
            modules.contains("        crate::shipping_zones::module(platform),\n        //"),
            "{modules}"
        );
        let library = fs::read_to_string(target.join("lib.rs")).unwrap();
        assert!(
            library.contains("pub mod settings;\npub mod shipping_zones;\n#[cfg(test)]\nmod testing;\n"),
            "{library}"
        );
        let proto = fs::read_to_string(
            root.path()
                .join("proto/millrace/shipping_zones/v1/shipping_zones.proto"),
        )
        .unwrap();
        assert!(
            proto.contains("service ShippingZonesService {") && !proto.contains("{{"),
            "{proto}"
        );

        assert!(write(root.path(), "shipping_zones").is_err());
        assert_eq!(fs::read_to_string(target.join("modules.rs")).unwrap(), modules);
    }
}
