//! Compiles the schema with protox, a protobuf compiler in Rust: no tool to install, the same on
//! every system.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = ["chunk", "run", "event", "dead_letter", "spool"]
        .map(|name| format!("crispy/v1/{name}.proto"))
        .into();
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let schema = protox::compile(&files, ["."])?;
    prost_build::Config::new().compile_fds(schema)?;
    Ok(())
}
