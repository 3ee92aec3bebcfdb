//! Rows of text under a header (RFC 4180), as portals export them.

use csv::{ReaderBuilder, StringRecord};
use memchr::memmem;

use super::document::Document;

/// Columns that tell which host a row is of; one of them is in every header that is known.
const HOSTS: [&str; 2] = ["DeviceId", "DeviceName"];

/// Columns one of which says something.
const OTHERS: [&str; 6] = [
    "ActionType",
    "RemoteIP",
    "InitiatingProcessFileName",
    "InitiatingProcessId",
    "ProcessId",
    "IPAddresses",
];

/// What stands between values: a comma, and what spreadsheets and cultures make of it.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The most columns of a header.
const MAX_COLUMNS: usize = 1024;

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Header {
    columns: StringRecord,
    delimiter: u8,
}

impl Header {
    /// Reads a line as a header, if its columns are known.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let has =
            |columns: &StringRecord, names: &[&str]| columns.iter().any(|column| names.contains(&column));
        // Most lines of other text are no header, and need not be taken to pieces for that.
        if !Self::may_be(line) {
            return None;
        }
        DELIMITERS.into_iter().find_map(|delimiter| {
            let columns = cells(line, delimiter)?;
            (columns.len() <= MAX_COLUMNS && has(&columns, &HOSTS) && has(&columns, &OTHERS))
                .then_some(Self { columns, delimiter })
        })
    }

    /// Whether a row may be the header of another table.
    pub(super) fn may_be(row: &[u8]) -> bool {
        HOSTS.into_iter().any(|column| memmem::find(row, column.as_bytes()).is_some())
    }

    /// Reads a row into the cells that a document is made of; nothing where there are more or fewer than columns.
    pub(super) fn row(&self, row: &[u8]) -> Option<StringRecord> {
        cells(row, self.delimiter).filter(|cells| cells.len() == self.columns.len())
    }

    /// The row as a document, a field a column.
    pub(super) fn document<'a>(&'a self, cells: &'a StringRecord) -> Document<'a> {
        Document::row(self.columns.iter().zip(cells.iter()))
    }
}

fn cells(row: &[u8], delimiter: u8) -> Option<StringRecord> {
    let text = String::from_utf8_lossy(row);
    let mut reader =
        ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(text.as_bytes());
    let mut cells = StringRecord::new();
    reader.read_record(&mut cells).ok().filter(|read| *read).map(|_| cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_headers_are_headers() {
        assert!(Header::parse(b"Timestamp,DeviceName,ActionType").is_some());
        assert!(Header::parse(b"\"Timestamp\";\"DeviceId\";\"RemoteIP\"").is_some());
        assert!(Header::parse(b"Timestamp,DeviceName").is_none());
        assert!(Header::parse(b"the DeviceName, and the RemoteIP").is_none());
        let header = Header::parse(b"DeviceName,RemoteIP").unwrap();
        assert!(header.row(b"a").is_none() && header.row(b"a,b,c").is_none());
        let row = header.row(b"\"a\nb\",\"c,\"\"d\"").unwrap();
        assert_eq!(header.document(&row).root().text("RemoteIP").as_deref(), Some("c,\"d"));
    }
}
