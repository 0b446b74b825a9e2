//! The resource: the attributes of the process that makes the telemetry.

use opentelemetry::KeyValue;
use opentelemetry_sdk::{Resource, resource::TelemetryResourceDetector};

use super::settings::Settings;
use crate::{about::About, producer};

/// The program as OpenTelemetry describes one. The environment overrides our own attributes: the
/// operator of a deployment knows better.
pub(super) fn new(about: &About, settings: &Settings) -> Resource {
    let instance = producer(about.version).instance;
    let host = instance.rsplit_once(':').map_or("", |(host, _)| host);
    let known = [
        KeyValue::new("service.name", about.name),
        KeyValue::new("service.namespace", "crispy"),
        KeyValue::new("service.version", about.version),
        // Messages and NATS connections carry the same name.
        KeyValue::new("service.instance.id", instance.clone()),
        KeyValue::new("host.name", host.to_owned()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    let attributes = settings.attributes.iter();
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(known)
        .with_attributes(attributes.map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .build()
}
