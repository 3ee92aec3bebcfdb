//! A list of the user's that is read as it is needed: its text is never in memory as a whole, unless it comes from a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::lists::{Builder, Outline, Problem};

/// The longest list that is read, in bytes: ten million names.
pub const MOST_LIST_BYTES: u64 = 256 << 20;

/// The bytes that are read at once.
const PIECE: usize = 128 << 10;

/// A list, open and looked at.
#[derive(Debug)]
pub struct ListFile {
    /// Its path, as given: the name of the list.
    pub name: String,
    /// What it looks like, and where its text comes from; nothing once it was read.
    text: Option<(Outline, Text)>,
}

#[derive(Debug)]
enum Text {
    /// A file that can be read again, and the bytes that it had.
    File(File, u64),
    /// What can be read once only.
    Read(Vec<u8>),
}

impl ListFile {
    /// Opens a list and looks at all of it once, so that whatever keeps it from being read is known before anything starts.
    ///
    /// # Errors
    /// When it cannot be read or is too long: what is wrong.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let wrong = |error: io::Error| format!("cannot be read: {error}");
        let mut file = File::open(path).map_err(wrong)?;
        let can_be_read_again = file.metadata().map_err(wrong)?.is_file();
        let (mut outline, mut kept, mut bytes) = (Outline::default(), Vec::new(), 0);
        pieces(&mut file, MOST_LIST_BYTES + 1, |piece| {
            bytes += piece.len() as u64;
            outline.take(piece);
            if !can_be_read_again {
                kept.extend_from_slice(piece);
            }
        })
        .map_err(wrong)?;
        if bytes > MOST_LIST_BYTES {
            return Err(format!("is longer than the {} MiB that are read", MOST_LIST_BYTES >> 20));
        }
        let text = if can_be_read_again { Text::File(file, bytes) } else { Text::Read(kept) };
        Ok(Self { name, text: Some((outline, text)) })
    }

    /// Adds what it holds to lists, and closes it. Tells what could not be used; nothing where it was added before.
    pub fn add_to(&mut self, lists: &mut Builder) -> Vec<Problem> {
        let Some((outline, text)) = self.text.take() else { return Vec::new() };
        let mut taking = lists.take(&self.name, outline);
        let read = match text {
            Text::Read(text) => {
                taking.take(&text);
                Ok(())
            }
            // What was added to it since it was looked at is for the next time.
            Text::File(mut file, bytes) => file
                .seek(SeekFrom::Start(0))
                .and_then(|_| pieces(&mut file, bytes, |piece| taking.take(piece))),
        };
        match read {
            Ok(()) => taking.end(),
            Err(error) => taking.cut_off(&format_args!("cannot be read: {error}")),
        }
    }
}

/// Reads to the end, but at most so many bytes.
fn pieces(file: &mut File, most: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut file = file.take(most);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => each(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The suffixes of a list, and what was told of it.
    fn added(list: &mut ListFile) -> (Vec<String>, Vec<String>) {
        let mut builder = Builder::new();
        let problems = list.add_to(&mut builder);
        let lists = builder.build();
        let suffixes = lists.entries().map(|entry| entry.suffix.into_string()).collect();
        (suffixes, problems.iter().map(|problem| problem.to_string()).collect())
    }

    /// A few pieces, with a bad line that the end of the first cuts, and what is told of it.
    fn long() -> (String, Vec<String>) {
        let names: Vec<String> = (0..30_000).map(|number| format!("host{number}.example")).collect();
        let mut text = names.join("\n");
        let line = text.get(..PIECE).unwrap().rfind('\n').unwrap() + 1;
        text.insert_str(line, &format!("https://x.example/{}\n", "x".repeat(50)));
        (text.clone(), Builder::new().add("list", &text).iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_file_is_read_piece_by_piece() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let (text, told) = long();
        std::fs::write(&path, &text).unwrap();
        let mut list = ListFile::open(&path).unwrap();
        let (suffixes, problems) = added(&mut list);
        assert_eq!(suffixes.len(), 30_000);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0], told[0].replace("list:", &format!("{}:", path.display())));
        assert!(problems[0].contains("` is a URL"), "{problems:?}");
        assert_eq!(added(&mut list), (vec![], vec![]), "what was read is given up");
    }

    #[test]
    fn a_pipe_is_read_as_a_file_is() {
        let (text, told) = long();
        let (from, mut to) = io::pipe().unwrap();
        let written = std::thread::spawn(move || to.write_all(text.as_bytes()));
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&from));
        let mut list = ListFile::open(Path::new(&path)).unwrap();
        drop(from);
        written.join().unwrap().unwrap();
        let (suffixes, problems) = added(&mut list);
        assert_eq!((suffixes.len(), problems.len()), (30_000, told.len()));
    }

    #[test]
    fn what_is_added_meanwhile_is_for_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "one.example\n").unwrap();
        let mut list = ListFile::open(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"[[service]]\nsuffixes = ['two.example']\n").unwrap();
        assert_eq!(added(&mut list), (vec!["one.example".to_owned()], vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| ListFile::open(path).unwrap_err();
        assert!(told(folder.path()).starts_with("cannot be read: "));
        assert!(told(&folder.path().join("no")).starts_with("cannot be read: "));
        let long = folder.path().join("long");
        // Nothing of it takes any place.
        File::create(&long).unwrap().set_len(MOST_LIST_BYTES + 1).unwrap();
        assert_eq!(told(&long), "is longer than the 256 MiB that are read");
    }
}
