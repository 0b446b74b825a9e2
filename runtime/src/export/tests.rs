//! The variables as tables: destinations, and values that are ignored.

use std::{collections::HashMap, ffi::OsString, time::Duration};

use super::{
    collector::{Collector, Protocol},
    settings::Settings,
};
use crate::{Exit, Failed};

/// Reads `A=1 B=2` as an environment.
fn read(flag: Option<&str>, variables: &str) -> Result<Settings, Failed> {
    let variables: HashMap<_, _> = variables
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    Settings::read(flag, &|name| variables.get(name).map(OsString::from))
}

/// The address and protocol of a signal.
type Destination = Option<(&'static str, Protocol)>;

fn destination(collector: &Option<Collector>) -> Option<(&str, Protocol)> {
    let collector = collector.as_ref()?;
    Some((&collector.address, collector.protocol))
}

/// Flag, variables, and the destinations of traces and metrics.
const DESTINATIONS: &[(Option<&str>, &str, Destination, Destination)] = &[
    (None, "", None, None),
    (None, "OTEL_TRACES_EXPORTER= OTEL_SDK_DISABLED=", None, None),
    (
        Some("http://c:4317"),
        "",
        Some(("http://c:4317", Protocol::Grpc)),
        Some(("http://c:4317", Protocol::Grpc)),
    ),
    (
        Some("http://c:4318/"),
        "",
        Some(("http://c:4318/v1/traces", Protocol::Http)),
        Some(("http://c:4318/v1/metrics", Protocol::Http)),
    ),
    (
        Some("http://c:4317"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        Some(("http://c:4317/v1/traces", Protocol::Http)),
        Some(("http://c:4317/v1/metrics", Protocol::Http)),
    ),
    (
        Some("c:1"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_METRICS_EXPORTER=none",
        Some(("c:1", Protocol::Grpc)),
        None,
    ),
    (
        None,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t/own",
        Some(("http://t/own", Protocol::Http)),
        None,
    ),
    (
        None,
        "OTEL_TRACES_EXPORTER=otlp OTEL_METRICS_EXPORTER=otlp OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=grpc",
        Some(("http://localhost:4318/v1/traces", Protocol::Http)),
        Some(("http://localhost:4317", Protocol::Grpc)),
    ),
    (
        Some("http://c:4318"),
        "OTEL_METRICS_EXPORTER=prometheus",
        Some(("http://c:4318/v1/traces", Protocol::Http)),
        None,
    ),
    (
        Some("http://c:4318/base/?key=of+collector"),
        "OTEL_TRACES_EXPORTER=OTLP OTEL_METRICS_EXPORTER=None OTEL_EXPORTER_OTLP_PROTOCOL=HTTP/protobuf",
        Some((
            "http://c:4318/base/v1/traces?key=of+collector",
            Protocol::Http,
        )),
        None,
    ),
    (
        Some("http://c:4318"),
        "OTEL_SDK_DISABLED=TRUE OTEL_TRACES_EXPORTER=nonsense",
        None,
        None,
    ),
    // Wrong variables count as unset.
    (
        Some("collector"),
        "OTEL_EXPORTER_OTLP_ENDPOINT=collector",
        None,
        None,
    ),
    (
        Some("http://c:4318"),
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://t OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/json",
        Some(("http://c:4318/v1/traces", Protocol::Http)),
        Some(("http://c:4318/v1/metrics", Protocol::Http)),
    ),
    (
        Some("http://c:4317"),
        "OTEL_TRACES_EXPORTER=zipkin OTEL_METRICS_EXPORTER=statsd,none",
        Some(("http://c:4317", Protocol::Grpc)),
        Some(("http://c:4317", Protocol::Grpc)),
    ),
    // Never without the certificates that were asked for.
    (
        Some("https://c:4317"),
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=/none",
        None,
        Some(("https://c:4317", Protocol::Grpc)),
    ),
];

#[test]
fn destinations_follow_flag_and_variables() {
    for (flag, variables, traces, metrics) in DESTINATIONS {
        let settings = read(*flag, variables).unwrap_or_else(|error| panic!("{error}"));
        let found = (
            destination(&settings.traces),
            destination(&settings.metrics),
        );
        assert_eq!(found, (*traces, *metrics), "{flag:?} {variables}");
    }
}

/// Variables of which the last is wrong, and the hint about it.
const MISTAKES: &[(&str, &str)] = &[
    ("OTEL_SDK_DISABLED=yes", "true or false"),
    ("OTEL_TRACES_EXPORTER=jaeger", "use otlp, or none"),
    ("OTEL_TRACES_EXPORTER=console", "use otlp, or none"),
    ("OTEL_TRACES_EXPORTER=otlp,none", "or none"),
    ("OTEL_METRICS_EXPORTER=statsd", "otlp, prometheus"),
    ("OTEL_PROPAGATORS=b3", "tracecontext, baggage, or none"),
    ("OTEL_TRACES_SAMPLER=sometimes", "traceidratio"),
    ("OTEL_TRACES_SAMPLER=jaeger_remote", "traceidratio"),
    (
        "OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=1.5",
        "from 0 to 1",
    ),
    (
        "OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=1%",
        "from 0 to 1",
    ),
    ("OTEL_BSP_MAX_QUEUE_SIZE=0", "from 1 to"),
    ("OTEL_BSP_SCHEDULE_DELAY=5s", "from 1 to 86400000"),
    ("OTEL_METRIC_EXPORT_INTERVAL=-1", "from 1 to 86400000"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT=many", "a number"),
    ("OTEL_RESOURCE_ATTRIBUTES=team", "key=value"),
    ("OTEL_RESOURCE_ATTRIBUTES==x", "key=value"),
    (
        "OTEL_RESOURCE_ATTRIBUTES=9th=site",
        "beginning with a letter",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector",
        "http://host:port",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://c",
        "http://host:port",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
        "grpc or http/protobuf",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_COMPRESSION=zstd",
        "gzip or none",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_TIMEOUT=10s",
        "from 1 to",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_INSECURE=1",
        "true or false",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_CERTIFICATE=/none",
        "No such file",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_CLIENT_KEY=/k",
        "not supported",
    ),
    (
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_HEADERS=token",
        "name=value",
    ),
    (
        "OTEL_METRICS_EXPORTER=prometheus OTEL_EXPORTER_PROMETHEUS_PORT=http",
        "from 0 to 65535",
    ),
];

#[test]
fn wrong_variables_are_ignored_by_name_with_a_hint() {
    for (variables, hint) in MISTAKES {
        let settings = read(None, variables).expect(variables);
        let [ignored] = &settings.ignored[..] else {
            panic!("{variables}: {:#?}", settings.ignored)
        };
        let wrong = variables.rsplit(' ').next().unwrap_or_default();
        let name = wrong.split('=').next().unwrap_or_default();
        assert_eq!(ignored.variable, name);
        assert!(ignored.hint.contains(hint), "{ignored:?}");
    }
}

#[test]
fn numbers_out_of_bounds_are_defaults() {
    let wrong = "OTEL_BSP_MAX_QUEUE_SIZE=0 OTEL_BSP_SCHEDULE_DELAY=0 OTEL_METRIC_EXPORT_INTERVAL=0";
    let (wrong, unset) = (read(None, wrong).unwrap(), read(None, "").unwrap());
    assert_eq!(wrong.batches, unset.batches);
    assert_eq!(wrong.metric_interval, unset.metric_interval);
    let small = "OTEL_BSP_MAX_QUEUE_SIZE=10 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=11";
    let batches = read(None, small).unwrap().batches;
    assert_eq!((batches.queue, batches.size), (10, 10));
}

#[test]
fn a_wrong_flag_is_a_configuration_error() {
    let failed = read(Some("nowhere"), "").unwrap_err();
    assert_eq!(failed.exit, Exit::Configuration);
    assert!(failed.to_string().contains("nowhere"), "{failed}");
}

#[test]
fn no_refusal_or_warning_repeats_a_secret() {
    for variables in [
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_HEADERS=SECRET",
        "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_HEADERS=a=b,SECRET",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://user:SECRET@collector",
    ] {
        let ignored = read(None, variables).expect(variables).ignored;
        let text = format!("{ignored:?}");
        assert!(!ignored.is_empty() && !text.contains("SECRET"), "{text}");
    }
    let failed = read(Some("ftp://user:SECRET@collector"), "").unwrap_err();
    assert!(!failed.to_string().contains("SECRET"), "{failed}");
}

#[test]
fn the_shorter_of_two_timeouts_holds() {
    let timeout = |variables: &str| {
        let settings = read(Some("http://c:4318"), variables).unwrap();
        settings.traces.expect("a collector").timeout
    };
    assert_eq!(timeout(""), Duration::from_secs(10));
    assert_eq!(
        timeout("OTEL_EXPORTER_OTLP_TIMEOUT=500 OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=700"),
        Duration::from_millis(700)
    );
    assert_eq!(
        timeout("OTEL_EXPORTER_OTLP_TIMEOUT=500 OTEL_BSP_EXPORT_TIMEOUT=200"),
        Duration::from_millis(200)
    );
}

#[test]
fn prometheus_is_at_the_standard_address() {
    let address = |variables: &str| read(None, variables).unwrap().scrape_at;
    let scraped = "OTEL_METRICS_EXPORTER=otlp,Prometheus";
    assert_eq!(address(scraped).as_deref(), Some("localhost:9464"));
    let elsewhere = "OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.2 OTEL_EXPORTER_PROMETHEUS_PORT=1";
    let elsewhere = address(&format!("{scraped} {elsewhere}"));
    assert_eq!(elsewhere.as_deref(), Some("127.0.0.2:1"));
    assert_eq!(address(&format!("{scraped} OTEL_SDK_DISABLED=true")), None);
    assert_eq!(address("OTEL_METRICS_EXPORTER=otlp"), None);
}
