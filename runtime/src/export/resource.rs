//! Who made the telemetry.

use opentelemetry::KeyValue;
use opentelemetry_sdk::{Resource, resource::TelemetryResourceDetector};

use super::settings::Settings;
use crate::{about::About, producer};

/// The program as OpenTelemetry describes one. What the environment says goes over what we know, for whoever deploys knows better.
pub(super) fn of(about: &About, settings: &Settings) -> Resource {
    let instance = producer(about.version).instance;
    let host = instance.rsplit_once(':').map_or("", |(host, _)| host);
    let known = [
        KeyValue::new("service.name", about.name),
        KeyValue::new("service.namespace", "crispy"),
        KeyValue::new("service.version", about.version),
        // The name by which messages and NATS connections know it too.
        KeyValue::new("service.instance.id", instance.clone()),
        KeyValue::new("host.name", host.to_owned()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    let told = settings.attributes.iter();
    let told = told.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let named = settings.service_name.iter();
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(known)
        .with_attributes(told)
        .with_attributes(named.map(|name| KeyValue::new("service.name", name.clone())))
        .build()
}
