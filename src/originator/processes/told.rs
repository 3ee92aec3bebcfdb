//! What is told of a process: single things that are known of it, and the whole as records have it, which is made once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::attribution::Process;
use super::super::hosts::HostId;
use super::super::texts::{TextId, Texts, file_name};
use super::{Began, Entity, Field, ProcessId, Processes};
use crate::capture::Timestamp;

impl Processes {
    /// For what a process acts for others, as a number: as it was found before, or as it is found now; as of what its records say by now.
    pub(in crate::originator) fn acts(&self, id: ProcessId, find: impl FnOnce() -> u32) -> u32 {
        let Some(made) = self.made.get(id.0 as usize) else { return find() };
        match made.acts.load(Ordering::Relaxed) {
            // Two that find it at once find the same.
            0 => {
                let found = find();
                made.acts.store(found.saturating_add(1), Ordering::Relaxed);
                found
            }
            known => known - 1,
        }
    }

    /// A process's command line.
    pub(in crate::originator) fn command_line<'t>(&self, id: ProcessId, texts: &'t Texts) -> Option<&'t str> {
        self.text(id, Field::CommandLine, texts)
    }

    /// The whole path of a process's file, or its name.
    pub(in crate::originator) fn image<'t>(&self, id: ProcessId, texts: &'t Texts) -> Option<&'t str> {
        self.text(id, Field::Image, texts).or_else(|| self.text(id, Field::Name, texts))
    }

    /// The host of a process, by the name that its records have.
    pub(in crate::originator) fn host(&self, id: ProcessId) -> Option<HostId> {
        Some(self.entity_of(id)?.host)
    }

    /// Whether it is known when a process began or ended.
    pub(in crate::originator) fn ended_or_began_known(&self, id: ProcessId) -> bool {
        self.entity_of(id).is_some_and(|entity| entity.began.is_some() || entity.ended.is_some())
    }

    /// Whether a process runs in a container.
    pub(in crate::originator) fn is_contained(&self, id: ProcessId) -> bool {
        self.entity_of(id).is_some_and(|entity| {
            entity.values.get(Field::Container as usize).is_some_and(Option::is_some)
                || entity.values.get(Field::Pod as usize).is_some_and(Option::is_some)
        })
    }

    /// A process's number.
    pub(in crate::originator) fn pid(&self, id: ProcessId) -> Option<u32> {
        self.entity_of(id)?.pid
    }

    /// The kind of the record that told of a process's start.
    pub(in crate::originator) fn start_kind(&self, id: ProcessId) -> Option<TextId> {
        self.entity_of(id)?.start_kind
    }

    /// A key that puts processes into an order that does not depend on the order in which they came.
    pub(in crate::originator) fn order<'t>(
        &self,
        id: ProcessId,
        texts: &'t Texts,
    ) -> (Option<u32>, &'t str, i64) {
        let entity = self.entity_of(id);
        let key = entity.and_then(|entity| entity.key).map_or("", |key| texts.get(key));
        (
            entity.and_then(|entity| entity.pid),
            key,
            entity.and_then(|entity| entity.began).map_or(i64::MIN, Began::at),
        )
    }

    /// A process as records have it, if it was made before.
    pub(in crate::originator) fn made(&self, id: ProcessId) -> Option<Arc<Process>> {
        self.made.get(id.0 as usize)?.process.clone()
    }

    /// Makes a process as records have it. Its times are by the wire's clock if `ahead` is what the host's events are ahead of it.
    pub(in crate::originator) fn make(&mut self, id: ProcessId, ahead: i64, texts: &Texts) -> Arc<Process> {
        let parent = self.entity_of(id).and_then(|entity| entity.parent);
        let parent = parent.map(|parent| match parent.process {
            Some(process) => {
                let process = self.with_number(process);
                Arc::new(Process { parent: None, ..self.build(process, ahead, texts) })
            }
            None => Arc::new(Process { pid: parent.pid, ..Process::default() }),
        });
        let made = Arc::new(Process { parent, ..self.build(id, ahead, texts) });
        if let Some(place) = self.made.get_mut(id.0 as usize) {
            place.process = Some(made.clone());
        }
        made
    }

    /// Forgets how processes look in records: what is known of clocks or of parents has changed.
    pub(in crate::originator) fn forget_made(&mut self) {
        self.made.iter_mut().for_each(|made| made.process = None);
    }

    fn build(&self, id: ProcessId, ahead: i64, texts: &Texts) -> Process {
        let Some(entity) = self.entity_of(id) else { return Process::default() };
        let share = |field: Field| {
            entity.values.get(field as usize).copied().flatten().map(|value| texts.share(value.text))
        };
        let executable = share(Field::Image);
        let name = executable.as_deref().map(file_name).filter(|name| !name.is_empty());
        let name = name.map(Arc::from).or_else(|| share(Field::Name));
        // Only a path has folders; a bare name is no executable's path.
        let executable = executable.filter(|path| path.contains(['\\', '/']));
        let user = share(Field::User);
        let (user_domain, user) = match user.as_deref().and_then(|user| user.split_once('\\')) {
            Some((domain, user)) if !domain.is_empty() => (Some(domain.into()), Some(user.into())),
            Some((_, user)) => (None, Some(user.into())),
            None => (None, user),
        };
        let wire = |at: i64| Timestamp::from_nanos(at.saturating_sub(ahead));
        Process {
            pid: entity.pid,
            entity_id: entity.key.map(|key| texts.share(key)),
            executable,
            name,
            original_name: share(Field::OriginalName),
            command_line: share(Field::CommandLine),
            directory: share(Field::Directory),
            user_domain,
            user,
            started: entity.began.map(|began| wire(began.at())),
            ended: entity.ended.or_else(|| self.end_of_number(entity)).map(wire),
            sha256: share(Field::Sha256),
            sha1: share(Field::Sha1),
            md5: share(Field::Md5),
            signer: share(Field::Signer),
            integrity: share(Field::Integrity),
            container: share(Field::Container),
            container_name: share(Field::ContainerName),
            pod: share(Field::Pod),
            parent: None,
        }
    }

    /// When a process ended of which only the number was told: the first such end after its start.
    fn end_of_number(&self, entity: &Entity) -> Option<i64> {
        let began = entity.began_order?;
        let ends = self.ends.get(&(entity.host, entity.pid?))?.iter();
        ends.filter(|(order, _)| *order >= began).min().map(|(_, event)| *event)
    }
}
