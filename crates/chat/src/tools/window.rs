//! Spans of time, from their normal form to two times.
//!
//! Invariant: a span is worked out in UTC, as all times of an answer are written, and the answer names
//! both its ends, so a reader in another zone sees what was looked at.

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveTime, Utc};

/// From one time, and up to but without another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeSpan {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The first moment behind it.
    pub to: DateTime<Utc>,
}

/// Where the evening begins and the night ends, in hours.
const EVENING: u32 = 18;
const MORNING: u32 = 6;
/// How far around a time of day is still at that time.
const AROUND_MINUTES: i64 = 15;

impl TimeSpan {
    /// The span of a window in normal form, such as `last_night` or `22:00-23:30`, as seen at `now`.
    /// `None` for `now`, which is no span, and for a form that is not known.
    #[must_use]
    pub fn of(window: &str, now: DateTime<Utc>) -> Option<Self> {
        let today = now.date_naive();
        let days = |from: NaiveDate, to: NaiveDate| Self::between(from, 0, to, 0);
        let back = |count| today.checked_sub_days(Days::new(count));
        let ahead = |count| today.checked_add_days(Days::new(count));
        let monday = back(u64::from(today.weekday().num_days_from_monday()))?;
        let first = today.with_day(1)?;
        match window {
            "today" => days(today, ahead(1)?),
            "yesterday" => days(back(1)?, today),
            "tomorrow" => days(ahead(1)?, ahead(2)?),
            "last_night" => Self::between(back(1)?, EVENING, today, MORNING),
            "tonight" => Self::between(today, EVENING, ahead(1)?, MORNING),
            "this_week" => days(monday, monday.checked_add_days(Days::new(7))?),
            "last_week" => days(monday.checked_sub_days(Days::new(7))?, monday),
            "this_month" => days(first, first.checked_add_months(Months::new(1))?),
            "last_month" => days(first.checked_sub_months(Months::new(1))?, first),
            other => Self::counted(other, now)
                .or_else(|| Self::clock(other, now))
                .or_else(|| {
                    let day = NaiveDate::parse_from_str(other, "%Y-%m-%d").ok()?;
                    days(day, day.checked_add_days(Days::new(1))?)
                }),
        }
    }

    fn between(from: NaiveDate, from_hour: u32, to: NaiveDate, to_hour: u32) -> Option<Self> {
        Some(Self {
            from: from.and_hms_opt(from_hour, 0, 0)?.and_utc(),
            to: to.and_hms_opt(to_hour, 0, 0)?.and_utc(),
        })
    }

    /// `last_2h`, `last_7d`.
    fn counted(window: &str, now: DateTime<Utc>) -> Option<Self> {
        let rest = window.strip_prefix("last_")?;
        let hours = match (rest.strip_suffix('h'), rest.strip_suffix('d')) {
            (Some(hours), _) => hours.parse::<u32>().ok()?,
            (_, Some(days)) => days.parse::<u32>().ok()?.checked_mul(24)?,
            _ => return None,
        };
        let from = now.checked_sub_signed(Duration::hours(i64::from(hours)))?;
        // What ends at this second is within it.
        let to = now + Duration::seconds(1);
        Some(Self { from, to })
    }

    /// `HH:MM`, `HH:MM-HH:MM`, `since HH:MM`, `before HH:MM`: the last such time that has come.
    fn clock(window: &str, now: DateTime<Utc>) -> Option<Self> {
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
        let last = |time: NaiveTime| {
            let at = now.date_naive().and_time(time).and_utc();
            if at <= now {
                at
            } else {
                at - Duration::days(1)
            }
        };
        let end = now + Duration::seconds(1);
        if let Some(since) = window.strip_prefix("since ") {
            let from = last(time(since)?);
            return Some(Self { from, to: end });
        }
        if let Some(before) = window.strip_prefix("before ") {
            // Before six o'clock means of this day, whether six has come or not.
            let day = now.date_naive();
            let to = day.and_time(time(before)?).and_utc();
            let from = day.and_time(NaiveTime::MIN).and_utc();
            return Some(Self { from, to });
        }
        if let Some((from, to)) = window.split_once('-') {
            let (from, to) = (last(time(from)?), time(to)?);
            let to_day = from.date_naive().and_time(to).and_utc();
            let to = if to_day > from {
                to_day
            } else {
                to_day + Duration::days(1)
            };
            return Some(Self { from, to });
        }
        let at = last(time(window)?);
        let around = Duration::minutes(AROUND_MINUTES);
        Some(Self {
            from: at - around,
            to: at + around,
        })
    }

    /// Whether that moment is in it.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday, 4 March 2026, 10:30 UTC.
    fn now() -> DateTime<Utc> {
        "2026-03-04T10:30:00Z".parse().unwrap()
    }

    #[test]
    fn each_window_is_a_span_with_two_ends() {
        for (window, from, to) in [
            ("today", "2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z"),
            ("yesterday", "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"),
            ("last_night", "2026-03-03T18:00:00Z", "2026-03-04T06:00:00Z"),
            ("tonight", "2026-03-04T18:00:00Z", "2026-03-05T06:00:00Z"),
            ("this_week", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"),
            ("last_week", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"),
            ("last_month", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("last_2h", "2026-03-04T08:30:00Z", "2026-03-04T10:30:01Z"),
            ("last_7d", "2026-02-25T10:30:00Z", "2026-03-04T10:30:01Z"),
            (
                "since 06:00",
                "2026-03-04T06:00:00Z",
                "2026-03-04T10:30:01Z",
            ),
            (
                "since 22:00",
                "2026-03-03T22:00:00Z",
                "2026-03-04T10:30:01Z",
            ),
            (
                "before 06:00",
                "2026-03-04T00:00:00Z",
                "2026-03-04T06:00:00Z",
            ),
            (
                "22:00-01:30",
                "2026-03-03T22:00:00Z",
                "2026-03-04T01:30:00Z",
            ),
            ("02:30", "2026-03-04T02:15:00Z", "2026-03-04T02:45:00Z"),
            ("2026-03-02", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"),
        ] {
            let span = TimeSpan::of(window, now()).unwrap();
            let wanted = TimeSpan {
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
            };
            assert_eq!(span, wanted, "{window}");
        }
    }

    #[test]
    fn what_is_no_span_is_none() {
        for window in ["now", "", "some day", "25:00", "last_", "last_9999999999h"] {
            assert_eq!(TimeSpan::of(window, now()), None, "{window}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(window in "\\PC{0,20}", n in 0_u32..100_000) {
            let _span = TimeSpan::of(&window, now());
            let _span = TimeSpan::of(&format!("last_{n}d"), now());
        }
    }
}
