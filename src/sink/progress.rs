//! A progress bar on standard error, by bytes read. It asks the time for itself; no record depends on it.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const FORM: &str = "{bar:32.cyan/dim} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}  \
    {decimal_bytes_per_sec}  {eta} left";
const FORM_WITHOUT_TOTAL: &str = "{spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {elapsed}";

/// A progress bar, or nothing where nobody would see it. Copies show the same bar.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins a bar up to so many bytes; without a total it counts only. It is drawn when it is wanted and standard error
    /// is a terminal.
    pub fn new(total: Option<u64>, wanted: bool) -> Self {
        // Some ten drawings a second are smooth, and cost nothing beside what is read meanwhile.
        let target =
            if wanted { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let form = if total.is_some() { FORM } else { FORM_WITHOUT_TOTAL };
        // A form that indicatif does not take is a plain bar, and no reason to stop.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self(bar)
    }

    /// So many bytes more were read, as they lie in the file.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }

    /// An output whose lines appear above the bar, for a terminal that shows both.
    pub fn above<W: Write>(&self, output: W) -> Above<W> {
        Above { output, bar: self.0.clone() }
    }
}

/// An output on the terminal on which a bar is drawn: the bar makes way for each write.
#[derive(Debug)]
pub struct Above<W> {
    output: W,
    bar: ProgressBar,
}

impl<W: Write> Write for Above<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| self.output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_nobody_sees_counts_and_lets_everything_through() {
        for total in [Some(10), None] {
            let bar = Progress::new(total, false);
            bar.clone().advance(7);
            let mut lines = Vec::new();
            bar.above(&mut lines).write_all(b"a line\n").unwrap();
            assert_eq!((lines.as_slice(), bar.0.position()), (&b"a line\n"[..], 7));
            bar.finish();
        }
    }

    #[test]
    fn the_forms_are_understood() {
        for form in [FORM, FORM_WITHOUT_TOTAL] {
            assert!(ProgressStyle::with_template(form).is_ok(), "{form}");
        }
    }
}
