//! OpenTelemetry's variables and flag with wrong values.

use crispy_runtime::Exit;

use super::reporter;

#[test]
fn a_wrong_variable_is_ignored_with_a_warning() {
    let variables = [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"),
    ];
    let mut program = reporter(&["--ends"], &variables);
    for (variable, value) in variables {
        let line = program.line_with("environment variable ignored");
        assert!(line.contains(r#""level":"WARN""#), "{line}");
        let fields = format!(r#""variable":"{variable}","value":"{value}""#);
        assert!(line.contains(&fields), "{line}");
    }
    assert_eq!(program.code(), Some(0));
}

#[test]
fn an_empty_variable_leaves_the_value_to_the_file() {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let file = folder.path().join("crispy.toml");
    std::fs::write(&file, r#"otlp-endpoint = "nowhere""#).expect("write it");
    let config = file.to_str().expect("a path of ours");
    let mut program = reporter(
        &["--config", config],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
    );
    let line = program.line_with("error:");
    assert!(line.contains("--otlp-endpoint nowhere"), "{line}");
    let configuration = i32::from(Exit::Configuration.code());
    assert_eq!(program.code(), Some(configuration));
}

#[test]
fn a_wrong_certificate_is_named_and_nothing_is_exported() {
    let file = tempfile::NamedTempFile::new().expect("a file for the test");
    std::fs::write(file.path(), "no certificate").expect("write it");
    let path = file.path().to_str().expect("a path of ours");
    for protocol in ["grpc", "http/protobuf"] {
        let mut program = reporter(
            &["--ends", "--otlp-endpoint", "https://127.0.0.1:1"],
            &[
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", path),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
        );
        let line = program.line_with("environment variable ignored");
        assert!(line.contains(path), "{line}");
        let later = program.lines.by_ref().map_while(Result::ok);
        assert_eq!(later.filter(|line| line.contains("unreachable")).count(), 0);
        assert_eq!(program.code(), Some(0), "{protocol}");
    }
}
