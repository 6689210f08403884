//! What is asked of XML, by local names: a document may choose its prefixes.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

pub(super) fn is(element: &BytesStart<'_>, name: &str) -> bool {
    local(element) == name
}

pub(super) fn local(element: &BytesStart<'_>) -> String {
    let name = element.local_name();
    let name: &str = name.as_ref();
    name.to_owned()
}

/// The value of an attribute by its local name.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    element
        .attributes()
        .with_checks(false)
        .flatten()
        .find_map(|attribute| {
            let local = attribute.key.local_name();
            let local: &str = local.as_ref();
            if local != name {
                return None;
            }
            attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .ok()
                .map(Cow::into_owned)
        })
}

/// Appends the characters of an event; an entity that is not XML's own has none.
pub(super) fn push_text(event: &Event<'_>, text: &mut String) {
    match event {
        Event::Text(part) => text.push_str(&part.xml_content(XmlVersion::Implicit1_0)),
        Event::CData(part) => text.push_str(&part.xml_content(XmlVersion::Implicit1_0)),
        Event::GeneralRef(reference) => {
            if let Ok(Some(c)) = reference.resolve_char_ref() {
                text.push(c);
            } else if let Some(known) = resolve_predefined_entity(reference) {
                text.push_str(known);
            }
        }
        _ => {}
    }
}
