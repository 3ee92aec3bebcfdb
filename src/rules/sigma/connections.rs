//! Rules that ask for no hostname, over every connection whose process is known.

use rsigma_eval::CompiledRule;
use rsigma_parser::SigmaRule;
use rustc_hash::FxHashMap;

use super::anchors::{self, Anchors};

/// The rules, found by what a connection must have for them to be asked.
#[derive(Default)]
pub(super) struct OnConnections {
    rules: Vec<Free>,
    by_file: FxHashMap<Box<str>, Vec<u32>>,
    by_port: FxHashMap<u16, Vec<u32>>,
    /// Those that nothing tells from any connection.
    always: Vec<u32>,
}

/// A rule.
pub(super) struct Free {
    /// Its place among the loaded rules.
    pub(super) loaded: usize,
    pub(super) rule: CompiledRule,
}

impl OnConnections {
    pub(super) fn add(&mut self, loaded: usize, rule: &SigmaRule, compiled: CompiledRule) {
        let Ok(place) = u32::try_from(self.rules.len()) else { return };
        self.rules.push(Free { loaded, rule: compiled });
        match anchors::of(rule) {
            Some(Anchors { files, ports }) => {
                for file in files {
                    self.by_file.entry(file.into_boxed_str()).or_default().push(place);
                }
                for port in ports {
                    self.by_port.entry(port).or_default().push(place);
                }
            }
            None => self.always.push(place),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Those that are worth asking of a connection to this port by a process of this file, each once, in the order in which they were
    /// loaded.
    pub(super) fn candidates(&self, image: &str, port: u16) -> Vec<&Free> {
        let file = image.rsplit(['\\', '/']).next().unwrap_or(image).to_lowercase();
        let by_file = self.by_file.get(file.as_str()).into_iter().flatten();
        let by_port = self.by_port.get(&port).into_iter().flatten();
        let mut places: Vec<u32> = by_file.chain(by_port).chain(&self.always).copied().collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.rules.get(place as usize)).collect()
    }
}
