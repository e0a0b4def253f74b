//! Asks for everything that a server offers: the files of its services, then, level by level, what they import.

use std::collections::{BTreeMap, BTreeSet};

use super::descriptor::{File, is_full_name};
use super::link::link;
use super::session::{Answer, Question, Session, malformed};
use super::{Fetched, Limits, ReflectionError, Refusal, bundled, is_exposed, shown};
use crate::gateway::GrpcService;

/// The files so far.
pub(super) struct Collected<'l> {
    limits: &'l Limits,
    pub(super) files: BTreeMap<String, File>,
    /// Names of files whose imports were not looked at.
    fresh: Vec<String>,
    bytes: usize,
    types: usize,
    members: usize,
    pub(super) warnings: Vec<String>,
}

/// Everything, in order.
pub(super) async fn collect(service: GrpcService, limits: &Limits) -> Result<Fetched, ReflectionError> {
    let (mut session, listed) = Session::start(service, limits).await?;
    let mut collected = Collected::new(limits);
    let listed = collected.services(&listed)?;
    let refused = collected.ask_for_services(&mut session, &listed).await?;
    collected.ask_for_imports(&mut session).await?;
    drop(session);

    let defined = collected.files.values().flat_map(|file| &file.services);
    let defined: BTreeSet<String> = defined.cloned().collect();
    let (services, unresolved): (BTreeSet<_>, BTreeSet<_>) =
        listed.into_iter().partition(|name| defined.contains(name));
    let why = |name: &String| match refused.get(name) {
        Some(refusal) => format!("the server lists {name}, but has no descriptor of it: {refusal}"),
        None => format!("the server lists {name}, but the file that it gives for it does not define it"),
    };
    if services.is_empty() {
        return Err(ReflectionError::NoServices {
            why: unresolved.first().map(why),
        });
    }
    collected.warnings.extend(unresolved.iter().map(why));
    let descriptor_set = link(&mut collected, &services, limits)?;
    Ok(Fetched {
        descriptor_set,
        services: services.into_iter().collect(),
        warnings: collected.warnings,
    })
}

impl<'l> Collected<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            files: BTreeMap::new(),
            fresh: Vec::new(),
            bytes: 0,
            types: 0,
            members: 0,
            warnings: Vec::new(),
        }
    }

    /// The services to ask for, sorted, each once.
    fn services(&mut self, listed: &Answer) -> Result<Vec<String>, ReflectionError> {
        let mut services = BTreeSet::new();
        for (count, name) in listed.services().enumerate() {
            let name = name.map_err(|_| malformed(&Question::Services))?;
            self.within("services", count + 1, self.limits.services)?;
            if !is_full_name(name) {
                let warning = format!("the server lists `{}`, which is no name of a service", shown(name));
                self.warnings.push(warning);
            } else if is_exposed(name) {
                services.insert(name.to_owned());
            }
        }
        Ok(services.into_iter().collect())
    }

    /// Asks for the files of the services; returns which the server does not have, and its words.
    async fn ask_for_services(
        &mut self,
        session: &mut Session,
        services: &[String],
    ) -> Result<BTreeMap<String, Refusal>, ReflectionError> {
        let mut refused = BTreeMap::new();
        let questions = services.iter().cloned().map(Question::FileOfSymbol);
        let taken = session.ask(questions, |question, answer| {
            match answer {
                Ok(answer) => self.take(question, &answer)?,
                Err(refusal) => {
                    if let Question::FileOfSymbol(name) = question {
                        refused.insert(name.clone(), refusal);
                    }
                }
            }
            Ok(())
        });
        taken.await?;
        Ok(refused)
    }

    /// Asks for imports, and for what those import, until nothing new is named.
    async fn ask_for_imports(&mut self, session: &mut Session) -> Result<(), ReflectionError> {
        let mut asked = BTreeSet::new();
        for _ in 0..=self.limits.depth {
            let wanted = self.unknown_imports(&asked);
            if wanted.is_empty() {
                return Ok(());
            }
            self.within("files", self.files.len() + wanted.len(), self.limits.files)?;
            asked.extend(wanted.iter().cloned());
            let questions = wanted.into_iter().map(Question::FileNamed);
            let taken = session.ask(questions, |question, answer| {
                if let Ok(answer) = answer {
                    self.take(question, &answer)?;
                }
                // Not there, or another file than the one that was asked for.
                if let Question::FileNamed(name) = question
                    && !self.files.contains_key(name)
                    && let Some(file) = bundled::file(name)
                {
                    self.add(question, file)?;
                }
                Ok(())
            });
            taken.await?;
        }
        self.within("imports in a row", self.limits.depth + 1, self.limits.depth)
    }

    fn unknown_imports(&mut self, asked: &BTreeSet<String>) -> BTreeSet<String> {
        let fresh = std::mem::take(&mut self.fresh);
        let files = fresh.iter().filter_map(|name| self.files.get(name));
        let named = files.flat_map(|file| {
            let imports = file.imports.iter().map(|import| &import.name);
            imports.chain(&file.option_imports)
        });
        let unknown = named.filter(|name| !self.files.contains_key(*name) && !asked.contains(*name));
        unknown.cloned().collect()
    }

    fn take(&mut self, question: &Question, answer: &Answer) -> Result<(), ReflectionError> {
        for file in answer.files() {
            self.add(question, file.map_err(|_| malformed(question))?)?;
        }
        Ok(())
    }

    /// Adds a file. The same bytes again are nothing new; servers send imports with each file that has them.
    pub(super) fn add(&mut self, question: &Question, bytes: &[u8]) -> Result<(), ReflectionError> {
        self.within("bytes of one file", bytes.len(), self.limits.file_bytes)?;
        let file = File::read(bytes).map_err(|_| ReflectionError::Malformed {
            asked: question.to_string(),
            problem: "not a file descriptor",
        })?;
        match self.files.get(&file.name) {
            Some(known) if known.bytes == file.bytes => return Ok(()),
            Some(_) => return Err(ReflectionError::TwoVersions { file: file.name }),
            None => {}
        }
        self.bytes += bytes.len();
        self.types += file.types;
        self.members += file.members;
        self.within("files", self.files.len() + 1, self.limits.files)?;
        self.within("bytes of all files", self.bytes, self.limits.total_bytes)?;
        self.within("messages, enums and services", self.types, self.limits.types)?;
        self.within(
            "fields, enum values, methods and imports",
            self.members,
            self.limits.members,
        )?;
        self.fresh.push(file.name.clone());
        self.files.insert(file.name.clone(), file);
        Ok(())
    }

    fn within(&self, what: &'static str, count: usize, max: usize) -> Result<(), ReflectionError> {
        if count > max {
            return Err(ReflectionError::TooLarge { what, max });
        }
        Ok(())
    }
}
