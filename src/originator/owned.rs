//! Records that outlive the bytes they were read from, for those who hand them to another thread.

use std::borrow::Cow;
use std::mem::size_of;

use super::record::{Connection, Parent, Process, Query, Record, Said, Text};

impl Record<'_> {
    /// The same record, which borrows nothing.
    pub fn into_owned(self) -> Record<'static> {
        Record {
            feed: self.feed,
            kind: text(self.kind),
            id: self.id.map(text),
            host: text(self.host),
            host_id: self.host_id.map(text),
            time: self.time,
            second: self.second,
            what: self.what.into_owned(),
        }
    }

    /// About how many bytes it occupies once it borrows nothing.
    pub fn weight(&self) -> usize {
        let said = match &self.what {
            Said::Start(process) | Said::End(process) => process.weight(),
            Said::Connection(connection) => {
                connection.process.weight() + connection.name.as_ref().map_or(0, |(name, _)| name.len())
            }
            Said::Query(query) => {
                query.process.weight()
                    + query.name.len()
                    + size_of_val(query.addresses.as_slice())
                    + size_of_val(query.aliases.as_slice())
                    + query.aliases.iter().map(|alias| alias.len()).sum::<usize>()
                    + length(&query.status)
            }
            Said::Addresses(addresses) => size_of_val(addresses.as_slice()),
        };
        size_of::<Self>()
            + self.kind.len()
            + length(&self.id)
            + self.host.len()
            + length(&self.host_id)
            + said
    }
}

impl Said<'_> {
    /// The same, which borrows nothing.
    pub fn into_owned(self) -> Said<'static> {
        match self {
            Self::Start(process) => Said::Start(process.into_owned()),
            Self::End(process) => Said::End(process.into_owned()),
            Self::Connection(connection) => Said::Connection(connection.into_owned()),
            Self::Query(query) => Said::Query(query.into_owned()),
            Self::Addresses(addresses) => Said::Addresses(addresses),
        }
    }
}

impl Process<'_> {
    /// The same process, which borrows nothing.
    pub fn into_owned(self) -> Process<'static> {
        Process {
            pid: self.pid,
            key: self.key.map(text),
            image: self.image.map(text),
            name: self.name.map(text),
            original_name: self.original_name.map(text),
            command_line: self.command_line.map(text),
            directory: self.directory.map(text),
            user: self.user.map(text),
            started: self.started,
            sha256: self.sha256.map(text),
            sha1: self.sha1.map(text),
            md5: self.md5.map(text),
            signer: self.signer.map(text),
            integrity: self.integrity.map(text),
            container: self.container.map(text),
            container_name: self.container_name.map(text),
            pod: self.pod.map(text),
            parent: self.parent.map(Parent::into_owned),
        }
    }

    fn weight(&self) -> usize {
        let own = [
            &self.key,
            &self.image,
            &self.name,
            &self.original_name,
            &self.command_line,
            &self.directory,
            &self.user,
            &self.sha256,
            &self.sha1,
            &self.md5,
            &self.signer,
            &self.integrity,
            &self.container,
            &self.container_name,
            &self.pod,
        ];
        let parent = self.parent.as_ref().map_or(0, |parent| {
            [&parent.key, &parent.image, &parent.name, &parent.command_line, &parent.user]
                .into_iter()
                .map(length)
                .sum()
        });
        own.into_iter().map(length).sum::<usize>() + parent
    }
}

impl Parent<'_> {
    /// The same parent, which borrows nothing.
    pub fn into_owned(self) -> Parent<'static> {
        Parent {
            pid: self.pid,
            key: self.key.map(text),
            image: self.image.map(text),
            name: self.name.map(text),
            command_line: self.command_line.map(text),
            user: self.user.map(text),
            started: self.started,
        }
    }
}

impl Connection<'_> {
    /// The same connection, which borrows nothing.
    pub fn into_owned(self) -> Connection<'static> {
        Connection {
            process: self.process.into_owned(),
            protocol: self.protocol,
            ends: self.ends,
            local: self.local,
            initiated: self.initiated,
            name: self.name.map(|(name, kind)| (text(name), kind)),
            count: self.count,
        }
    }
}

impl Query<'_> {
    /// The same question, which borrows nothing.
    pub fn into_owned(self) -> Query<'static> {
        Query {
            process: self.process.into_owned(),
            name: text(self.name),
            addresses: self.addresses,
            aliases: self.aliases.into_iter().map(text).collect(),
            status: self.status.map(text),
        }
    }
}

fn text(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

fn length(text: &Option<Text<'_>>) -> usize {
    text.as_ref().map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::super::feed::Feed;
    use super::*;

    /// What is told of real events is the same once it is owned, and weighs at least its texts.
    #[test]
    fn nothing_is_lost() {
        let fields = |more: &str| {
            format!(
                r#"{{"EventTime":"2020-10-18 21:15:06","UtcTime":"2020-10-18 21:15:05.123","Hostname":"WS5.corp","SourceName":"Microsoft-Windows-Sysmon","ProcessGuid":"{{365ABB72-6759-5CD8-0000-0010E2D50F00}}","ProcessId":"1420","Image":"C:\\Windows\\System32\\regsvr32.exe","User":"CORP\\a",{more}}}"#
            )
        };
        let feed = [
            fields(
                r#""EventID":1,"CommandLine":"regsvr32 /s","ParentProcessId":"7","ParentImage":"C:\\cmd.exe","ParentCommandLine":"cmd","Hashes":"SHA1=AB,MD5=CD""#,
            ),
            fields(
                r#""EventID":3,"Protocol":"tcp","Initiated":"true","SourceIp":"10.0.2.15","SourcePort":"49165","DestinationIp":"104.20.208.21","DestinationHostname":"x.example","DestinationPort":"80""#,
            ),
            fields(r#""EventID":5"#),
            fields(
                r#""EventID":22,"QueryName":"github.com","QueryStatus":"0","QueryResults":"type:  5 a.example;::ffff:1.2.3.4;""#,
            ),
        ]
        .join("\n");
        let mut told = 0;
        let mut reader = Feed::new();
        let mut tell = |record: Record<'_>| {
            told += 1;
            let owned = record.clone().into_owned();
            assert_eq!(owned, record);
            let least = format!("{:?}", record.what).matches("regsvr32.exe").count() * "regsvr32.exe".len();
            assert!(owned.weight() > size_of::<Record<'_>>() + least, "{record:?}");
        };
        reader.push(feed.as_bytes(), &mut tell);
        reader.finish(&mut tell);
        assert_eq!(told, 4, "{:?}", reader.tally());
    }
}
