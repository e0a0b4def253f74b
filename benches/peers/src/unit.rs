//! What is measured: ours, the limits and the peers, each described by `units.json` in a folder of this package.

mod stream;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::child::{Start, free_address, is_program};
use crate::load::Door;
use crate::servers::backend::Schema;
use crate::workload::Cell;
pub(crate) use stream::Stream;

/// The folders, in the order of the table.
const FOLDERS: [&str; 9] = [
    "millrace-gateway",
    "in-process",
    "limits",
    "structured-proxy",
    "grpc-gateway",
    "envoy",
    "vanguard",
    "haproxy",
    "native",
];

/// One line of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    /// As on the command line and in the table.
    pub(crate) name: String,
    /// The version that its `install.sh` installs, or where the version comes from.
    pub(crate) version: String,
    /// What it is called over.
    pub(crate) door: Door,
    /// What is behind it.
    pub(crate) upstream: Upstream,
    /// Where its program may be; the first that is there.
    binary: Vec<String>,
    /// Program and arguments, with placeholders.
    start: Vec<String>,
    /// Variables, with placeholders.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Program and arguments that print the version.
    #[serde(default)]
    show_version: Vec<String>,
    /// Connections for 16 calls at once; otherwise 16 over HTTP/1.1 and 4 over HTTP/2.
    #[serde(default)]
    pub(crate) connections: Option<usize>,
    /// The calls that it is measured with.
    pub(crate) cells: Vec<Cell>,
    /// How it answers streams, if it does.
    #[serde(default)]
    pub(crate) stream: Option<Stream>,
    /// The schema that it is given for the calls, and by reflection.
    #[serde(default)]
    pub(crate) schema: SchemaName,
    /// Whether it takes any descriptors, so that its memory with ten services can be told.
    #[serde(default)]
    pub(crate) any_schema: bool,
    /// Leaves it out of the table of start and memory: another unit is the same there.
    #[serde(default)]
    pub(crate) only_calls: bool,
    /// Measured at a fixed rate too.
    #[serde(default)]
    pub(crate) open_loop: bool,
    /// What a reader has to know.
    #[serde(default)]
    pub(crate) note: String,
    /// The folder that it is described in.
    #[serde(skip)]
    folder: PathBuf,
}

/// What a unit calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Upstream {
    /// The gRPC backend.
    Grpc,
    /// The server that answers stored JSON.
    Plain,
    /// It is the backend.
    None,
}

/// [`Schema`], as in the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SchemaName {
    /// One service.
    #[default]
    Orders,
    /// 10,000 routes.
    Routes,
}

impl From<SchemaName> for Schema {
    fn from(name: SchemaName) -> Self {
        match name {
            SchemaName::Orders => Self::Orders,
            SchemaName::Routes => Self::Routes,
        }
    }
}

/// Where things are.
#[derive(Debug)]
pub(crate) struct Places {
    /// The folder of this package, with those of the units.
    pub(crate) package: PathBuf,
    /// Where the install scripts install.
    pub(crate) tools: PathBuf,
    /// This program.
    pub(crate) own: PathBuf,
    /// Our gateway, if it is not beside this program.
    pub(crate) gateway: Option<PathBuf>,
    /// For files that are made.
    pub(crate) work: PathBuf,
}

/// All units, found or not.
///
/// # Errors
///
/// A description cannot be read.
pub(crate) fn all(places: &Places) -> io::Result<Vec<Unit>> {
    let mut units = Vec::new();
    for folder in FOLDERS {
        let folder = places.package.join(folder);
        let file = folder.join("units.json");
        let told = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", file.display()));
        let text = fs::read_to_string(&file).map_err(|error| told(&error))?;
        let found: Vec<Unit> = serde_json::from_str(&text).map_err(|error| told(&error))?;
        units.extend(found.into_iter().map(|unit| Unit {
            folder: folder.clone(),
            ..unit
        }));
    }
    Ok(units)
}

/// How a unit is started this time.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it calls.
    pub(crate) upstream: SocketAddr,
    /// Its descriptors.
    pub(crate) schema: Schema,
    /// Its core.
    pub(crate) core: Option<usize>,
}

impl Unit {
    /// Its program, if it is there.
    pub(crate) fn program(&self, places: &Places) -> Option<PathBuf> {
        let paths = self.binary.iter().map(|path| self.placed(path, places));
        paths.map(PathBuf::from).find(|path| is_program(path))
    }

    /// Why it is not there, and what would change it.
    pub(crate) fn absence(&self, places: &Places) -> String {
        let paths: Vec<_> = self.binary.iter().map(|path| self.placed(path, places)).collect();
        let script = self.folder.join("install.sh");
        let remedy = if script.exists() {
            let peer = self.folder.file_name().unwrap_or_default().to_string_lossy();
            format!("benches/peers/{peer}/install.sh {}", places.tools.display())
        } else {
            "cargo build --profile dist -p millrace-gateway".to_owned()
        };
        format!("not found at {}; install it with `{remedy}`", paths.join(" or "))
    }

    /// What is to be started.
    ///
    /// # Errors
    ///
    /// Its configuration cannot be written.
    pub(crate) fn start(&self, program: &Path, places: &Places, setup: &Setup) -> io::Result<Start> {
        let descriptors = places.work.join(format!("{:?}.binpb", setup.schema));
        fs::write(&descriptors, setup.schema.descriptors())?;
        let admin = free_address()?;
        let values = [
            ("{binary}", program.display().to_string()),
            ("{listen}", setup.address.to_string()),
            ("{port}", setup.address.port().to_string()),
            ("{admin}", admin.to_string()),
            ("{admin_port}", admin.port().to_string()),
            ("{upstream}", setup.upstream.to_string()),
            ("{upstream_port}", setup.upstream.port().to_string()),
            ("{descriptors}", descriptors.display().to_string()),
            ("{work}", places.work.display().to_string()),
        ];
        let filled = |text: &str| {
            values
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        let mut command = Vec::new();
        for word in &self.start {
            // A file of the folder, with its own placeholders filled.
            let word = match word.strip_prefix("{file:").and_then(|word| word.strip_suffix('}')) {
                Some(file) => {
                    let made = places.work.join(format!("{}-{file}", self.name.replace(' ', "-")));
                    fs::write(&made, filled(&fs::read_to_string(self.folder.join(file))?))?;
                    made.into_os_string()
                }
                None => OsString::from(filled(word)),
            };
            command.push(word);
        }
        let environment = self
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), filled(value)));
        Ok(Start {
            command,
            environment: environment.collect(),
            core: setup.core,
            log: places.work.join(format!("{}.log", self.name.replace(' ', "-"))),
        })
    }

    /// The version, as the program tells it, beside the one that the folder names.
    pub(crate) fn told_version(&self, program: &Path) -> String {
        let Some((first, rest)) = self.show_version.split_first() else {
            return self.version.clone();
        };
        let name = first.replace("{binary}", &program.display().to_string());
        let rest = rest
            .iter()
            .map(|word| word.replace("{binary}", &program.display().to_string()));
        let output = Command::new(name).args(rest).output();
        let told = output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        if told.contains(&self.version) {
            return self.version.clone();
        }
        let line = told.lines().next().unwrap_or_default();
        format!("{} (it says {:?})", self.version, line.trim())
    }

    /// What its REST calls accept.
    pub(crate) fn accept(&self, cell: Cell) -> &str {
        match &self.stream {
            Some(stream) if cell == Cell::Stream => &stream.accept,
            _ => "application/json",
        }
    }

    fn placed(&self, path: &str, places: &Places) -> String {
        let beside = places.own.parent().unwrap_or(Path::new("."));
        let gateway = places
            .gateway
            .clone()
            .unwrap_or_else(|| beside.join("millrace-gateway"));
        path.replace("{tools}", &places.tools.display().to_string())
            .replace("{self}", &places.own.display().to_string())
            .replace("{gateway}", &gateway.display().to_string())
    }
}

/// Names of units, of which each has to be known.
///
/// # Errors
///
/// One is not.
pub(crate) fn chosen(units: Vec<Unit>, names: &[String]) -> Result<Vec<Unit>, String> {
    if names.is_empty() {
        return Ok(units);
    }
    if let Some(unknown) = names.iter().find(|name| !units.iter().any(|unit| unit.name == **name)) {
        let known: Vec<_> = units.iter().map(|unit| unit.name.as_str()).collect();
        return Err(format!("no unit {unknown:?}; there are: {}", known.join(", ")));
    }
    Ok(units.into_iter().filter(|unit| names.contains(&unit.name)).collect())
}
