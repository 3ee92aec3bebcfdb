//! Events of Windows and of Sysmon for Linux as XML.
//!
//! Entities are never expanded: the five that XML knows and numbers of characters are read, another reference stays as it is written, and
//! declarations of entities are not looked at. Characters that XML forbids are taken as they are, for real logs hold them.

use std::borrow::Cow;

use std::sync::LazyLock;

use memchr::memmem::Finder;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Token};

use super::windows::{self, Event};
use super::{Outcome, Refusal, Tell, time, values};
use crate::originator::record::{Clock, Text, Time};

/// How many bytes an event's number may stand behind its tag: `<EventID Qualifiers='16384'>3`.
const NUMBER_WITHIN: usize = 64;

static EVENT_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"<EventID"));

/// The number of an event, where it can be seen without reading the XML.
pub(super) fn number(xml: &[u8]) -> Option<u32> {
    let rest = xml.get(EVENT_ID.find(xml)?..)?;
    let rest = rest.get(..NUMBER_WITHIN).unwrap_or(rest);
    let digits = rest.get(memchr::memchr(b'>', rest)? + 1..)?;
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(digits.get(..length)?).ok()?.parse().ok()
}

/// Tells what an event of any kind says.
pub(super) fn event(xml: &[u8], tell: Tell<'_>) -> Outcome {
    match number(xml) {
        Some(id) if !windows::matters(id) => Outcome::PassedOver,
        _ => match std::str::from_utf8(xml) {
            Ok(xml) => read(xml, None, tell),
            Err(_) => read(&String::from_utf8_lossy(xml), None, tell),
        },
    }
}

/// Tells what an event says. `host` is that of the line or row around it, for an event that does not name its own.
pub(super) fn read(xml: &str, host: Option<&str>, tell: Tell<'_>) -> Outcome {
    match parse(xml) {
        Ok(mut event) if windows::matters(event.id) => {
            event.host = event.host.or_else(|| host.map(Cow::Borrowed));
            event.tell(tell)
        }
        Ok(_) => Outcome::PassedOver,
        Err(why) => Outcome::Refused(why),
    }
}

/// What the text of an element is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Element {
    Id,
    Number,
    Channel,
    Computer,
    Data,
    Other,
}

fn parse(xml: &str) -> Result<Event<'_>, Refusal> {
    let mut reader = Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut event = Event::default();
    let (mut element, mut name, mut value) = (Element::Other, String::new(), Value::None);
    let (mut id, mut written, mut rendered) = (None, None, false);
    loop {
        match reader.read_event().map_err(|_| Refusal::BrokenXml)? {
            Token::Start(tag) if !rendered => {
                element = begin(&tag, &mut event, &mut name, &mut written);
                rendered = tag.local_name().as_ref() == "RenderingInfo";
                value = Value::None;
            }
            Token::Empty(tag) if !rendered => {
                begin(&tag, &mut event, &mut name, &mut written);
                element = Element::Other;
            }
            Token::Text(text) if element != Element::Other => value.push(text.into_inner()),
            Token::CData(text) if element != Element::Other => value.push(text.into_inner()),
            Token::GeneralRef(reference) if element != Element::Other => value.refer(&reference),
            Token::End(tag) => {
                let text = std::mem::replace(&mut value, Value::None).text();
                match std::mem::replace(&mut element, Element::Other) {
                    Element::Id => {
                        id = text.as_deref().and_then(values::number).and_then(|id| u32::try_from(id).ok())
                    }
                    Element::Number => event.number = text,
                    Element::Computer => event.host = text,
                    Element::Channel => event.provider = event.provider.or(text),
                    Element::Data => event.data.set(&name, || text),
                    Element::Other => {}
                }
                rendered = rendered && tag.local_name().as_ref() != "RenderingInfo";
            }
            Token::Eof => break,
            _ => {}
        }
    }
    event.id = id.ok_or(Refusal::BrokenXml)?;
    // The Security log is written when it happens; Sysmon writes later.
    let clock = if event.id > 100 { Clock::Event } else { Clock::Logged };
    event.written = written.map(|at| Time { at, clock });
    Ok(event)
}

/// Takes what the tag of an element says, and tells what its text will be.
fn begin(
    tag: &BytesStart<'_>,
    event: &mut Event<'_>,
    name: &mut String,
    written: &mut Option<crate::capture::Timestamp>,
) -> Element {
    let attribute = |name: &str| attribute(tag.attributes_raw(), name);
    match tag.local_name().as_ref() {
        "Data" => {
            name.clear();
            name.push_str(attribute("Name").unwrap_or_default());
            Element::Data
        }
        "EventID" => Element::Id,
        "EventRecordID" => Element::Number,
        "Channel" => Element::Channel,
        "Computer" => Element::Computer,
        "Provider" => {
            event.provider = attribute("Name").map(provider);
            Element::Other
        }
        "TimeCreated" => {
            *written = attribute("SystemTime").and_then(time::timestamp);
            Element::Other
        }
        _ => Element::Other,
    }
}

/// The value of an attribute as it is written: none that matters holds a reference.
fn attribute<'t>(attributes: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = attributes;
    // They are short: a search made ready for long texts costs more than it saves.
    let split = |text: &'t str, byte: u8| {
        let at = text.bytes().position(|other| other == byte)?;
        Some((text.get(..at)?, text.get(at + 1..)?))
    };
    loop {
        let (found, behind) = split(rest, b'=')?;
        let behind = behind.trim_ascii_start();
        let quote = behind.bytes().next().filter(|quote| matches!(quote, b'"' | b'\''))?;
        let (value, more) = split(behind.get(1..)?, quote)?;
        if found.trim_ascii() == name {
            return Some(value);
        }
        rest = more;
    }
}

/// The name of a provider, without a copy of those that matter.
fn provider(name: &str) -> Text<'static> {
    match name {
        "Microsoft-Windows-Sysmon" => Cow::Borrowed("Microsoft-Windows-Sysmon"),
        "Microsoft-Windows-Security-Auditing" => Cow::Borrowed("Microsoft-Windows-Security-Auditing"),
        "Linux-Sysmon" => Cow::Borrowed("Linux-Sysmon"),
        name => Cow::Owned(name.to_owned()),
    }
}

/// The text of an element, which references cut into pieces.
enum Value<'a> {
    None,
    Whole(Text<'a>),
}

impl<'a> Value<'a> {
    fn push(&mut self, more: Text<'a>) {
        match self {
            Self::None => *self = Self::Whole(more),
            Self::Whole(text) => grown(text, more.len()).push_str(&more),
        }
    }

    fn refer(&mut self, reference: &str) {
        let character = match reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number_of_character(reference),
        };
        match character {
            Some(character) => match self {
                Self::Whole(text) => grown(text, character.len_utf8()).push(character),
                Self::None => *self = Self::Whole(Cow::Owned(character.to_string())),
            },
            None => self.push(Cow::Owned(format!("&{reference};"))),
        }
    }

    fn text(self) -> Option<Text<'a>> {
        match self {
            Self::None => None,
            Self::Whole(text) => values::text(text),
        }
    }
}

/// A text to which more is added: what has one reference mostly has several.
fn grown<'t>(text: &'t mut Text<'_>, by: usize) -> &'t mut String {
    if let Cow::Borrowed(whole) = text {
        let mut owned = String::with_capacity((whole.len() + by) * 2 + 32);
        owned.push_str(whole);
        *text = Cow::Owned(owned);
    }
    text.to_mut()
}

fn number_of_character(reference: &str) -> Option<char> {
    let digits = reference.strip_prefix('#')?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_entities_are_not() {
        let xml = "<Event><System><EventID Qualifiers='1'>1</EventID><Computer>H&#x41;</Computer></System>\
                   <EventData><Data Name='CommandLine'>a &lt;b&gt; &bomb; &#0;\u{1}c<![CDATA[<d>]]></Data></EventData>\
                   <RenderingInfo><Computer>no</Computer><Data Name='Image'>no</Data></RenderingInfo></Event>";
        let event = parse(xml).unwrap();
        assert_eq!((event.id, event.host.as_deref()), (1, Some("HA")));
        assert_eq!(event.data.command_line.as_deref(), Some("a <b> &bomb; \0\u{1}c<d>"));
        assert_eq!(event.data.image, None);
        assert_eq!(number(xml.as_bytes()), Some(1));
    }
}
