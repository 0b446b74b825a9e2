//! The same command again: nothing is uploaded twice.

use std::fs;

use crate::fixture::{Fixture, bucket::Snapshot, program::Exited, video};

#[test]
fn a_second_run_uploads_nothing_and_says_so() {
    let fixture = filled();
    let before = fixture.bucket().snapshot();
    let again = fixture.up(&[("front", &video::irregular())]).run();
    nothing_was_uploaded(&again.with_code(0), fixture.bucket().chunks().len());
    assert_unchanged(&before, &fixture.bucket().snapshot());
}

#[test]
fn a_second_run_without_spool_and_queue_uploads_nothing() {
    let fixture = filled();
    let before = fixture.bucket().snapshot();
    // No queue and no spool that could remember: the bucket alone says what it has.
    fs::remove_dir_all(fixture.path("data")).unwrap();
    let again = fixture.up(&[("front", &video::irregular())]).run();
    nothing_was_uploaded(&again.with_code(0), fixture.bucket().chunks().len());
    assert_unchanged(&before, &fixture.bucket().snapshot());
}

#[test]
fn the_table_of_a_second_run_says_nothing_was_uploaded() {
    let fixture = filled();
    let again = fixture
        .up(&[("front", &video::irregular())])
        .replace_flag("-o", "table")
        .run()
        .with_code(0);
    let table = again.stdout.join("\n");
    let chunks = fixture.bucket().chunks().len();
    assert!(
        table.contains(&format!("{chunks} (0 uploaded, {chunks} already there)"))
            && table.contains("Nothing was uploaded"),
        "{again}"
    );
}

#[test]
fn a_copy_of_the_file_is_the_same_recording() {
    let fixture = filled();
    let before = fixture.bucket().snapshot();
    let copy = fixture.path("copy.mp4");
    let original = video::irregular();
    fs::copy(&original, &copy).unwrap();
    let written = fs::metadata(&original).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&copy).unwrap();
    file.set_modified(written).unwrap();
    let again = fixture.up(&[("front", &copy)]).run();
    nothing_was_uploaded(&again.with_code(0), fixture.bucket().chunks().len());
    assert_unchanged(&before, &fixture.bucket().snapshot());
}

fn filled() -> Fixture {
    let fixture = Fixture::new();
    let first = fixture.up(&[("front", &video::irregular())]).run();
    let uploaded = first.with_code(0).output().count("uploaded");
    assert_eq!(uploaded, fixture.bucket().one_run().len() as u64);
    fixture
}

fn nothing_was_uploaded(again: &Exited, chunks: usize) {
    let output = again.output();
    assert_eq!(output.count("uploaded"), 0, "{again}");
    assert_eq!(output.count("already_there"), chunks as u64, "{again}");
    assert_eq!(output.chunks.len(), chunks, "{again}");
    assert!(
        output
            .chunks
            .iter()
            .all(|chunk| chunk["already_there"] == true),
        "{again}"
    );
}

fn assert_unchanged(before: &Snapshot, after: &Snapshot) {
    let names = |snapshot: &Snapshot| snapshot.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    for (path, was) in before {
        assert_eq!(Some(was), after.get(path), "{}", path.display());
    }
}
