//! A JSON value as a list of its fields in the order of the text: one allocation, texts borrowed where nothing in them is escaped.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::values;
use crate::originator::record::Text;

/// The most fields of one record. The largest of Windows and Elastic have below 300; a table of a thousand rows in one line still fits.
const MAX_FIELDS: usize = 65_536;

/// How many fields a record usually has.
const USUAL_FIELDS: usize = 64;

/// A JSON value, flattened.
#[derive(Debug)]
pub(super) struct Document<'a> {
    fields: Vec<Field<'a>>,
}

#[derive(Debug)]
struct Field<'a> {
    key: Text<'a>,
    value: Value<'a>,
    /// Where the first field is that does not belong to this one.
    end: usize,
}

#[derive(Debug)]
enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Text<'a>),
    Object,
    Array,
}

impl<'a> Document<'a> {
    /// Reads a whole JSON text.
    pub(super) fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        Self::parse_in(json, Spare::default())
    }

    /// The same in the memory of another document.
    pub(super) fn parse_in(json: &'a str, spare: Spare) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let mut document = Self { fields: spare.0 };
        document.fields.reserve(USUAL_FIELDS);
        Slot { document: &mut document, key: Cow::Borrowed("") }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(document)
    }

    /// A row of a table.
    pub(super) fn row(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut document = Self { fields: Vec::with_capacity(USUAL_FIELDS) };
        document.push(Cow::Borrowed(""), Value::Object);
        for (column, cell) in cells {
            document.push(Cow::Borrowed(column), Value::Text(Cow::Borrowed(cell)));
        }
        document.close(0);
        document
    }

    /// The memory of its fields, for another document.
    #[expect(clippy::unnecessary_filter_map, reason = "a filter would go on borrowing from the text")]
    pub(super) fn recycle(mut self) -> Spare {
        if self.fields.capacity() > 16 * USUAL_FIELDS {
            return Spare::default();
        }
        self.fields.clear();
        // Nothing is left in it: what is collected is the same memory for fields that borrow from elsewhere.
        Spare(self.fields.into_iter().filter_map(|_| None).collect())
    }

    /// The whole of it.
    pub(super) const fn root(&self) -> Node<'_> {
        Node { document: self, at: 0 }
    }

    fn push(&mut self, key: Text<'a>, value: Value<'a>) {
        let end = self.fields.len() + 1;
        self.fields.push(Field { key, value, end });
    }

    fn close(&mut self, at: usize) {
        let end = self.fields.len();
        if let Some(field) = self.fields.get_mut(at) {
            field.end = end;
        }
    }
}

/// Memory for the fields of a document.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<Field<'static>>);

/// A value in a [`Document`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'d> {
    document: &'d Document<'d>,
    at: usize,
}

impl<'d> Node<'d> {
    /// The fields of an object, or the elements of an array, whose keys are empty.
    pub(super) fn children(self) -> Children<'d> {
        Children {
            document: self.document,
            next: self.at + 1,
            end: self.field().map_or(0, |field| field.end),
        }
    }

    /// The value at a path, be it nested (`{"process":{"pid":1}}`), dotted (`{"process.pid":1}`), or both in turn.
    pub(super) fn get(self, path: &str) -> Option<Self> {
        self.children().find_map(|(key, node)| {
            // Most keys are of another length: that is seen without a comparison of texts.
            match path.as_bytes().get(key.len()) {
                None if path.len() == key.len() => (path == key).then_some(node),
                Some(b'.') => path.strip_prefix(key)?.strip_prefix('.').and_then(|rest| node.get(rest)),
                _ => None,
            }
        })
    }

    /// The text at a path, unless it is a placeholder. Of several in an array, the first.
    pub(super) fn text(self, path: &str) -> Option<Text<'d>> {
        self.get(path)?.as_text()
    }

    /// The number at a path, be it a number or a text.
    pub(super) fn number(self, path: &str) -> Option<u64> {
        self.get(path)?.as_number()
    }

    /// Likewise one that fits.
    pub(super) fn small<T: TryFrom<u64>>(self, path: &str) -> Option<T> {
        self.number(path).and_then(|number| number.try_into().ok())
    }

    /// Whether it has the path.
    pub(super) fn has(self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// Itself as a text, unless it is a placeholder; a number or truth value as it is written.
    pub(super) fn as_text(self) -> Option<Text<'d>> {
        match &self.field()?.value {
            Value::Text(text) => values::told(text).map(Cow::Borrowed),
            Value::Integer(number) => Some(Cow::Owned(number.to_string())),
            Value::Float(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(true) => Some(Cow::Borrowed("true")),
            Value::Bool(false) => Some(Cow::Borrowed("false")),
            Value::Array => self.children().next()?.1.as_text(),
            Value::Null | Value::Object => None,
        }
    }

    /// Itself, if it is a text that is not empty.
    pub(super) fn as_str(self) -> Option<&'d str> {
        match &self.field()?.value {
            Value::Text(text) => values::told(text),
            _ => None,
        }
    }

    /// Itself as a number.
    pub(super) fn as_number(self) -> Option<u64> {
        match &self.field()?.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Float(number) if number.fract() == 0.0 && (0.0..9.0e15).contains(number) => {
                Some(*number as u64)
            }
            Value::Text(text) => values::number(text),
            _ => None,
        }
    }

    /// Itself as a truth value.
    pub(super) fn as_bool(self) -> Option<bool> {
        match &self.field()?.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Whether it is an array.
    pub(super) fn is_array(self) -> bool {
        self.field().is_some_and(|field| matches!(field.value, Value::Array))
    }

    /// Whether it is an object.
    pub(super) fn is_object(self) -> bool {
        self.field().is_some_and(|field| matches!(field.value, Value::Object))
    }

    fn field(self) -> Option<&'d Field<'d>> {
        self.document.fields.get(self.at)
    }
}

/// The fields of an object or the elements of an array.
pub(super) struct Children<'d> {
    document: &'d Document<'d>,
    next: usize,
    end: usize,
}

impl<'d> Iterator for Children<'d> {
    type Item = (&'d str, Node<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let field = self.document.fields.get(self.next)?;
        let node = Node { document: self.document, at: self.next };
        self.next = field.end;
        Some((&field.key, node))
    }
}

/// The place of a value that is about to be read.
struct Slot<'s, 'a> {
    document: &'s mut Document<'a>,
    key: Text<'a>,
}

impl<'a> Slot<'_, 'a> {
    fn put<E: serde::de::Error>(self, value: Value<'a>) -> Result<(), E> {
        if self.document.fields.len() >= MAX_FIELDS {
            return Err(E::custom("too many fields"));
        }
        self.document.push(self.key, value);
        Ok(())
    }

    /// Whether its text is for people. It is never read: it repeats the record in words that differ by language and version, and
    /// shows placeholders where the fields have values. What wraps a record whole is no such text.
    fn is_message(&self, text: &str) -> bool {
        matches!(&*self.key, "message" | "Message") && !text.trim_ascii_start().starts_with(['<', '{'])
    }
}

impl<'a> DeserializeSeed<'a> for Slot<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if &*self.key == "Message" {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Slot<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.put(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.put(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.put(Value::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.put(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.put(Value::Float(value))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'a str) -> Result<(), E> {
        match self.is_message(value) {
            true => Ok(()),
            false => self.put(Value::Text(Cow::Borrowed(value))),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        match self.is_message(value) {
            true => Ok(()),
            false => self.put(Value::Text(Cow::Owned(value.to_owned()))),
        }
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { document, key } = self;
        let at = document.fields.len();
        Slot { document: &mut *document, key }.put(Value::Array)?;
        while elements.next_element_seed(Slot { document: &mut *document, key: Cow::Borrowed("") })?.is_some()
        {
        }
        document.close(at);
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self { document, key } = self;
        let at = document.fields.len();
        Slot { document: &mut *document, key }.put(Value::Object)?;
        while let Some(Key(key)) = fields.next_key()? {
            fields.next_value_seed(Slot { document: &mut *document, key })?;
        }
        document.close(at);
        Ok(())
    }
}

/// The name of a field.
struct Key<'a>(Text<'a>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_nested_or_dotted() {
        for json in [
            r#"{"a":[1,{"x":2}],"process":{"parent":{"pid":"7"},"pid":8},"z":null}"#,
            r#"{"process.parent.pid":7,"process.pid":8}"#,
            r#"{"process":{"name":"x"},"process.parent":{"pid":7},"process":{"pid":8.0}}"#,
        ] {
            let document = Document::parse(json).unwrap();
            assert_eq!(document.root().number("process.parent.pid"), Some(7), "{json}");
            assert_eq!(document.root().number("process.pid"), Some(8), "{json}");
            assert!(document.root().get("process.p").is_none());
            assert!(document.root().text("z").is_none());
        }
    }

    #[test]
    fn texts_of_people_are_left_out() {
        let json = r#"{"Message":"a","message":"b","x":{"message":"<Event/>"},"y":["","c"]}"#;
        let document = Document::parse(json).unwrap();
        let root = document.root();
        assert!(!root.has("Message") && !root.has("message"));
        assert_eq!(root.text("x.message").as_deref(), Some("<Event/>"));
        assert_eq!(root.text("y"), None);
        assert_eq!(root.get("y").unwrap().children().count(), 2);
    }

    #[test]
    fn too_many_fields_are_refused() {
        let many = format!("[{}1]", "1,".repeat(MAX_FIELDS));
        assert!(Document::parse(&many).is_err());
    }
}
