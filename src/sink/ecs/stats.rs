//! What a sensor has counted, as a document.

use serde::Serialize;

use super::VERSION;
use super::fields::{Ecs, Event, Observer};
use crate::capture::Timestamp;
use crate::sink::Stats;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    ecs: Ecs,
    event: Event,
    observer: Observer<'a>,
    undertone: Undertone<'a>,
}

#[derive(Serialize)]
struct Undertone<'a> {
    stats: &'a Stats,
}

/// The document of a `stats` record.
pub(super) const fn document(stats: &Stats) -> Document<'_> {
    Document {
        timestamp: stats.at,
        ecs: Ecs { version: VERSION },
        event: Event {
            kind: "metric",
            category: &["network"],
            type_: &["info"],
            module: "undertone",
            dataset: "undertone.stats",
            id: None,
            action: None,
            severity: None,
            risk_score: None,
            reason: None,
            start: None,
            end: None,
            duration: None,
        },
        observer: Observer {
            vendor: "undertone",
            product: "undertone",
            type_: "sensor",
            version: env!("CARGO_PKG_VERSION"),
            ingress: None,
        },
        undertone: Undertone { stats },
    }
}
