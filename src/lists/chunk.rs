//! A TOML file cut into its entries, so that a mistake in one costs that one.

/// A part of the file that is a document by itself: what stands before the first entry, or one entry.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) text: String,
    /// The number of its first line, from 1.
    pub(super) line: usize,
    /// Where its lines begin, from its own start.
    starts: Vec<usize>,
}

/// Cuts a file that comes line by line.
#[derive(Debug)]
pub(super) struct Cutter {
    /// What each entry begins with, such as `[[service]]`.
    header: &'static str,
    open: Chunk,
}

impl Cutter {
    pub(super) const fn new(header: &'static str) -> Self {
        Self { header, open: Chunk { text: String::new(), line: 1, starts: Vec::new() } }
    }

    /// Takes the next line, with its end. Gives the part before it, where the line begins another.
    pub(super) fn line(&mut self, line: &str) -> Option<Chunk> {
        let begins = line.trim_start().starts_with(self.header);
        let done = begins.then(|| {
            let next = self.open.line + self.open.starts.len();
            std::mem::replace(&mut self.open, Chunk { text: String::new(), line: next, starts: Vec::new() })
        });
        self.open.starts.push(self.open.text.len());
        self.open.text.push_str(line);
        done
    }

    /// The last part.
    pub(super) fn end(self) -> Chunk {
        self.open
    }
}

/// The parts of a file whose entries each begin with a line `header`.
pub(super) fn chunks(text: &str, header: &'static str) -> Vec<Chunk> {
    let mut cutter = Cutter::new(header);
    let mut chunks: Vec<Chunk> = text.split_inclusive('\n').filter_map(|line| cutter.line(line)).collect();
    chunks.push(cutter.end());
    chunks
}

impl Chunk {
    /// Whether it is an entry, and not what stands before the first.
    pub(super) fn is_entry(&self, header: &str) -> bool {
        self.text.trim_start().starts_with(header)
    }

    /// The number of the line that a byte stands in, and the line.
    pub(super) fn line_at(&self, offset: usize) -> (usize, &str) {
        let nth = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(nth).copied().unwrap_or_default();
        (self.line + nth, self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default())
    }
}
