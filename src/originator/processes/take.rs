//! What a record says of a process is put to what is known of it: which it is by its identity, and which value of each field stands.

use super::super::clocks::Times;
use super::super::hosts::HostId;
use super::super::record;
use super::super::texts::{TextId, Texts, file_name};
use super::{
    Began, Entity, Field, Identity, Made, Mention, ParentRef, ProcessId, Processes, SECOND, Source, Value,
    number,
};

impl Processes {
    /// The most processes with one number on one host that are looked through: nobody's numbers recur as often in a day.
    const MOST_OF_A_NUMBER: usize = 4096;

    /// Takes what a record says of a process. Gives whom it is about.
    pub(in crate::originator) fn take(
        &mut self,
        host: HostId,
        process: &record::Process<'_>,
        source: Source,
        times: &Times,
        kind: Option<TextId>,
        texts: &mut Texts,
    ) -> Mention {
        let again = self.again(host, process, texts);
        let key = match again {
            Some((_, key)) => Some(key),
            None => process.key.as_deref().and_then(|key| texts.keep_lower(key)),
        };
        // What the process is known by mostly says it: then it need not be looked for among all texts.
        let known = again.and_then(|(id, _)| self.entity_of(id));
        let known = known.map_or([None; Field::ALL.len()], |entity| entity.values);
        let keep = |field: Field, text: Option<&str>, texts: &mut Texts| {
            let text = text?;
            let same = known.get(field as usize).copied().flatten().map(|known| known.text);
            if let Some(same) = same.filter(|same| texts.get(*same) == text) {
                return Some(same);
            }
            texts.keep_up_to(text, field.longest())
        };
        let image = keep(Field::Image, process.image.as_deref(), texts);
        let name = keep(Field::Name, process.name.as_deref(), texts);
        let order = times.order().at.as_nanos();
        let id = match again {
            Some((id, _)) => Some(id),
            None => {
                let identity = match (key, process.pid) {
                    (Some(key), pid) => Some(Identity::Key(host, key, pid)),
                    (None, Some(pid)) if source == Source::Start => Some(Identity::Started(host, pid, order)),
                    (None, Some(pid)) if source != Source::End => {
                        let file = image.or(name).map(|file| file_name(texts.get(file)).to_owned());
                        Some(Identity::Named(host, pid, file.and_then(|file| texts.keep_lower(&file))))
                    }
                    (None, _) => None,
                };
                let Some(identity) = identity else {
                    if source == Source::End
                        && let Some(pid) = process.pid
                    {
                        self.ends.entry((host, pid)).or_default().push((order, event_time(times)));
                    }
                    return Mention { host, pid: process.pid, process: None };
                };
                self.entity(identity, host, process.pid, key)
            }
        };
        let Some(id) = id else {
            return Mention { host, pid: process.pid, process: None };
        };
        let parent = process.parent.as_ref().and_then(|parent| self.parent(host, parent, times, texts));
        let Some(entity) = self.all.get_mut(id.0 as usize) else {
            return Mention { host, pid: process.pid, process: None };
        };
        if let Some(made) = self.made.get_mut(id.0 as usize) {
            *made = Made::default();
        }
        let began = match (source, process.started) {
            (Source::Start, _) => Some(Began::Told(event_time(times))),
            (_, Some(started)) => Some(Began::Said(started.at.as_nanos())),
            (_, None) if key.is_some() && entity.key_read => None,
            (_, None) => {
                entity.key_read = true;
                process.key.as_deref().and_then(guid_time).map(Began::Said)
            }
        };
        match source {
            Source::Start => {
                entity.began_order = least(entity.began_order, Some(order));
                entity.start_kind = entity.start_kind.max_by_text(kind, texts);
            }
            Source::End => {
                entity.ended = least(entity.ended, Some(event_time(times)));
                entity.ended_order = least(entity.ended_order, Some(order));
            }
            Source::Mention | Source::Child => {}
        }
        entity.heard = entity.heard.max(order);
        // The least: what is told goes before what is said, the earlier before the later.
        entity.began = entity.began.into_iter().chain(began).min();
        if let Some(parent) = parent
            && entity.parent.is_none_or(|known| (parent.at, parent.pid) < (known.at, known.pid))
        {
            entity.parent = Some(parent);
        }
        entity.set(Field::Image, image, source, order, texts);
        entity.set(Field::Name, name, source, order, texts);
        for (field, text) in [
            (Field::OriginalName, &process.original_name),
            (Field::CommandLine, &process.command_line),
            (Field::Directory, &process.directory),
            (Field::User, &process.user),
            (Field::Sha256, &process.sha256),
            (Field::Sha1, &process.sha1),
            (Field::Md5, &process.md5),
            (Field::Signer, &process.signer),
            (Field::Integrity, &process.integrity),
            (Field::Container, &process.container),
            (Field::ContainerName, &process.container_name),
            (Field::Pod, &process.pod),
        ] {
            if let Some(text) = text {
                entity.set(field, keep(field, Some(text), texts), source, order, texts);
            }
        }
        Mention { host, pid: process.pid, process: Some(id) }
    }

    /// The process with this identity and number, and its identity, if it was heard of: by its number, of which a host has few.
    fn again(
        &self,
        host: HostId,
        process: &record::Process<'_>,
        texts: &Texts,
    ) -> Option<(ProcessId, TextId)> {
        const FEW: usize = 4;
        let (said, pid) = (process.key.as_deref()?, process.pid?);
        let of_number = self.by_pid.get(&(host, pid))?;
        of_number.iter().rev().take(FEW).find_map(|id| {
            let key = self.entity_of(*id)?.key?;
            (texts.get(key) == said).then_some((*id, key))
        })
    }

    fn entity(
        &mut self,
        identity: Identity,
        host: HostId,
        pid: Option<u32>,
        key: Option<TextId>,
    ) -> Option<ProcessId> {
        if let Some(known) = self.known.get(&identity) {
            return Some(*known);
        }
        let of_number = pid.and_then(|pid| self.by_pid.get(&(host, pid))).map_or(0, Vec::len);
        if self.all.len() >= self.most || of_number >= Self::MOST_OF_A_NUMBER {
            self.given_up += 1;
            return None;
        }
        let id = ProcessId(self.all.len() as u32);
        self.all.push(Entity {
            host,
            pid,
            key,
            values: [None; Field::ALL.len()],
            began: None,
            key_read: false,
            began_order: None,
            ended: None,
            ended_order: None,
            parent: None,
            start_kind: None,
            heard: i64::MIN,
        });
        self.made.push(Made::default());
        self.known.insert(identity, id);
        if let Some(pid) = pid {
            self.by_pid.entry((host, pid)).or_default().push(id);
        }
        match (pid, key, &mut self.numbered) {
            (Some(_), Some(key), Some(numbered)) => number(numbered, (host, key), id),
            (None, Some(_), None) => self.number_all(),
            _ => {}
        }
        Some(id)
    }

    fn parent(
        &mut self,
        host: HostId,
        parent: &record::Parent<'_>,
        times: &Times,
        texts: &mut Texts,
    ) -> Option<ParentRef> {
        let at = times.order().at.as_nanos();
        let said = record::Process {
            pid: parent.pid,
            key: parent.key.clone(),
            image: parent.image.clone(),
            name: parent.name.clone(),
            command_line: parent.command_line.clone(),
            user: parent.user.clone(),
            started: parent.started.map(|at| record::Time { at, clock: record::Clock::Event }),
            ..record::Process::default()
        };
        let mention = self.take(host, &said, Source::Child, times, None, texts);
        let known = mention.process.is_some() || parent.pid.is_some();
        known.then_some(ParentRef { at, pid: parent.pid, process: mention.process })
    }
}

impl Entity {
    /// Takes a value for a field, unless what is there stands before it.
    fn set(&mut self, field: Field, text: Option<TextId>, source: Source, at: i64, texts: &Texts) {
        let Some(text) = text else { return };
        let Some(known) = self.values.get_mut(field as usize) else { return };
        let is_better = known.is_none_or(|known| {
            // A file's path says more than its name alone.
            let is_path = |text| texts.get(text).contains(['\\', '/']);
            let (one, other) = ((source, at), (known.source, known.at));
            match field {
                _ if text == known.text => one > other,
                Field::Image if is_path(text) != is_path(known.text) => is_path(text),
                _ if one == other => texts.get(text) < texts.get(known.text),
                _ => one > other,
            }
        });
        if is_better {
            *known = Some(Value { source, at, text });
        }
    }
}

trait Pick {
    fn max_by_text(self, other: Self, texts: &Texts) -> Self;
}

impl Pick for Option<TextId> {
    fn max_by_text(self, other: Self, texts: &Texts) -> Self {
        let text = |id: Self| id.map(|id| texts.get(id));
        if text(other) > text(self) { other } else { self }
    }
}

fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// When it happened, by the host's clock where the record has that.
fn event_time(times: &Times) -> i64 {
    times.of(record::Clock::Event).unwrap_or_else(|| times.order().at).as_nanos()
}

/// The second in which a process began, which Sysmon writes into its GUID: `365abb72-6759-5cd8-…` holds 0x5cd86759.
fn guid_time(guid: &str) -> Option<i64> {
    let guid = guid.trim_start_matches('{');
    let is_dash = |at: usize| guid.as_bytes().get(at) == Some(&b'-');
    // Five parts make it a GUID; other identities look like this only by chance.
    if ![8, 13, 18, 23].into_iter().all(is_dash) || guid.len() < 36 || (24..36).any(is_dash) {
        return None;
    }
    let number = |at: std::ops::Range<usize>| i64::from_str_radix(guid.get(at)?, 16).ok();
    let (_, low, high) = (number(0..8)?, number(9..13)?, number(14..18)?);
    let seconds = high << 16 | low;
    // 2010 and later: Sysmon is from 2014.
    (seconds > 1_262_304_000).then_some(seconds * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_holds_the_second_of_the_start() {
        for (guid, seconds) in [
            ("365abb72-6759-5cd8-0000-0010e2d50f00", Some(0x5cd8_6759)),
            ("{39e4a257-79fb-5f92-7117-000000000700}", Some(0x5f92_79fb)),
            ("00000000-0000-0000-0000-000000000000", None),
            ("mtc2mzg4ndg0ny0xmjm0", None),
            ("d1/9/2020-01-01", None),
            ("365abb72-6759-5cd8", None),
            ("", None),
        ] {
            assert_eq!(guid_time(guid), seconds.map(|seconds: i64| seconds * SECOND), "{guid}");
        }
    }
}
