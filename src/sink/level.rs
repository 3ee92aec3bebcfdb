//! Findings that are not worth the reader's time are counted instead of written.

use std::io;

use super::{Record, Sink};
use crate::hands::Hands;
use crate::rules::Level;

/// Passes on the findings of a level or a higher one, and every hostname; counts the rest.
#[derive(Debug)]
pub struct AtLeast<S> {
    inner: S,
    level: Level,
    withheld: u64,
}

impl<S: Sink> AtLeast<S> {
    /// Passes findings of this level or a higher one on to `inner`.
    pub const fn new(level: Level, inner: S) -> Self {
        Self { inner, level, withheld: 0 }
    }

    /// Passes findings of this level or a higher one on from now on.
    pub const fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Whether a record is passed on; one that is not is counted.
    fn passes(&mut self, record: &Record) -> bool {
        let told_as = match record {
            Record::Alert(alert) => alert.told_as,
            _ => None,
        };
        let passes = record.level().is_none_or(|level| Some(level).max(told_as) >= Some(self.level));
        if let Record::Alert(alert) = record {
            self.withheld += u64::from(!passes && !alert.update);
        }
        passes
    }

    /// Alerts that were not passed on (updates and summaries of them are not counted again).
    pub const fn withheld(&self) -> u64 {
        self.withheld
    }
}

impl<S: Sink> Sink for AtLeast<S> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        if self.passes(record) { self.inner.write(record) } else { Ok(()) }
    }

    fn write_all(&mut self, mut records: Vec<Record>, hands: &dyn Hands) -> io::Result<()> {
        records.retain(|record| self.passes(record));
        self.inner.write_all(records, hands)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;
    use crate::hands::testing::Backwards;
    use crate::inspect::SeenIn;
    use crate::rules::Alert;

    #[derive(Default)]
    struct Counter(u64);

    impl Sink for Counter {
        fn write(&mut self, _: &Record) -> io::Result<()> {
            self.0 += 1;
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An analyst who was told that a tool contacted something is told that it was a browser, or that it is allowed.
    #[test]
    fn who_was_told_is_told_what_became_of_it() {
        let mut sink = AtLeast::new(Level::Medium, Counter::default());
        let low = Alert { update: true, ..alert(hello(), &[SeenIn::TlsSni]) };
        sink.write(&Record::Alert(Alert { told_as: Some(Level::Medium), ..low.clone() })).unwrap();
        sink.write(&Record::Alert(Alert { told_as: Some(Level::Low), ..low })).unwrap();
        assert_eq!((sink.inner.0, sink.withheld()), (1, 0));
    }

    #[test]
    fn what_is_below_is_counted_once() {
        for (least, written, withheld) in
            [(Level::Informational, 4, 0), (Level::Low, 4, 0), (Level::Medium, 1, 1), (Level::Critical, 1, 1)]
        {
            let alert = alert(hello(), &[SeenIn::TlsSni]);
            let records = vec![
                Record::Alert(Alert { update: true, ..alert.clone() }),
                Record::Alert(alert),
                Record::Summary(summary(Level::Low)),
                Record::Hostname(hello()),
            ];
            let mut sink = AtLeast::new(least, Counter::default());
            records.iter().for_each(|record| sink.write(record).unwrap());
            assert_eq!((sink.inner.0, sink.withheld()), (written, withheld), "{least:?}");
            let mut sink = AtLeast::new(least, Counter::default());
            sink.write_all(records, &Backwards(2)).unwrap();
            assert_eq!((sink.inner.0, sink.withheld()), (written, withheld), "{least:?}, together");
        }
    }
}
