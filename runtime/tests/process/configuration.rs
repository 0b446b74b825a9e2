//! Variables that are wrong: the program does not start, and names the variable.

use super::reporter;

#[test]
fn a_wrong_variable_is_a_configuration_error_that_names_it() {
    let mut program = reporter(&[], &[("OTEL_TRACES_EXPORTER", "zipkin")]);
    assert_eq!(
        program.line_with("error:"),
        r#"error: OTEL_TRACES_EXPORTER is "zipkin": use otlp, console, or none"#
    );
    let configuration = i32::from(crispy_runtime::Exit::Configuration.code());
    assert_eq!(program.code(), Some(configuration));
}

#[test]
fn an_empty_variable_leaves_the_word_to_the_file() {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let file = folder.path().join("crispy.toml");
    std::fs::write(&file, r#"otlp-endpoint = "nowhere""#).expect("write it");
    let config = file.to_str().expect("a path of ours");
    let mut program = reporter(
        &["--config", config],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
    );
    let line = program.line_with("error:");
    assert!(line.contains("nowhere"), "{line}");
}

#[test]
fn a_wrong_certificate_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file for the test");
    std::fs::write(file.path(), "no certificate").expect("write it");
    let path = file.path().to_str().expect("a path of ours");
    for protocol in ["grpc", "http/protobuf"] {
        let mut program = reporter(
            &["--otlp-endpoint", "https://127.0.0.1:1"],
            &[
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", path),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
        );
        let line = program.line_with("error:");
        assert!(line.contains(path), "{line}");
        assert_eq!(program.code(), Some(13), "{protocol}");
    }
}
