//! The built-in catalogue: one file a category in `catalogue/`, in the TOML form that [`form`](super::form) reads; names that other lists
//! have and this one leaves out are in `left-out.toml`, with the reason. The build script reads the files; the program has what that wrote
//! ([`built`]).

use super::built::{self, Line};

/// The lines of the catalogue.
pub(super) fn lines() -> impl Iterator<Item = Line<'static>> {
    built::lines(include_str!(concat!(env!("OUT_DIR"), "/catalogue.txt")))
}

/// The categories of the catalogue, and what belongs to each. Lists of the user may have others.
pub const CATEGORIES: &[(&str, &str)] = &[
    ("blockchain", "nodes, explorers and gateways of public ledgers: data that nobody can take down"),
    (
        "campaign-host",
        "single hosts of published campaigns: no service, listed because other lists have them",
    ),
    ("cdn", "content delivery networks, where many customers share names and addresses"),
    ("cloud-storage", "files and buckets that an account keeps: drives, object stores"),
    ("collaboration", "documents, notes, boards, calendars, mail and forms of teams"),
    ("dev-platform", "source code, packages and build services"),
    ("dns-over-https", "resolvers that hide the question from this sensor (context)"),
    ("dynamic-dns", "names that anybody points anywhere in a minute"),
    ("file-sharing", "one-off file transfer, mostly without an account"),
    ("hosting", "functions, applications, databases and free pages under the provider's name"),
    ("identity", "sign-in and token endpoints that stand before the others (context)"),
    ("ip-lookup", "services that tell a client its public address or place (context)"),
    ("llm-api", "large language models, by API or in the browser"),
    ("messaging", "chats, bots and push services"),
    ("oast", "out-of-band interaction hosts of scanners and testers"),
    ("paste", "texts, snippets and JSON documents that anybody leaves for anybody"),
    ("proxy", "gateways to Tor, translators and other ways around"),
    ("social", "profiles, posts, blogs, forums, comments, media"),
    ("tunnel", "tunnels and relays to a machine behind a firewall"),
    ("url-shortener", "redirects (context)"),
    ("webhook", "request catchers, hooks and automation"),
];

/// A file of the catalogue.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

#[cfg(test)]
macro_rules! files {
    ($($name:literal)*) => {
        &[$(File { name: $name, text: include_str!(concat!("catalogue/", $name, ".toml")) }),*]
    };
}

/// The files of the catalogue: one a category.
#[cfg(test)]
pub(super) const FILES: &[File] = files!(
    "blockchain"
    "campaign-host"
    "cdn"
    "cloud-storage"
    "collaboration"
    "dev-platform"
    "dns-over-https"
    "dynamic-dns"
    "file-sharing"
    "hosting"
    "identity"
    "ip-lookup"
    "llm-api"
    "messaging"
    "oast"
    "paste"
    "proxy"
    "social"
    "tunnel"
    "url-shortener"
    "webhook"
);

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::hostname::Hostname;
    use crate::lists::{Builder, Lists, Service};

    /// The names of the five published detections whose lists the catalogue began with.
    const SEEDS: [&str; 61] = [
        "amazonaws.com",
        "api.dropboxapi.com",
        "api.github.com",
        "api.notion.so",
        "api.onedrive.com",
        "api.slack.com",
        "api.telegram.org",
        "api.twitter.com",
        "blogspot.com",
        "box.com",
        "calendar.google.com",
        "cdn.discordapp.com",
        "cloudflare.com",
        "content.dropboxapi.com",
        "discord.com",
        "discordapp.com",
        "docs.google.com",
        "drive.google.com",
        "dropbox.com",
        "firebase.googleapis.com",
        "firebaseio.com",
        "ghostbin.co",
        "ghostbin.com",
        "gist.github.com",
        "gitee.com",
        "github.com",
        "googleapis.com",
        "graph.microsoft.com",
        "hastebin.com",
        "i.imgur.com",
        "imgur.com",
        "livejournal.com",
        "mediafire.com",
        "notion.so",
        "old.reddit.com",
        "onedrive.live.com",
        "paste.ee",
        "pastebin.com",
        "pastebin.pl",
        "pcloud.com",
        "raw.githubusercontent.com",
        "reddit.com",
        "s3.amazonaws.com",
        "sharepoint.com",
        "sites.google.com",
        "slack.com",
        "social.technet.microsoft.com",
        "storage.googleapis.com",
        "t.co",
        "t.me",
        "technet.microsoft.com",
        "telegram.org",
        "top4top.io",
        "trello.com",
        "twitter.com",
        "wordpress.com",
        "workers.dev",
        "www.googleapis.com",
        "yandex.com",
        "youtu.be",
        "youtube.com",
    ];

    fn meets(lists: &Lists, hostname: &str) -> bool {
        lists.lookup(&Hostname::new(hostname).unwrap()).is_some()
    }

    /// What the build script wrote is what a list of the user's with the same text would be.
    #[test]
    fn what_is_built_in_is_what_the_files_say() {
        let mut builder = Builder::new();
        for file in FILES {
            assert_eq!(builder.add(built::LIST, file.text), []);
        }
        let (read, built) = (builder.build(), Lists::builtin());
        assert!(read.len() > 2000);
        assert!(built.entries().eq(read.entries()));
        assert!(built.entries().all(|entry| entry.list() == built::LIST));
    }

    #[test]
    fn every_seed_name_is_an_entry() {
        let lists = Lists::builtin();
        for name in SEEDS {
            assert!(lists.entry(name).is_some(), "{name}");
            assert!(meets(&lists, &format!("x.{name}")), "{name}");
        }
    }

    #[test]
    fn look_alikes_are_none() {
        let lists = Lists::builtin();
        for name in [
            "notdropbox.com",
            "evil-box.com",
            "pastebin.com.cdn.example",
            "www.xbox.com",
            "microsoft.com",
            "com",
        ] {
            assert!(!meets(&lists, name), "{name}");
        }
        for name in ["PASTEBIN.COM.", "pastebin.com", "x.pastebin.com"] {
            assert!(meets(&lists, name), "{name}");
        }
    }

    #[test]
    fn each_entry_matches_itself_and_its_children_and_nothing_else() {
        let lists = Lists::builtin();
        for entry in lists.entries() {
            let suffix = &*entry.suffix;
            let service = |name: &str| lists.lookup(name).map(|entry| &*entry.suffix);
            assert_eq!(service(suffix), Some(suffix));
            assert_eq!(service(&format!("x.{suffix}")), Some(suffix));
            let others = [
                format!("not{suffix}"),
                format!("{suffix}.evil.example"),
                suffix.replace('.', ""),
                format!("{suffix}x"),
            ];
            for other in others.iter().filter(|other| *other != suffix) {
                assert_ne!(service(other), Some(suffix), "{other}");
            }
        }
    }

    #[test]
    fn the_catalogue_is_in_order() {
        let mut builder = Builder::new();
        let mut last_file = "";
        for file in FILES {
            assert!(last_file < file.name, "files are sorted: {}", file.name);
            last_file = file.name;
            // Each file under its own name, so that a suffix in two of them is told.
            let problems = builder.add(file.name, file.text);
            assert!(problems.is_empty(), "{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>());
        }
        for entry in builder.build().entries() {
            let Service { name, category, also, techniques, clients, list, .. } = &*entry.about;
            assert!(name.as_ref().is_some_and(|name| !name.is_empty()), "{entry:?}");
            assert_eq!(**category, **list, "the file is the category");
            for category in std::iter::once(category).chain(also) {
                assert!(CATEGORIES.iter().any(|(known, _)| **known == **category), "{entry:?}");
            }
            assert!(!techniques.is_empty(), "{entry:?}");
            assert!(techniques.iter().all(|technique| is_technique(technique)), "{entry:?}");
            for client in clients {
                assert!(client.to_lowercase() == **client && !client.ends_with(".exe"), "{entry:?}");
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lists/catalogue");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert!(names.iter().eq(FILES.iter().map(|file| file.name)), "{names:?}");
    }

    #[test]
    fn every_category_has_its_file() {
        assert!(CATEGORIES.iter().map(|(category, _)| *category).eq(FILES.iter().map(|file| file.name)));
    }

    #[test]
    fn words_in_braces_are_expanded() {
        let lists = Lists::builtin();
        assert!(lists.entries().all(|entry| !entry.suffix.contains(['{', '}'])));
        let s3 = lists.lookup("contoso-backup.s3.eu-west-1.amazonaws.com").unwrap();
        assert_eq!(s3.service(), "Amazon S3");
        assert_eq!(s3.tenant("contoso-backup.s3.eu-west-1.amazonaws.com"), Some("contoso-backup"));
        let lambda = "abcd.lambda-url.ap-southeast-1.on.aws";
        assert_eq!(lists.lookup(lambda).unwrap().service(), "AWS Lambda function URLs");
        assert_eq!(lists.lookup("europe-west4-aiplatform.googleapis.com").unwrap().service(), "Vertex AI");
        assert_eq!(lists.lookup("iam.amazonaws.com").unwrap().service(), "Amazon Web Services");
    }

    #[test]
    fn customers_are_told_from_other_labels() {
        let lists = Lists::builtin();
        let tenant = |hostname| lists.lookup(hostname).unwrap().tenant(hostname);
        assert_eq!(tenant("contoso.sharepoint.com"), Some("contoso"));
        assert_eq!(tenant("contoso.slack.com"), Some("contoso"));
        assert_eq!(tenant("contoso.eastus-01.azurewebsites.net"), Some("contoso"));
        assert_eq!(tenant("script.account.workers.dev"), Some("account"));
        assert_eq!(tenant("sharepoint.com"), None);
        assert_eq!(tenant("www.slack.com"), None);
        assert_eq!(tenant("wss-primary.slack.com"), None);
        assert_eq!(tenant("x.dropbox.com"), None);
    }

    #[test]
    fn what_is_left_out_meets_nothing() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct File {
            left_out: Vec<Group>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Group {
            why: String,
            names: Vec<String>,
        }
        let lists = Lists::builtin();
        let file: File = toml::from_str(include_str!("left-out.toml")).unwrap();
        for Group { why, names } in &file.left_out {
            assert!(!why.is_empty() && !names.is_empty() && names.is_sorted());
            assert!(names.iter().all(|name| lists.lookup(name).is_none()), "{names:?}");
        }
    }

    fn is_technique(text: &str) -> bool {
        let (technique, sub) = text.split_once('.').unwrap_or((text, "001"));
        let digits =
            |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        technique.strip_prefix('T').is_some_and(|number| digits(number, 4)) && digits(sub, 3)
    }
}
