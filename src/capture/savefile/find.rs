//! From paths to files: directories are searched, hidden files and links to directories left alone.
//! Nothing is opened.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use super::{Kind, Problem, Why};

/// A file that may be a capture.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Whether the user named it, or it was found inside a directory.
    pub(super) named: bool,
}

/// All files at `path`: itself, or what is in it. What is inside and cannot be looked at goes to `problems`.
pub(super) fn find(
    path: &Path,
    skipped: &mut Skipped,
    problems: &mut Vec<Problem>,
) -> io::Result<Vec<Candidate>> {
    if path.as_os_str() == "-" {
        return Ok(vec![Candidate { path: path.to_owned(), kind: Kind::Stdin, named: true }]);
    }
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        let mut found = Vec::new();
        skipped.searched = true;
        search(path, &mut found, skipped, problems);
        return Ok(found);
    }
    let kind = if metadata.is_file() { Kind::Regular(metadata.len()) } else { Kind::Stream };
    Ok(vec![Candidate { path: path.to_owned(), kind, named: true }])
}

/// Everything below `top`, in the order of names, depth first. Links to directories are not followed, hence it
/// ends; a list of directories to do stands for the recursion, hence no depth overflows the stack.
fn search(top: &Path, found: &mut Vec<Candidate>, skipped: &mut Skipped, problems: &mut Vec<Problem>) {
    enum Todo {
        Look(PathBuf, FileType),
        Enter(PathBuf),
    }
    let mut todo = vec![Todo::Enter(top.to_owned())];
    while let Some(next) = todo.pop() {
        let (path, kind) = match next {
            Todo::Look(path, kind) => (path, kind),
            Todo::Enter(path) => {
                match entries(&path) {
                    Ok(mut entries) => {
                        entries.sort_by(|(a, _), (b, _)| b.cmp(a)); // the last is popped first
                        todo.extend(entries.into_iter().map(|(path, kind)| Todo::Look(path, kind)));
                    }
                    Err(error) => problems.push(Problem { path, why: Why::Io(error) }),
                }
                continue;
            }
        };
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            skipped.hidden += 1;
        } else if kind.is_dir() {
            todo.push(Todo::Enter(path));
        } else {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    found.push(Candidate { path, kind: Kind::Regular(metadata.len()), named: false });
                }
                Ok(_) => skipped.other(&path),
                Err(error) => problems.push(Problem { path, why: Why::Io(error) }),
            }
        }
    }
}

fn entries(directory: &Path) -> io::Result<Vec<(PathBuf, FileType)>> {
    fs::read_dir(directory)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.path(), entry.file_type()?))
        })
        .collect()
}

/// What was passed over inside a directory.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    searched: bool,
    hidden: u64,
    others: u64,
    example: Option<PathBuf>,
}

impl Skipped {
    /// Counts a file that is no capture.
    pub(super) fn other(&mut self, path: &Path) {
        self.others += 1;
        self.example.get_or_insert_with(|| path.to_owned());
    }

    /// What is to be told about the directory at `path`.
    pub(super) fn problem(self, path: &Path, captures: bool) -> Option<Problem> {
        let Self { searched, hidden, others, example } = self;
        let why = match () {
            () if !searched => return None,
            () if !captures => Why::NoCaptures { hidden, others },
            () if hidden + others > 0 => Why::Skipped { hidden, others, example },
            () => return None,
        };
        Some(Problem { path: path.to_owned(), why })
    }
}
