//! The variables as a table: what each is good for, and what is refused.

use std::{collections::HashMap, ffi::OsString, time::Duration};

use super::endpoint::{Otlp, Protocol};
use super::environment::WrongVariable;
use super::settings::{Settings, Target};

/// `A=1 B=2` as an environment.
fn read(flag: Option<&str>, variables: &str) -> Result<Settings, WrongVariable> {
    let variables: HashMap<_, _> = variables
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    Settings::read(flag, &|name| variables.get(name).map(OsString::from))
}

fn addresses(targets: &[Target]) -> Vec<(&str, Protocol)> {
    let address = |target| match target {
        &Target::Otlp(Otlp {
            ref address,
            protocol,
            ..
        }) => (address.as_str(), protocol),
        Target::Console => ("stderr", Protocol::Http),
    };
    targets.iter().map(address).collect()
}

/// Where a signal goes, and how.
type Places = &'static [(&'static str, Protocol)];

/// What is said, by flag and variables; and where traces and metrics go then.
const DESTINATIONS: &[(Option<&str>, &str, Places, Places)] = &[
    (None, "", &[], &[]),
    (None, "OTEL_TRACES_EXPORTER= OTEL_SDK_DISABLED=", &[], &[]),
    (
        Some("http://c:4317"),
        "",
        &[("http://c:4317", Protocol::Grpc)],
        &[("http://c:4317", Protocol::Grpc)],
    ),
    (
        Some("http://c:4318/"),
        "",
        &[("http://c:4318/v1/traces", Protocol::Http)],
        &[("http://c:4318/v1/metrics", Protocol::Http)],
    ),
    (
        Some("http://c:4317"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        &[("http://c:4317/v1/traces", Protocol::Http)],
        &[("http://c:4317/v1/metrics", Protocol::Http)],
    ),
    (
        Some("c:1"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_METRICS_EXPORTER=none",
        &[("c:1", Protocol::Grpc)],
        &[],
    ),
    (
        None,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t/own",
        &[("http://t/own", Protocol::Http)],
        &[],
    ),
    (
        None,
        "OTEL_TRACES_EXPORTER=otlp OTEL_METRICS_EXPORTER=otlp OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=grpc",
        &[("http://localhost:4318/v1/traces", Protocol::Http)],
        &[("http://localhost:4317", Protocol::Grpc)],
    ),
    (
        Some("http://c:4318"),
        "OTEL_TRACES_EXPORTER=console,otlp OTEL_METRICS_EXPORTER=prometheus",
        &[
            ("stderr", Protocol::Http),
            ("http://c:4318/v1/traces", Protocol::Http),
        ],
        &[],
    ),
    (
        Some("http://c:4318/base/?key=of+house"),
        "OTEL_TRACES_EXPORTER=OTLP OTEL_METRICS_EXPORTER=None OTEL_EXPORTER_OTLP_PROTOCOL=HTTP/protobuf",
        &[("http://c:4318/base/v1/traces?key=of+house", Protocol::Http)],
        &[],
    ),
    (
        Some("http://c:4318"),
        "OTEL_SDK_DISABLED=TRUE OTEL_TRACES_EXPORTER=nonsense",
        &[],
        &[],
    ),
];

#[test]
fn where_telemetry_goes() {
    for (flag, variables, traces, metrics) in DESTINATIONS {
        let settings = read(*flag, variables).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(addresses(&settings.traces), *traces, "{flag:?} {variables}");
        assert_eq!(
            addresses(&settings.metrics),
            *metrics,
            "{flag:?} {variables}"
        );
    }
}

/// Variables of which the last is wrong, and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    ("OTEL_SDK_DISABLED=yes", "true or false"),
    ("OTEL_TRACES_EXPORTER=jaeger", "use otlp, console, or none"),
    (
        "OTEL_TRACES_EXPORTER=prometheus",
        "use otlp, console, or none",
    ),
    ("OTEL_TRACES_EXPORTER=otlp,none", "or none"),
    ("OTEL_METRICS_EXPORTER=statsd", "otlp, prometheus, console"),
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
    (
        "OTEL_BSP_MAX_QUEUE_SIZE=10 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=11",
        "holds 10",
    ),
    ("OTEL_BSP_SCHEDULE_DELAY=5s", "from 1 to 86400000"),
    ("OTEL_METRIC_EXPORT_INTERVAL=-1", "from 1 to 86400000"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT=many", "a number"),
    ("OTEL_RESOURCE_ATTRIBUTES=team", "key=value"),
    ("OTEL_RESOURCE_ATTRIBUTES==x", "key=value"),
    ("OTEL_RESOURCE_ATTRIBUTES=9th=floor", "begin with a letter"),
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
fn what_is_wrong_is_named_with_what_to_write_instead() {
    for (variables, said) in MISTAKES {
        let wrong = read(None, variables).expect_err(variables);
        let named = variables.rsplit(' ').next().unwrap_or_default();
        let named = named.split('=').next().unwrap_or_default();
        assert_eq!(wrong.variable, named, "{wrong}");
        assert!(wrong.to_string().contains(said), "{wrong}");
    }
}

#[test]
fn no_refusal_repeats_a_secret() {
    for (flag, variables) in [
        (
            None,
            "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_HEADERS=SECRET",
        ),
        (
            None,
            "OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_HEADERS=a=b,SECRET",
        ),
        (Some("ftp://user:SECRET@collector"), ""),
        (
            None,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://user:SECRET@collector",
        ),
    ] {
        let said = read(flag, variables).expect_err(variables).to_string();
        assert!(!said.contains("SECRET"), "{said}");
    }
}

#[test]
fn the_shorter_of_two_time_outs_holds() {
    let timeout = |variables: &str| match &read(Some("http://c:4318"), variables).unwrap().traces[0]
    {
        Target::Otlp(otlp) => otlp.timeout,
        Target::Console => panic!("a collector was asked for"),
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
