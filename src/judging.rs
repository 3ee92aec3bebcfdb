//! What contacts are met with and judged by: lists, rules and allow lists, built from what a use was given.

use crate::config;
use crate::lists::{AllowList, Builder, Lists, Problem};
use crate::rules::Rules;
use crate::rules::sigma::Service;
use crate::runtime::both;
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
    /// Builds them, with a second thread where `at_once`; what is wrong is said on standard error. What was opened or read of lists and
    /// rules is given up with that.
    pub fn new(wanted: &mut config::Lists, at_once: bool, say: bool) -> Self {
        let judging = Self::build(wanted, at_once, &mut |problem| {
            if say {
                eprintln!("undertone: {}", Printable(&problem));
            }
        });
        if say && !wanted.rules.is_empty() {
            eprintln!("undertone: {}", judging.rules.sigma().summed_up());
        }
        judging
    }

    /// Builds them, with a second thread where `at_once`, and tells what is wrong.
    pub fn build(wanted: &mut config::Lists, at_once: bool, tell: &mut dyn FnMut(String)) -> Self {
        let mut problems = 0;
        let mut told = |problem: &dyn std::fmt::Display| {
            problems += 1;
            tell(problem.to_string());
        };
        let config::Lists { builtin, files, builtin_rules, rules, allow: of_allow } = wanted;
        let texts = rules.iter().map(|file| (file.name.as_str(), file.bytes.as_slice()));
        let (loaded, (mut builder, of_lists)) = both(
            at_once,
            || Rules::load(*builtin_rules, texts),
            || {
                let mut builder = if *builtin { Builder::with_builtin() } else { Builder::new() };
                let problems: Vec<Problem> =
                    files.iter_mut().flat_map(|file| file.add_to(&mut builder)).collect();
                (builder, problems)
            },
        );
        rules.iter_mut().for_each(|file| file.bytes = Vec::new());
        let rules = loaded;
        for report in rules.sigma().own_reports() {
            if matches!(report.service, Service::Refused(_)) {
                told(report);
            }
        }
        of_lists.iter().for_each(|problem| told(problem));
        builder.want(rules.sigma().wanted());
        let lists = builder.build();
        let mut allow = AllowList::new();
        for file in of_allow {
            let bytes = std::mem::take(&mut file.bytes);
            allow.add(&file.name, bytes, &lists).iter().for_each(|problem| told(problem));
        }
        Self { lists, rules, allow, problems }
    }
}
