//! What a ClientHello looks like: a browser's, or another program's.

/// What kind of client a hello looks like. Never the name of a process.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum WireClass {
    /// As browsers write it.
    BrowserLike,
    /// As libraries and tools write it.
    ToolLike,
    /// There is no hello, or it may be either.
    #[default]
    Unknown,
}

impl WireClass {
    /// The word in records and rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BrowserLike => "browser-like",
            Self::ToolLike => "tool-like",
            Self::Unknown => "unknown",
        }
    }
}
