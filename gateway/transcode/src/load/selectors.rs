//! Which RPC a rule beside the schema and an override mean.

use std::collections::{HashMap, HashSet};

use prost_reflect::{DynamicMessage, MethodDescriptor};

use super::LoadError;
use crate::method::Method;
use crate::rule::{self, HttpRule};
use crate::settings::Options;
use crate::suggest;

/// That every rule beside the schema and every override selects something, and that what they say can be.
pub(super) fn check(descriptors: &[MethodDescriptor], options: &Options) -> Result<(), LoadError> {
    let names: HashSet<&str> = descriptors.iter().map(MethodDescriptor::full_name).collect();
    let is_lost = |selector: &str| {
        !options.selectors_unmatched_ignored
            && match selector.ends_with('*') {
                true => !names.iter().any(|name| rule::selects(selector, name)),
                false => !names.contains(selector),
            }
    };
    if let Some(rule) = options.rules.iter().find(|rule| is_lost(&rule.selector)) {
        return Err(LoadError::Selector {
            selector: rule.selector.clone(),
            near: near(&rule.selector, &names),
        });
    }
    for (selector, changed) in &options.overrides {
        if is_lost(selector) {
            return Err(LoadError::OverrideSelector {
                selector: selector.clone(),
                near: near(selector, &names),
            });
        }
        if let Some(code) = changed.success_code.filter(|code| !(200..300).contains(code)) {
            return Err(LoadError::SuccessCode {
                selector: selector.clone(),
                code,
            });
        }
    }
    Ok(())
}

/// A selector of the same form that is near, and selects something.
fn near(selector: &str, names: &HashSet<&str>) -> Option<String> {
    let Some(scope) = selector.strip_suffix(".*") else {
        return suggest::nearest_name(selector, names.iter().copied()).map(str::to_owned);
    };
    let scopes = names
        .iter()
        .flat_map(|name| name.match_indices('.').map(|(dot, _)| &name[..dot]));
    suggest::nearest_name(scope, scopes).map(|near| format!("{near}.*"))
}

/// The rules beside the schema, so that those of each RPC are found without a look at all others.
pub(super) struct RulesBeside<'r> {
    rules: &'r [HttpRule],
    /// The last rule that selects an RPC by its whole name.
    by_name: HashMap<&'r str, usize>,
    /// Rules that may select several.
    patterns: Vec<usize>,
}

impl<'r> RulesBeside<'r> {
    pub(super) fn new(rules: &'r [HttpRule]) -> Self {
        let (mut by_name, mut patterns) = (HashMap::new(), Vec::new());
        for (at, rule) in rules.iter().enumerate() {
            match rule.selector.ends_with('*') {
                true => patterns.push(at),
                false => drop(by_name.insert(rule.selector.as_str(), at)),
            }
        }
        Self {
            rules,
            by_name,
            patterns,
        }
    }

    /// Of several rules for one RPC the last.
    fn find(&self, name: &str) -> Option<&'r HttpRule> {
        let by_pattern = self.patterns.iter().rev().find(|at| self.rules[**at].selects(name));
        let last = self.by_name.get(name).max(by_pattern)?;
        Some(&self.rules[*last])
    }
}

/// The rule of an RPC: beside the schema, else annotated, else its gRPC path if that is asked for.
pub(super) fn rule_of(beside: &RulesBeside<'_>, method: &Method, declared: &DynamicMessage) -> Option<HttpRule> {
    let beside = beside.find(method.descriptor().full_name());
    let annotated = || HttpRule::of(declared);
    let by_name = || method.settings().rpc_path.then(|| HttpRule::by_name(method));
    beside.cloned().or_else(annotated).or_else(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rule;

    #[test]
    fn of_several_rules_for_an_rpc_the_last_counts() {
        let by_name = rule("Library.Internal", "GET /by/name", "");
        let mut pattern = rule("Library.Internal", "GET /by/pattern", "");
        let rules = vec![by_name.clone(), rule("Library.Internal", "GET /by/name/too", "")];
        let beside = RulesBeside::new(&rules);
        assert_eq!(beside.find("shapes.v1.Library.Internal").unwrap().path, "/by/name/too");
        pattern.selector = "shapes.v1.Library.*".to_owned();
        for (rules, expected) in [
            (vec![by_name.clone(), pattern.clone()], "/by/pattern"),
            (vec![pattern, by_name], "/by/name"),
        ] {
            let beside = RulesBeside::new(&rules);
            assert_eq!(beside.find("shapes.v1.Library.Internal").unwrap().path, expected);
            assert!(beside.find("other.Service.Call").is_none());
        }
    }
}
