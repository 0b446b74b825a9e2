//! Twice is once: the same file sent again uploads nothing, and says so.

use std::fs;

use crate::house::{House, bucket::Snapshot, program::Ended, video};

#[test]
fn a_second_run_uploads_nothing_and_says_so() {
    let house = filled();
    let before = house.bucket().snapshot();
    let again = house.up(&[("front", &video::irregular())]).run();
    nothing_was_uploaded(&again.with_code(0), house.bucket().chunks().len());
    assert_unchanged(&before, &house.bucket().snapshot());
}

#[test]
fn a_second_run_that_knows_nothing_of_the_first_uploads_nothing_either() {
    let house = filled();
    let before = house.bucket().snapshot();
    // No queue and no spool that could remember: the bucket alone says what it has.
    fs::remove_dir_all(house.path("data")).unwrap();
    let again = house.up(&[("front", &video::irregular())]).run();
    nothing_was_uploaded(&again.with_code(0), house.bucket().chunks().len());
    assert_unchanged(&before, &house.bucket().snapshot());
}

#[test]
fn a_second_run_tells_people_too_that_nothing_was_uploaded() {
    let house = filled();
    let again = house
        .up(&[("front", &video::irregular())])
        .instead("-o", "table")
        .run()
        .with_code(0);
    let table = again.stdout.join("\n");
    let chunks = house.bucket().chunks().len();
    assert!(
        table.contains(&format!("{chunks} (0 uploaded, {chunks} already there)"))
            && table.contains("Nothing was uploaded"),
        "{again}"
    );
}

#[test]
fn a_copy_of_the_file_under_another_name_is_the_same_recording() {
    let house = filled();
    let before = house.bucket().snapshot();
    let copy = house.path("copy.mp4");
    let original = video::irregular();
    fs::copy(&original, &copy).unwrap();
    let written = fs::metadata(&original).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&copy).unwrap();
    file.set_modified(written).unwrap();
    let again = house.up(&[("front", &copy)]).run();
    nothing_was_uploaded(&again.with_code(0), house.bucket().chunks().len());
    assert_unchanged(&before, &house.bucket().snapshot());
}

fn filled() -> House {
    let house = House::new();
    let first = house.up(&[("front", &video::irregular())]).run();
    let uploaded = first.with_code(0).answers().count("uploaded");
    assert_eq!(uploaded, house.bucket().one_run().len() as u64);
    house
}

fn nothing_was_uploaded(again: &Ended, chunks: usize) {
    let answers = again.answers();
    assert_eq!(answers.count("uploaded"), 0, "{again}");
    assert_eq!(answers.count("already_there"), chunks as u64, "{again}");
    assert_eq!(answers.chunks.len(), chunks, "{again}");
    assert!(
        answers
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
