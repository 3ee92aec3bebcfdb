//! A TOML file cut into its entries, so that a mistake in one costs that one.

/// A part of the file that is a document by itself: what stands before the first entry, or one entry.
pub(super) struct Chunk<'t> {
    pub(super) text: &'t str,
    /// The number of its first line, from 1.
    pub(super) line: usize,
    /// Where its lines begin, from its own start.
    starts: Vec<usize>,
}

/// The parts of a file whose entries each begin with a line `header`, such as `[[service]]`.
pub(super) fn chunks<'t>(text: &'t str, header: &str) -> Vec<Chunk<'t>> {
    let mut chunks = Vec::new();
    let (mut start, mut end) = (0, 0);
    let (mut first, mut starts) = (1, Vec::new());
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if line.trim_start().starts_with(header) {
            chunks.push((start..end, first, std::mem::take(&mut starts)));
            (start, first) = (end, number);
        }
        starts.push(end - start);
        end += line.len();
    }
    chunks.push((start..end, first, starts));
    let chunk = |(range, line, starts)| Some(Chunk { text: text.get(range)?, line, starts });
    chunks.into_iter().filter_map(chunk).collect()
}

impl Chunk<'_> {
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
