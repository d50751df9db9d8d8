//! What callers see of a monitor in each of its moods, and what readers see of the record.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tlog::entry::Kind;

use super::fixture::Fixture;
use super::monitor::Mood;
use crate::clock::now;
use crate::shared::Shared;
use crate::{BACKLOG_BYTES_MAX, BACKLOG_ENTRIES_MAX, Detail, Draft, OpenError, Record, WalError, Why};

async fn all_cosigned(record: &Record) {
    for _ in 0..2_000 {
        if record.lag().cosigned == record.lag().staged {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not all is cosigned after 10 s: {:?}", record.lag());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn witnessed_entries_are_published_and_can_be_shown() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    for count in [1, 2, 250, 300] {
        fixture.append_all(&record, count).await;
    }
    let witnessed = record.append(Draft::new(Kind::SessionOpen)).await;
    // A session.open without a session is a finding for the reader; it is here for its certificate.
    let witnessed = witnessed.unwrap();
    assert_eq!((witnessed.index(), witnessed.certificate()), (554, Some("PEM 554")));
    let lag = record.stop().await.unwrap();
    assert_eq!((lag.staged, lag.cosigned, lag.published), (555, 555, 555));
    let stopped = fixture.append(&record, 1).await;
    assert!(matches!(stopped[0].why, Why::Stopped));
    let report = fixture.verify();
    assert_eq!((report.size, report.findings.len()), (555, 1), "{:?}", report.findings);
    let shown = fixture.reading().get(3).unwrap().unwrap();
    assert_eq!(fixture.opener().open(&shown).unwrap().unwrap()["number"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_without_a_monitor_is_witnessed_once_it_is_signed() {
    let mut fixture = Fixture::new();
    fixture.alone = true;
    let record = fixture.open();
    for count in [1, 300] {
        fixture.append_all(&record, count).await;
    }
    record.stop().await.unwrap();
    drop(record);
    let record = fixture.reopen().await;
    fixture.append_all(&record, 2).await;
    record.stop().await.unwrap();
    let report = fixture.verify();
    assert!(report.is_clean() && report.size == 305, "{} {:?}", report.size, report.findings);
    assert_eq!(fixture.monitor.state().batches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_monitor_means_not_witnessed_and_later_cosigned() {
    for mood in [Mood::Busy, Mood::Hangs, Mood::HalfHearted] {
        let mut fixture = Fixture::new();
        let record = fixture.open();
        fixture.append_all(&record, 2).await;
        fixture.monitor.set(mood.clone());
        let began = now();
        let failed = fixture.append(&record, 4).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{mood:?}");
        let indices: Vec<_> = failed.iter().map(|error| error.index).collect();
        assert_eq!(indices, [Some(3), Some(4), Some(5), Some(6)], "{mood:?}");
        assert!(failed.iter().all(|error| matches!(error.why, Why::Silent { .. })), "{failed:?}");
        // What comes while the monitor is silent is staged too, and readable.
        let late = fixture.append(&record, 1).await;
        assert_eq!(late[0].index, Some(7), "{mood:?}: {late:?}");
        assert_eq!(fixture.reading().size(), 8);
        fixture.monitor.set(Mood::Honest);
        all_cosigned(&record).await;
        fixture.append_all(&record, 2).await;
        fixture.settle(record).await;
        fixture.check_whole();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_that_is_not_there_is_found_when_it_comes() {
    let mut fixture = Fixture::new();
    let url = std::mem::replace(&mut fixture.monitor.url, "http://127.0.0.1:9".to_owned());
    let record = fixture.open();
    let failed = fixture.append(&record, 1).await;
    assert!(failed[0].to_string().contains("trefoil-monitor"), "{}", failed[0]);
    let _ = record.stop().await;
    drop(record);
    assert!(crate::monitor_state(&fixture.monitor.url, None).await.is_err());
    fixture.monitor.url = url;
    assert_eq!(crate::monitor_state(&fixture.monitor.url, None).await.unwrap().size, 0);
    let record = fixture.reopen().await;
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_the_monitor_refuses_holds_up_what_follows() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, 1).await;
    fixture.monitor.set(Mood::Refuses(4));
    let failed = fixture.append(&record, 4).await;
    let refused: Vec<_> = failed.iter().map(|error| error.index).collect();
    assert_eq!(refused, [Some(4), Some(5)], "{failed:?}");
    assert!(failed.iter().all(|error| matches!(error.why, Why::Refused { index: 4, .. })), "{failed:?}");
    assert_eq!(record.lag().cosigned, 4);
    let next = fixture.append(&record, 1).await;
    assert!(matches!(next[0].why, Why::Refused { index: 4, .. }) && next[0].index.is_none(), "{next:?}");
    // The monitor accepts the policy.
    fixture.monitor.set(Mood::Honest);
    all_cosigned(&record).await;
    fixture.append_all(&record, 2).await;
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_that_lost_entries_is_given_them_again() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    for count in [100, 700] {
        fixture.append_all(&record, count).await;
    }
    for size in [801, 800, 256, 37, 0] {
        fixture.monitor.restore(size);
        fixture.append_all(&record, 2).await;
    }
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_day_and_each_start_has_its_key_and_time_never_goes_back() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, 1).await;
    let noon = fixture.clock.fetch_add(86_400_000_000, Ordering::Relaxed);
    fixture.append_all(&record, 1).await;
    fixture.clock.store(noon, Ordering::Relaxed);
    fixture.append_all(&record, 1).await;
    record.stop().await.unwrap();
    drop(record);
    let record = fixture.reopen().await;
    fixture.append_all(&record, 1).await;
    fixture.settle(record).await;
    fixture.check_whole();
    let mut keys = Vec::new();
    let each = |shown: crate::show::Shown| {
        let entry = shown.entry()?;
        if entry.kind == Kind::KeyMade {
            keys.extend(entry.key);
        }
        Ok::<(), crate::show::ShowError>(())
    };
    fixture.reading().each(0, u64::MAX, each).unwrap();
    let expected = ["2026-01-31.access", "2026-02-01.access", "2026-02-01.access.2", "2026-02-01.access.3"];
    assert_eq!(keys, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_and_unfit_entries_are_refused() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    assert!(matches!(fixture.try_open(), Err(OpenError::Wal(WalError::Locked { .. }))));
    let place = Some("Ireland".to_owned());
    let unfit = Draft { place, ..Draft::new(Kind::GateStart) };
    let unfit = record.append(unfit).await.unwrap_err();
    assert!(matches!(unfit.why, Why::Unfit(_)) && unfit.index.is_none(), "{unfit}");
    let detail = Detail::of(&"x".repeat(crate::DETAIL_BYTES_MAX)).ok();
    let huge = record.append(Draft { detail, ..Draft::new(Kind::GateStart) }).await.unwrap_err();
    assert!(matches!(huge.why, Why::Unfit(_)), "{huge}");
    // Large details do not fit one frame together.
    for _ in 0..2 {
        let detail = Detail::of(&"x".repeat(crate::DETAIL_BYTES_MAX - 2)).ok();
        let large = Draft { detail, ..Draft::new(Kind::GateStart) };
        let waiting: Vec<_> = (0..5).map(|_| record.append(large.clone())).collect();
        for waiting in waiting {
            let _ = waiting.await;
        }
    }
    all_cosigned(&record).await;
    fixture.append_all(&record, 1).await;
    record.stop().await.unwrap();
    assert!(fixture.verify().is_clean());
}

#[test]
fn what_may_wait_is_bounded() {
    let shared = Shared::default();
    for _ in 0..BACKLOG_ENTRIES_MAX {
        assert!(shared.enter(1).is_ok());
    }
    assert!(matches!(shared.enter(1), Err(Why::Full { .. })));
    shared.leave(BACKLOG_ENTRIES_MAX, BACKLOG_ENTRIES_MAX);
    assert!(shared.enter(BACKLOG_BYTES_MAX).is_ok());
    assert!(matches!(shared.enter(1), Err(Why::Full { .. })));
}
