//! The tables, read.

use undertone::rules::Level;

/// The cases by which the published detections were judged.
pub(crate) const PUBLISHED: &str = include_str!("published.psv");

/// Cases of our own.
pub(crate) const OWN: &str = include_str!("own.psv");

/// More cases of our own.
pub(crate) const FURTHER: &str = include_str!("further.psv");

/// Cases of our own by the names of files alone.
pub(crate) const NAMED: &str = include_str!("named.psv");

/// Cases by another hand, who had not read the rules.
#[allow(dead_code, reason = "not every test that reads cases reads these")]
pub(crate) const OTHER_HAND: &str = include_str!("other_hand.psv");

/// A line of a table.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) executable: String,
    /// The name that the file was built with, where the table has it.
    pub(crate) built_as: Option<String>,
    pub(crate) parent: String,
    pub(crate) command_line: String,
    /// Seconds from its start to the contact.
    pub(crate) age: i64,
    pub(crate) want: Want,
    pub(crate) why: String,
}

/// What shall come out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Want {
    Alert,
    None,
    Low,
}

impl Want {
    pub(crate) fn is(self, level: Option<Level>) -> bool {
        match self {
            Self::Alert => level >= Some(Level::Medium),
            Self::None => level < Some(Level::Medium),
            Self::Low => level == Some(Level::Low),
        }
    }
}

/// The cases of a table; `|` parts the first three columns from the left and the last three from the right, so that a command line
/// may have it.
pub(crate) fn read(table: &str) -> Vec<Case> {
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let mut left = line.splitn(5, '|').map(str::to_owned);
            let mut next = || left.next().unwrap();
            let (id, hostname, executable, parent, rest) = (next(), next(), next(), next(), next());
            let (executable, built_as) =
                match executable.strip_suffix('>').and_then(|file| file.split_once(" <")) {
                    Some((file, name)) => (file.to_owned(), Some(name.to_owned())),
                    None => (executable, None),
                };
            let mut right = rest.rsplitn(4, '|');
            let (why, want, age) = (right.next().unwrap(), right.next().unwrap(), right.next().unwrap());
            let want = match want {
                "Y" => Want::Alert,
                "N" => Want::None,
                "L" => Want::Low,
                other => panic!("{line}: {other}"),
            };
            let command_line = right.next().unwrap().to_owned();
            let age = age.parse().unwrap();
            Case { id, hostname, executable, built_as, parent, command_line, age, want, why: why.to_owned() }
        })
        .collect()
}
