//! Object keys.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

use crispy_proto::{
    id::{CameraId, ChunkId, KeyError, MAX_SEQUENCE, ObjectKey, Run, run_state_key},
    v1,
};
use jiff::Timestamp;
use proptest::prelude::*;

fn containers() -> impl Strategy<Value = v1::Container> {
    prop_oneof![
        Just(v1::Container::Mp4),
        Just(v1::Container::Mkv),
        Just(v1::Container::MpegTs)
    ]
}

fn any_key() -> impl Strategy<Value = ObjectKey> {
    let name = "[a-z0-9][a-z0-9_-]{0,62}";
    let chunk = (
        name,
        name,
        0..1_u64 << 48,
        any::<[u8; 10]>(),
        0..=MAX_SEQUENCE,
    );
    let chunk = chunk.prop_map(|(site, camera, start, identity, sequence)| ChunkId {
        camera: CameraId::from_wire(&site, &camera).unwrap(),
        run: Run::new(start, identity),
        sequence,
    });
    (chunk, 0..10_000_000_000_000_u64, any::<u64>(), containers()).prop_map(
        |(chunk, start_ms, duration_us, container)| ObjectKey {
            chunk,
            start_ms,
            duration_us,
            container,
        },
    )
}

fn descriptor(start_us: i64) -> v1::ChunkReady {
    let id: ChunkId = format!("demo/front/{}/0000000003", Run::new(0, [0; 10]))
        .parse()
        .unwrap();
    v1::ChunkReady {
        id: Some(id.to_wire()),
        wall: Some(v1::WallInterval {
            start_us,
            end_us: start_us + 3_000_000,
            ..Default::default()
        }),
        duration_us: 3_000_000,
        container: v1::Container::Mp4.into(),
        ..Default::default()
    }
}

#[test]
fn a_descriptor_has_the_documented_key() {
    let key = ObjectKey::from_descriptor(&descriptor(1_763_839_803_000_999))
        .unwrap()
        .to_string();
    assert_eq!(
        key,
        "v1/demo/front/2025/11/22/19/1763839803000-3000000-00000000000000000000000000-0000000003.mp4"
    );
}

#[test]
fn a_run_has_the_documented_key() {
    let state = v1::RunState {
        site: "demo".into(),
        camera: "front".into(),
        run: Run::new(0, [0; 10]).to_string(),
        next_sequence: 20,
        ..Default::default()
    };
    assert_eq!(
        run_state_key(&state).unwrap(),
        "v1/demo/front/runs/00000000000000000000000000-0000000020.json"
    );
    assert!(
        run_state_key(&v1::RunState {
            camera: "../x".into(),
            ..state
        })
        .is_err()
    );
}

#[test]
fn a_descriptor_without_a_valid_key_is_refused() {
    assert_eq!(
        ObjectKey::from_descriptor(&descriptor(-1)),
        Err(KeyError::Start(-1))
    );
    assert!(ObjectKey::from_descriptor(&descriptor(10_000_000_000_000_000)).is_err());
    let negative = v1::ChunkReady {
        duration_us: -1,
        ..descriptor(0)
    };
    assert_eq!(
        ObjectKey::from_descriptor(&negative),
        Err(KeyError::Duration(-1))
    );
    assert_eq!(
        ObjectKey::from_descriptor(&v1::ChunkReady {
            wall: None,
            ..descriptor(0)
        }),
        Err(KeyError::NoWallClock)
    );
    assert!(
        ObjectKey::from_descriptor(&v1::ChunkReady {
            container: 99,
            ..descriptor(0)
        })
        .is_err()
    );
    assert!(
        ObjectKey::from_descriptor(&v1::ChunkReady {
            id: None,
            ..descriptor(0)
        })
        .is_err()
    );
}

#[test]
fn keys_in_another_spelling_are_refused() {
    let good = ObjectKey::from_descriptor(&descriptor(1_763_839_803_000_000))
        .unwrap()
        .to_string();
    assert!(good.parse::<ObjectKey>().is_ok());
    for bad in [
        good.replace("/19/", "/20/"),
        good.replace("-3000000-", "-03000000-"),
        good.replace("-3000000-", "-+3000000-"),
        good.replace(".mp4", ".MP4"),
        good.replace("v1/", "v2/"),
        format!("{good}/"),
    ] {
        assert!(bad.parse::<ObjectKey>().is_err(), "{bad} was accepted");
    }
}

proptest! {
    #[test]
    fn parsing_and_printing_are_inverse(key in any_key()) {
        prop_assert_eq!(key.to_string().parse::<ObjectKey>(), Ok(key));
    }

    #[test]
    fn the_folders_are_the_hour_in_utc(key in any_key()) {
        let start = Timestamp::from_millisecond(key.start_ms as i64).unwrap();
        let hour = start.strftime("%Y/%m/%d/%H").to_string();
        prop_assert!(key.to_string().contains(&format!("/{hour}/")), "{} lacks {}", key, hour);
    }

    #[test]
    fn keys_of_one_camera_sort_by_time(a in any_key(), start_ms in 0..10_000_000_000_000_u64) {
        let b = ObjectKey { start_ms, ..a.clone() };
        prop_assert_eq!(a.start_ms.cmp(&b.start_ms), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn keys_need_no_escaping_and_fit_every_store(key in any_key()) {
        let text = key.to_string();
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b)), "{}", text);
        prop_assert!(text.len() <= 1024 && text.split('/').all(|part| !part.is_empty() && part.len() < 128));
        prop_assert!(!text.contains("..") && !text.contains("//"));
    }
}
