//! Every step fails twice, once with its work lost and once with its work done but reported lost. After a restart
//! nothing that was acknowledged is missing and no size was ever signed with two roots.

use std::fs;

use tlog::entry::Kind;

use super::fixture::{Fault, Fixture};
use super::forget::{DAY, a_day_later, is_anywhere, of_session};
use super::monitor::Mood;
use crate::steps::{Step, When};
use crate::{ForgetError, OpenError, WalError, Why};

/// Enough to fill tiles, so that partial ones are removed.
const MANY: usize = 300;

async fn fail_at(step: Step, when: When) {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, MANY).await;
    record.stop().await.unwrap();
    drop(record);

    *fixture.fault.lock().unwrap() = Some(Fault::Once(step, when));
    let record = fixture.reopen().await;
    let failed = fixture.append(&record, MANY).await;
    let stopped = record.stop().await;
    assert_eq!(*fixture.fault.lock().unwrap(), None, "the step was not reached");
    if step == Step::Sent {
        assert!(failed.is_empty(), "a lost answer is asked for again: {failed:?}");
    } else {
        let storage = stopped.is_err() || failed.iter().all(|error| matches!(error.why, Why::Storage(_)));
        assert!(storage, "a storage error stops the record: {failed:?}, {stopped:?}");
        let refused = fixture.append(&record, 1).await;
        assert!(matches!(refused[0].why, Why::Storage(_) | Why::Stopped), "{refused:?}");
    }
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_lost() {
    for step in Step::ALL {
        println!("{step:?}");
        fail_at(step, When::Before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_done_but_reported_lost() {
    for step in Step::ALL {
        println!("{step:?}");
        fail_at(step, When::After).await;
    }
}

/// Forgetting a day fails once at this step, and is finished when it is asked for again or at the next start.
async fn forgetting_fails_at(step: Step, when: When, restarts: bool) {
    let mut fixture = Fixture::new();
    let mut record = a_day_later(&mut fixture).await;
    let _ = record.append(of_session(Kind::SessionClose)).await.unwrap();
    let keys = ["access", "login"].map(|class| fixture.path(&format!("gate/keys/{DAY}.{class}.age")));
    let secrets = keys.map(|path| fs::read(path).unwrap().split_off(100));
    *fixture.fault.lock().unwrap() = Some(Fault::Once(step, when));
    let failed = record.forget(DAY, None, |_| Some(1)).await.unwrap_err();
    assert_eq!(*fixture.fault.lock().unwrap(), None, "the step was not reached");
    assert!(matches!(failed, ForgetError::Io { .. }), "{failed}");
    let gone = if restarts {
        let _ = record.stop().await;
        drop(record);
        record = fixture.reopen().await;
        record.finish_forgetting().await.unwrap()
    } else {
        record.forget(DAY, None, |_| Some(1)).await.unwrap()
    };
    assert_eq!(gone.len(), 2, "{gone:?}");
    for secret in secrets {
        assert!(!is_anywhere(&fixture.path("gate"), &secret), "the wrapped key is still there");
    }
    assert!(record.forget(DAY, None, |_| Some(1)).await.unwrap_err().to_string().contains("already"));
    record.stop().await.unwrap();
    let report = fixture.verify();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.entries_by_kind.get(&Kind::KeyForgotten), Some(&2), "each is recorded once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_forgetting_lost_or_done_but_reported_lost() {
    for (step, when) in Step::FORGETTING.into_iter().flat_map(|s| [(s, When::Before), (s, When::After)]) {
        for restarts in [false, true] {
            println!("{step:?} {when:?} {restarts}");
            forgetting_fails_at(step, when, restarts).await;
        }
    }
}

/// The newest segment of the write-ahead file.
fn newest_segment(fixture: &Fixture) -> std::path::PathBuf {
    let items = fs::read_dir(fixture.path("gate/wal")).unwrap().map(|item| item.unwrap().path());
    items.filter(|path| path.extension().is_some_and(|ext| ext == "wal")).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_cut_wherever_it_tears() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, 2).await;
    record.stop().await.unwrap();
    drop(record);
    fixture.monitor.set(Mood::Busy);
    // Three frames that the monitor never saw, the last of which is torn.
    let record = fixture.reopen().await;
    let mut ends = Vec::new();
    for _ in 0..3 {
        let (_, draft) = fixture.draft();
        let staged = record.lag().staged;
        let waiting = record.append(draft);
        while record.lag().staged == staged {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        drop(waiting);
        ends.push(fs::metadata(newest_segment(&fixture)).unwrap().len());
    }
    let _ = record.stop().await;
    drop(record);
    let segment = newest_segment(&fixture);
    let whole = fs::read(&segment).unwrap();
    for length in (0..ends[0]).step_by(37).chain([ends[1], ends[1] + 1, ends[2] - 1, ends[2]]) {
        fs::write(&segment, &whole[..usize::try_from(length).unwrap()]).unwrap();
        let record = fixture.reopen().await;
        let kept = ends.iter().filter(|end| **end <= length).count() as u64;
        // The first frame also holds the day's key.
        let expected = 3 + kept + u64::from(kept > 0);
        assert_eq!(record.lag().staged, expected, "{length}");
        let _ = record.stop().await;
    }
    fs::write(&segment, &whole[..whole.len() - 1]).unwrap();
    fixture.monitor.set(Mood::Honest);
    let record = fixture.reopen().await;
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_that_no_crash_leaves_is_refused() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, 2).await;
    fixture.append_all(&record, 2).await;
    record.stop().await.unwrap();
    drop(record);
    let segment = newest_segment(&fixture);
    let whole = fs::read(&segment).unwrap();
    let mut bad = whole.clone();
    bad[100] ^= 1;
    fs::write(&segment, &bad).unwrap();
    let refused = loop {
        match fixture.try_open() {
            Err(OpenError::Wal(WalError::Locked { .. })) => {}
            other => break other,
        }
    };
    assert!(matches!(refused, Err(OpenError::Wal(WalError::Damaged { .. }))));
    fs::write(&segment, &whole).unwrap();

    // The checkpoint must match the tiles, and a segment may not be missing.
    let checkpoint = fixture.path("record/checkpoint");
    let text = fs::read_to_string(&checkpoint).unwrap();
    fs::write(&checkpoint, text.replacen("\n5\n", "\n4\n", 1)).unwrap();
    assert!(matches!(fixture.try_open(), Err(OpenError::Published { .. })));
    fs::remove_file(&checkpoint).unwrap();
    fs::rename(&segment, segment.with_file_name("00000000000000000003.wal")).unwrap();
    assert!(fixture.try_open().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_lost_cosigned_entries_signs_nothing_more() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, 5).await;
    record.stop().await.unwrap();
    drop(record);
    for dir in ["record", "gate/wal", "gate/details"] {
        fs::remove_dir_all(fixture.path(dir)).unwrap();
    }
    let record = fixture.reopen().await;
    let refused = fixture.append(&record, 1).await;
    assert!(
        matches!(&refused[0].why, Why::Storage(problem) if problem.contains("holds 6 entries")),
        "{refused:?}"
    );
    assert_eq!(fixture.monitor.state().forks, Vec::<u64>::new());
}
