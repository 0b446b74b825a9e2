//! Setting up streams and consumers.

use async_nats::jetstream::stream;
use crispy_fault::{Kind, chain};
use crispy_queue::{
    Stage, Stream, Worker, WorkerConfig,
    topology::{self, Change},
};
use crispy_testbed::NatsOptions;
use futures_util::future::join_all;

use crate::fixture::Fixture;

async fn plan(fixture: &Fixture, force: bool) -> topology::Plan {
    topology::plan(&fixture.connection, None, force)
        .await
        .unwrap()
}

async fn names(fixture: &Fixture) -> Vec<String> {
    use futures_util::TryStreamExt;
    let names = fixture.connection.jetstream().stream_names();
    names.try_collect().await.unwrap()
}

async fn config(fixture: &Fixture, stream: Stream) -> stream::Config {
    let name = stream.name(fixture.connection.prefix());
    let stream = fixture
        .connection
        .jetstream()
        .get_stream(name)
        .await
        .unwrap();
    stream.cached_info().config.clone()
}

#[tokio::test]
async fn setting_up_twice_changes_nothing() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let first = plan(&fixture, false).await;
    assert_eq!(first.changes().len(), Stream::ALL.len() + Stage::ALL.len());
    first.apply().await.unwrap();
    for force in [false, true] {
        let second = plan(&fixture, force).await;
        assert_eq!(second.changes(), [], "force: {force}");
        assert_eq!(second.apply().await.unwrap().changes, []);
    }
    for stage in Stage::ALL {
        Worker::bind(&fixture.connection, WorkerConfig::new(stage))
            .await
            .unwrap();
    }
    topology::check(&fixture.connection, &Stream::ALL)
        .await
        .unwrap();
}

#[tokio::test]
async fn several_processes_can_set_up_at_once() {
    let fixture = Fixture::empty(&NatsOptions {
        max_file_store: Some(2 << 30),
        ..NatsOptions::default()
    })
    .await;
    let others = join_all((0..6).map(|_| fixture.connect())).await;
    let set_up = others.iter().map(|connection| async {
        let plan = topology::plan(connection, None, false).await?;
        plan.apply().await
    });
    for applied in join_all(set_up).await {
        applied.unwrap();
    }
    assert_eq!(names(&fixture).await.len(), Stream::ALL.len());
    assert_eq!(plan(&fixture, false).await.changes(), []);
}

#[tokio::test]
async fn a_stream_made_meanwhile_by_another_process_is_kept() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let late = plan(&fixture, false).await;
    fixture.set_up().await;
    let chunks = Stream::Chunks.name(fixture.connection.prefix());
    let mut smaller = config(&fixture, Stream::Chunks).await;
    smaller.max_bytes = 64 << 20;
    let jetstream = fixture.connection.jetstream();
    jetstream.update_stream(&smaller).await.unwrap();
    let applied = late.apply().await.unwrap();
    let made = |change: &Change| matches!(change, Change::CreateStream { stream, .. } if *stream == chunks);
    assert!(!applied.changes.iter().any(made), "{:?}", applied.changes);
    assert_eq!(config(&fixture, Stream::Chunks).await.max_bytes, 64 << 20);
    assert_eq!(plan(&fixture, false).await.changes(), []);
}

#[tokio::test]
async fn planning_lists_changes_and_makes_none() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let plan = plan(&fixture, false).await;
    let lines: Vec<String> = plan.changes().iter().map(Change::to_string).collect();
    assert_eq!(
        lines[0],
        "create stream CRISPY_CHUNKS: 8 GiB at most, 1 replica"
    );
    assert!(lines.contains(&"create consumer uploader of stream CRISPY_CHUNKS".to_owned()));
    drop(plan);
    assert_eq!(names(&fixture).await, Vec::<String>::new());
}

#[tokio::test]
async fn sizes_fit_a_small_store_in_proportion() {
    let store = 2_u64 << 30;
    let fixture = Fixture::with(&NatsOptions {
        max_file_store: Some(store),
        ..NatsOptions::default()
    })
    .await;
    let mut sum = 0;
    for stream in Stream::ALL {
        sum += config(&fixture, stream).await.max_bytes;
    }
    assert!(sum as u64 <= store, "{sum}");
    assert!(sum as u64 > store / 2, "most of the store is used: {sum}");
    let chunks = config(&fixture, Stream::Chunks).await.max_bytes;
    let uploaded = config(&fixture, Stream::Uploaded).await.max_bytes;
    assert!((uploaded - 2 * chunks).abs() <= 2 << 20);
    assert_eq!(plan(&fixture, false).await.changes(), []);
}

#[tokio::test]
async fn sizes_fit_the_limit_of_an_account() {
    let fixture = Fixture::empty(&NatsOptions {
        config: "accounts { A { jetstream { max_store: 1GB }, users: [{user: ann, password: pw}] } }\nno_auth_user: ann".into(),
        ..NatsOptions::default()
    })
    .await;
    let planned = plan(&fixture, false).await;
    let changes = planned.changes();
    let sizes = changes.iter().filter_map(|change| match change {
        Change::CreateStream { max_bytes, .. } => Some(*max_bytes),
        _ => None,
    });
    assert!(sizes.sum::<i64>() <= 1 << 30);
    assert_eq!(planned.apply().await.unwrap().changes, changes);
}

#[tokio::test]
async fn a_full_store_is_an_error_with_advice() {
    let fixture = Fixture::empty(&NatsOptions {
        max_file_store: Some(1 << 20),
        ..NatsOptions::default()
    })
    .await;
    let error = plan(&fixture, false).await.apply().await.unwrap_err();
    assert_eq!(error.kind(), &Kind::Rejected, "{error:?}");
    assert!(error.hint().unwrap().contains("max_file_store"));
}

#[tokio::test]
async fn tuned_limits_are_kept_until_forced() {
    let fixture = Fixture::new().await;
    let tuned = stream::Config {
        max_bytes: 1 << 20,
        ..config(&fixture, Stream::Chunks).await
    };
    let jetstream = fixture.connection.jetstream();
    jetstream.update_stream(&tuned).await.unwrap();
    assert_eq!(plan(&fixture, false).await.changes(), []);
    let forced = plan(&fixture, true).await;
    assert_eq!(
        forced.changes()[0].to_string(),
        "change stream CRISPY_CHUNKS: max_bytes from 1 MiB to 8 GiB"
    );
    forced.apply().await.unwrap();
    assert_eq!(config(&fixture, Stream::Chunks).await.max_bytes, 8 << 30);
}

#[tokio::test]
async fn forced_limits_fit_a_small_store() {
    let store = 2_u64 << 30;
    let fixture = Fixture::with(&NatsOptions {
        max_file_store: Some(store),
        ..NatsOptions::default()
    })
    .await;
    let fitted = config(&fixture, Stream::Chunks).await;
    let tuned = stream::Config {
        max_bytes: 1 << 20,
        ..fitted.clone()
    };
    let jetstream = fixture.connection.jetstream();
    jetstream.update_stream(&tuned).await.unwrap();
    plan(&fixture, true).await.apply().await.unwrap();
    let forced = config(&fixture, Stream::Chunks).await;
    assert_eq!(forced.max_bytes, fitted.max_bytes);
    let again = plan(&fixture, true).await.apply().await.unwrap();
    assert_eq!(again.changes, []);
}

#[tokio::test]
async fn streams_of_a_newer_version_are_left_alone() {
    let fixture = Fixture::new().await;
    let mut newer = config(&fixture, Stream::Events).await;
    newer
        .metadata
        .insert("crispy-schema".into(), (topology::SCHEMA + 1).to_string());
    newer.discard = stream::DiscardPolicy::New;
    let jetstream = fixture.connection.jetstream();
    jetstream.update_stream(&newer).await.unwrap();
    assert_eq!(plan(&fixture, true).await.changes(), []);
}

#[tokio::test]
async fn a_missing_stream_is_named_with_advice() {
    let fixture = Fixture::new().await;
    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream("CRISPY_UPLOADED").await.unwrap();
    let error = topology::check(&fixture.connection, &[Stream::Chunks, Stream::Uploaded])
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("stream CRISPY_UPLOADED missing at nats://"),
        "{error}"
    );
    assert_eq!(error.hint(), Some("run `crispy setup`"));
    let bind = Worker::bind(&fixture.connection, WorkerConfig::new(Stage::Inspector)).await;
    assert_eq!(bind.unwrap_err().hint(), Some("run `crispy setup`"));
    fixture.set_up().await;
    topology::check(&fixture.connection, &Stream::ALL)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_without_jetstream_is_an_error_with_advice() {
    let fixture = Fixture::empty(&NatsOptions {
        without_jetstream: true,
        ..NatsOptions::default()
    })
    .await;
    let error = topology::plan(&fixture.connection, None, false)
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert!(
        chain(&error).contains("JetStream is not enabled"),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("-js"));
}

#[tokio::test]
async fn impossible_numbers_of_replicas_are_refused() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    for replicas in [0, 2, 4] {
        let plan = topology::plan(&fixture.connection, Some(replicas), false).await;
        assert_eq!(plan.unwrap_err().kind(), &Kind::Rejected);
    }
}
