//! Numbers that other parts keep, read out at each scrape.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;

use super::BUCKETS;

/// How long something took, told by whoever does it. Cheap to clone; all clones are one histogram.
#[derive(Debug, Clone)]
pub struct Seconds {
    name: &'static str,
    help: &'static str,
    histogram: Histogram,
}

impl Seconds {
    /// An empty histogram; the name ends with `_seconds`.
    #[must_use]
    pub fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            histogram: Histogram::new(BUCKETS),
        }
    }

    /// One took this long.
    pub fn observe(&self, took: Duration) {
        self.histogram.observe(took.as_secs_f64());
    }

    /// What reads it out.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading {
            name: self.name,
            help: self.help,
            kind: MetricType::Histogram,
            label: None,
            read: Read::Seconds(self.histogram.clone()),
        }
    }
}

type Values = Vec<(String, u64)>;

/// A number, or a few by one label, that is read when somebody asks.
pub struct Reading {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    label: Option<&'static str>,
    read: Read,
}

enum Read {
    Values(Box<dyn Fn() -> Values + Send + Sync>),
    Seconds(Histogram),
}

impl Reading {
    /// A number that only grows.
    pub fn counter(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self::values(MetricType::Counter, name, help, None, one(read))
    }

    /// A number that goes up and down.
    pub fn gauge(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self::values(MetricType::Gauge, name, help, None, one(read))
    }

    /// Numbers that go up and down, one for each value of `label`.
    pub fn gauges(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) -> Self {
        Self::values(MetricType::Gauge, name, help, Some(label), read)
    }

    /// Numbers that only grow, one for each value of `label`.
    pub fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) -> Self {
        Self::values(MetricType::Counter, name, help, Some(label), read)
    }

    fn values(
        kind: MetricType,
        name: &'static str,
        help: &'static str,
        label: Option<&'static str>,
        read: impl Fn() -> Values + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            help,
            kind,
            label,
            read: Read::Values(Box::new(read)),
        }
    }
}

/// A number without a label.
fn one(read: impl Fn() -> u64) -> impl Fn() -> Values {
    move || vec![(String::new(), read())]
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        let read = match &self.read {
            Read::Values(read) => read,
            Read::Seconds(histogram) => return histogram.encode(metric),
        };
        for (value, number) in read() {
            let number_f = i64::try_from(number).unwrap_or(i64::MAX);
            let labels: Vec<(&str, &str)> = self
                .label
                .iter()
                .map(|label| (*label, value.as_str()))
                .collect();
            let mut row = metric.encode_family(&labels)?;
            match self.kind {
                MetricType::Counter => {
                    row.encode_counter::<[(&str, &str); 0], u64, u64>(&number, None)?;
                }
                _ => row.encode_gauge(&number_f)?,
            }
        }
        Ok(())
    }
}
