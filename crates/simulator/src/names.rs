//! Ids and instants as the engine writes them.
//!
//! Every id is a UUID of version 3, derived from a name, so a test may know it beforehand and two
//! runs of the simulator agree.

use std::fmt;

use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// Whole seconds since 1970, UTC: the unit of the plan.
pub(crate) type Secs = i64;

/// The zone of every agent of the bank.
pub(crate) const ZONE: Tz = chrono_tz::Europe::Rome;

/// The id of an object; on the wire with hyphens and in lower case.
pub(crate) type Id = Uuid;

/// The id of the object of `kind` called `name`.
pub(crate) fn id(kind: &str, name: impl fmt::Display) -> Id {
    Uuid::new_v3(&Uuid::NAMESPACE_URL, format!("{kind}:{name}").as_bytes())
}

/// The id that a text is in its usual spelling; any other text is nobody's.
pub(crate) fn parse_id(text: &str) -> Option<Id> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// The instant `seconds` after the epoch; the epoch itself when out of the calendar.
pub(crate) fn instant(seconds: Secs) -> DateTime<Utc> {
    Utc.timestamp_opt(seconds, 0).single().unwrap_or_default()
}

/// An instant as the wire writes it: `2026-03-02T22:41:07Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Iso(pub(crate) Secs);

impl fmt::Display for Iso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = instant(self.0);
        let (year, month, day) = (at.year(), at.month(), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

impl Serialize for Iso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `2026-03-02T22:41:07Z`.
pub(crate) fn iso(seconds: Secs) -> String {
    Iso(seconds).to_string()
}

/// A duration as the wire writes it: `PT1H4M12S`; `PT0S` for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Secs);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.0 / 3600, 'H'),
            (self.0 / 60 % 60, 'M'),
            (self.0 % 60, 'S'),
        ];
        if self.0 == 0 {
            return f.write_str("PT0S");
        }
        f.write_str("PT")?;
        let mut parts = parts.iter().filter(|(count, _)| *count != 0);
        parts.try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `PT1H4M12S`.
pub(crate) fn iso_duration(seconds: Secs) -> String {
    Span(seconds).to_string()
}

/// Seconds of an ISO 8601 duration without years and months; `None` when it is none.
pub(crate) fn parse_duration(text: &str) -> Option<Secs> {
    let rest = text.strip_prefix('P')?;
    let (mut total, mut digits, mut in_time) = (0_i64, String::new(), false);
    for c in rest.chars() {
        let unit = match c {
            'T' => {
                in_time = true;
                continue;
            }
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'D' => 86_400,
            'H' => 3600,
            'M' if in_time => 60,
            'S' => 1,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    digits.is_empty().then_some(total)
}

/// The offset of [`ZONE`] at an instant, in seconds east.
pub(crate) fn local(seconds: Secs) -> DateTime<Tz> {
    instant(seconds).with_timezone(&ZONE)
}

/// The instant at which the clocks of [`ZONE`] show `hour` on the day of `seconds` there, plus
/// `days`. A gap in the clock's face counts from the hour after it.
pub(crate) fn local_hour(seconds: Secs, hour: u32, days: i64) -> Secs {
    let day = (local(seconds).date_naive() + TimeDelta::days(days)).and_hms_opt(hour, 0, 0);
    let at = day.and_then(|day| ZONE.from_local_datetime(&day).earliest());
    at.map_or(seconds, |at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_three() {
        let id = id("job", "FIN_GL_POST");
        assert_eq!(id.get_version_num(), 3);
        let text = id.to_string();
        assert_eq!(parse_id(&text), Some(id));
        assert_eq!(
            (parse_id("none"), parse_id(&text.replace('-', ""))),
            (None, None)
        );
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for seconds in [0, 1, 59, 60, 252, 3600, 14_420] {
            assert_eq!(parse_duration(&iso_duration(seconds)), Some(seconds));
        }
        assert_eq!(iso_duration(14_420), "PT4H20S");
        assert_eq!(parse_duration("4 minutes"), None);
    }

    #[test]
    fn the_local_hour_follows_summer_time() {
        let saturday = 1_774_670_400; // 2026-03-28T04:00:00Z
        let (before, after) = (local_hour(saturday, 16, 0), local_hour(saturday, 16, 1));
        assert_eq!(after - before, 23 * 3600);
    }
}
