//! What contacts are met with and judged by: lists, rules and allow lists, built from what a use was given.

use crate::config;
use crate::lists::{AllowList, Builder, Lists};
use crate::rules::Rules;
use crate::rules::sigma::Service;
use crate::sink::Printable;

/// Lists, rules and allow lists, ready to be used.
#[derive(Debug)]
pub struct Judging {
    /// Which hostnames are of interest, those that only rules ask for included.
    pub lists: Lists,
    /// What contacts mean.
    pub rules: Rules,
    /// Who may reach what.
    pub allow: AllowList,
    /// How many lines and rules could not be used.
    pub problems: usize,
}

impl Judging {
    /// Builds them; what is wrong is said on standard error.
    pub fn new(wanted: &config::Lists, say: bool) -> Self {
        let judging = Self::build(wanted, &mut |problem| {
            if say {
                eprintln!("undertone: {}", Printable(&problem));
            }
        });
        if say && !wanted.rules.is_empty() {
            eprintln!("undertone: {}", judging.rules.sigma().summed_up());
        }
        judging
    }

    /// Builds them, and tells what is wrong.
    pub fn build(wanted: &config::Lists, tell: &mut dyn FnMut(String)) -> Self {
        let mut problems = 0;
        let mut told = |problem: &dyn std::fmt::Display| {
            problems += 1;
            tell(problem.to_string());
        };
        let files = wanted.rules.iter().map(|file| (file.name.as_str(), file.bytes.as_slice()));
        let rules = Rules::load(wanted.builtin_rules, files);
        for report in rules.sigma().reports() {
            if matches!(report.service, Service::Refused(_)) {
                told(report);
            }
        }
        let mut builder = if wanted.builtin { Builder::with_builtin() } else { Builder::new() };
        for file in &wanted.files {
            builder.add(&file.name, &file.bytes).iter().for_each(|problem| told(problem));
        }
        builder.want(rules.sigma().wanted());
        let lists = builder.build();
        let mut allow = AllowList::new();
        for file in &wanted.allow {
            allow.add(&file.name, &file.bytes, &lists).iter().for_each(|problem| told(problem));
        }
        Self { lists, rules, allow, problems }
    }
}
