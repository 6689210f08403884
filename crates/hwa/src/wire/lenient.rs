//! Values as engines really send them: absent, null, or in another clothing than documented.
//!
//! A field of the wrong shape reads as absent; it never fails the object that holds it. What matters
//! enough to fail (an id, a name) is checked where the object becomes one of ours.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, number or boolean; anything else reads as absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Scalar {
    #[default]
    Absent,
    Flag(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// A text that is not blank; a number becomes its digits.
    pub(crate) fn str(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(Cow::Borrowed(text)),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Absent | Self::Flag(_) | Self::Float(_) | Self::Text(_) => None,
        }
    }

    /// The same, of its own.
    pub(crate) fn text(&self) -> Option<String> {
        self.str().map(Cow::into_owned)
    }

    /// The same, without a copy.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(text),
            Self::Int(number) => Some(number.to_string()),
            Self::Absent | Self::Flag(_) | Self::Float(_) | Self::Text(_) => None,
        }
    }

    /// A whole number, also as text or as a float without a fraction.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked to be whole and within 53 bits"
            )]
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(*number as i64)
            }
            Self::Text(text) => text.trim().parse().ok(),
            Self::Absent | Self::Flag(_) | Self::Float(_) => None,
        }
    }

    /// A number that fits, none when it is negative or too large.
    pub(crate) fn number<T: TryFrom<i64>>(&self) -> Option<T> {
        self.int().and_then(|number| T::try_from(number).ok())
    }

    /// A boolean, also as text.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Whether a boolean is there and set.
    pub(crate) fn is_set(&self) -> bool {
        self.flag() == Some(true)
    }

    /// An instant with an offset or `Z`; without one it is taken as UTC; a number is milliseconds
    /// since 1970.
    pub(crate) fn instant(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Text(text) => {
                let text = text.trim();
                DateTime::parse_from_rfc3339(text)
                    .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
                    .map(|instant| instant.with_timezone(&Utc))
                    .or_else(|_| {
                        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                            .map(|local| local.and_utc())
                    })
                    .ok()
            }
            Self::Int(millis) => DateTime::from_timestamp_millis(*millis),
            _ => None,
        }
    }

    /// A duration in whole seconds: ISO 8601, or milliseconds as a number. None when negative.
    pub(crate) fn seconds(&self) -> Option<u64> {
        match self {
            Self::Text(text) => {
                let text = text.trim();
                match text.parse::<i64>() {
                    Ok(millis) => u64::try_from(millis).ok().map(|ms| ms / 1000),
                    Err(_) => iso_seconds(text),
                }
            }
            Self::Int(millis) => u64::try_from(*millis).ok().map(|ms| ms / 1000),
            _ => None,
        }
    }
}

/// `P1DT2H3M4.5S` in whole seconds. Years and months have no fixed length and give none.
fn iso_seconds(text: &str) -> Option<u64> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None if rest.is_empty() => return None,
        None => (rest, ""),
    };
    let mut total = 0_u64;
    for (part, units) in [
        (days, [('W', 604_800), ('D', 86_400), ('\0', 0)]),
        (time, [('H', 3_600), ('M', 60), ('S', 1)]),
    ] {
        let mut number = String::new();
        // Units come in falling order, each at most once.
        let mut allowed = units.iter();
        for c in part.chars() {
            if c.is_ascii_digit() || (c == '.' && !number.is_empty()) {
                number.push(c);
            } else {
                let (_, length) = allowed.find(|(unit, _)| *unit == c)?;
                let whole = match number.split_once('.') {
                    Some((whole, _)) if c == 'S' => whole,
                    Some(_) => return None,
                    None => &number,
                };
                total = total.checked_add(whole.parse::<u64>().ok()?.checked_mul(*length)?)?;
                number.clear();
            }
        }
        if !number.is_empty() {
            return None;
        }
    }
    Some(total)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Absent, Scalar::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }
    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
}

/// An object, or nothing when the value is something else.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Object<T> {
    pub(crate) fn or_default(self) -> T
    where
        T: Default,
    {
        self.0.unwrap_or_default()
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

macro_rules! nothing_for_scalars {
    ($nothing:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
    };
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    nothing_for_scalars!(Object(None));
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Object(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Object(Some(value)))
    }
}

/// A list; anything else reads as none at all, which differs from an empty one.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> List<T> {
    /// The items, none when there is no list.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.0.unwrap_or_default()
    }

    /// The items, none when there is no list.
    pub(crate) fn items(&self) -> &[T] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    nothing_for_scalars!(List(None));
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(List(Some(items)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(List(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar(json: &str) -> Scalar {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_and_booleans_may_be_texts() {
        assert_eq!(scalar("\"12\"").int(), Some(12));
        assert_eq!(scalar("12.0").int(), Some(12));
        assert_eq!(scalar("-1").number::<u8>(), None);
        assert_eq!(scalar("256").number::<u8>(), None);
        assert_eq!(scalar("\"true\"").flag(), Some(true));
        assert_eq!(scalar("\"False\"").flag(), Some(false));
        assert_eq!(scalar("\"yes\"").flag(), None);
        assert_eq!(scalar("18446744073709551615").int(), None);
        assert_eq!(scalar("12").text().as_deref(), Some("12"));
        assert_eq!(scalar("\"  \"").text(), None);
    }

    #[test]
    fn another_shape_reads_as_absent() {
        for json in ["null", "[1,[2]]", "{\"a\":{\"b\":1}}"] {
            assert_eq!(scalar(json), Scalar::Absent, "{json}");
        }
    }

    #[test]
    fn instants_come_with_z_an_offset_millis_or_none() {
        let expected = "2025-10-13T21:59:00Z".parse::<DateTime<Utc>>().unwrap();
        for json in [
            "\"2025-10-13T21:59:00Z\"",
            "\"2025-10-13T21:59:00.000Z\"",
            "\"2025-10-13T23:59:00+02:00\"",
            "\"2025-10-13T23:59:00.000+0200\"",
            "\"2025-10-13T21:59:00\"",
            "1760392740000",
        ] {
            assert_eq!(scalar(json).instant(), Some(expected), "{json}");
        }
        assert_eq!(scalar("\"yesterday\"").instant(), None);
    }

    #[test]
    fn durations_are_iso_or_millis() {
        for (json, seconds) in [
            ("\"PT18M\"", Some(1_080)),
            ("\"PT4H20S\"", Some(14_420)),
            ("\"P1DT1S\"", Some(86_401)),
            ("\"P1W\"", Some(604_800)),
            ("\"PT0.9S\"", Some(0)),
            ("\"PT61.5S\"", Some(61)),
            ("1500", Some(1)),
            ("\"60000\"", Some(60)),
            ("-5", None),
            ("\"P1Y\"", None),
            ("\"PT\"", None),
            ("\"P\"", None),
            ("\"PT1\"", None),
            ("\"PT1S1H\"", None),
            ("\"PT99999999999999999999H\"", None),
            ("null", None),
        ] {
            assert_eq!(scalar(json).seconds(), seconds, "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_reading(text in any::<String>()) {
            let scalar = Scalar::Text(text);
            let _ = (scalar.int(), scalar.flag(), scalar.instant(), scalar.seconds());
        }

        #[test]
        fn every_whole_duration_reads_back(h in 0_u64..1000, m in 0_u64..60, s in 0_u64..60) {
            let scalar = Scalar::Text(format!("PT{h}H{m}M{s}S"));
            prop_assert_eq!(scalar.seconds(), Some(h * 3600 + m * 60 + s));
        }
    }
}
