//! What forgetting leaves and what it does not, and what probes do to a record.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use tlog::entry::Kind;

use super::fixture::Fixture;
use super::monitor::Mood;
use crate::show::ShowError;
use crate::{Draft, ForgetError, Record};

pub(super) const DAY: &str = "2026-01-31";
const DAY_MICROS: i64 = 86_400_000_000;
const SESSION: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn of_session(kind: Kind) -> Draft {
    Draft { session: Some(SESSION.to_owned()), principal: Some("aoife".to_owned()), ..Draft::new(kind) }
}

/// A record with entries of one day in two classes, on the day after.
pub(super) async fn a_day_later(fixture: &mut Fixture) -> Record {
    let record = fixture.open();
    fixture.append_all(&record, 3).await;
    let login = Draft { session: None, ..of_session(Kind::LoginJudged) };
    for draft in [login, of_session(Kind::SessionOpen)] {
        let _ = record.append(draft).await.unwrap();
    }
    fixture.clock.fetch_add(DAY_MICROS, Ordering::Relaxed);
    record
}

/// Whether a file of a folder, at any depth, holds these bytes.
pub(super) fn is_anywhere(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().map(|item| item.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_anywhere(&path, bytes);
        }
        fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes)
    })
}

async fn refusal(record: &Record, day: &str, class: Option<&str>, days: Option<u32>) -> String {
    record.forget(day, class, |_| days).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_key_is_nowhere_and_the_record_verifies() {
    let mut fixture = Fixture::new();
    let record = a_day_later(&mut fixture).await;
    for (day, class, days, said) in [
        ("2026-02-01", None, Some(1), "has not passed"),
        ("2026-02-02", None, Some(1), "has not passed"),
        ("31.1.2026", None, Some(1), "is no day"),
        (DAY, None, None, "does not say how long the keys of class access are kept"),
        (DAY, None, Some(2), "kept for 2 days, and 2026-01-31 is 1 days ago"),
        ("2026-01-30", None, Some(1), "there is no key of 2026-01-30 here"),
        (DAY, Some("other"), Some(1), "there is no key of 2026-01-31 and class other"),
        (DAY, None, Some(1), "the key 2026-01-31.access is in use"),
    ] {
        let refused = refusal(&record, day, class, days).await;
        assert!(refused.contains(said), "{day}: {refused}");
    }
    let size = record.lag().staged;
    assert_eq!(size, 7, "a refusal is no entry");
    let login = record.forget(DAY, Some("login"), |_| Some(1)).await.unwrap();
    assert_eq!(login.iter().map(|gone| gone.key.as_str()).collect::<Vec<_>>(), ["2026-01-31.login"]);

    let _ = record.append(of_session(Kind::SessionClose)).await.unwrap();
    let wrapped = fs::read(fixture.path("gate/keys/2026-01-31.access.age")).unwrap();
    let secret = &wrapped[wrapped.len() - 64..];
    assert!(is_anywhere(&fixture.path("gate"), secret));
    let gone = record.forget(DAY, None, |_| Some(1)).await.unwrap();
    let [gone] = gone.as_slice() else { panic!("{gone:?}") };
    assert_eq!(gone.key, "2026-01-31.access");
    assert!(!is_anywhere(&fixture.path("gate"), secret), "the wrapped key is still there");
    assert!(refusal(&record, DAY, None, Some(1)).await.contains("were forgotten already, by entry"));

    fixture.append_all(&record, 2).await;
    record.stop().await.unwrap();
    let report = fixture.verify();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.entries_by_kind.get(&Kind::KeyForgotten), Some(&2));
    let reading = fixture.reading();
    let entry = reading.get(gone.entry).unwrap().unwrap().entry().unwrap();
    assert_eq!((entry.kind, entry.key.as_deref()), (Kind::KeyForgotten, Some("2026-01-31.access")));
    let sealed = reading.get(1).unwrap().unwrap();
    assert_eq!(sealed.entry().unwrap().kind, Kind::PolicyApplied, "the public entry is still shown");
    let opened = fixture.opener().open(&sealed);
    assert!(matches!(&opened, Err(ShowError::Forgotten { index: 1, gone: by }) if by == gone), "{opened:?}");
    let later = reading.get(reading.size() - 1).unwrap().unwrap();
    assert!(fixture.opener().open(&later).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silent_monitor_interrupts_is_finished_at_the_next_start() {
    let mut fixture = Fixture::new();
    let record = a_day_later(&mut fixture).await;
    let _ = record.append(of_session(Kind::SessionClose)).await.unwrap();
    fixture.monitor.set(Mood::Busy);
    let failed = record.forget(DAY, None, |_| Some(1)).await.unwrap_err();
    assert!(matches!(failed, ForgetError::NotWitnessed(_)), "{failed}");
    let _ = record.stop().await;
    drop(record);
    let key = fixture.path("gate/keys/2026-01-31.access.age");
    assert!(key.is_file(), "nothing is destroyed before it is witnessed");
    fixture.monitor.set(Mood::Honest);
    let record = fixture.reopen().await;
    let gone = record.finish_forgetting().await.unwrap();
    assert_eq!(gone.len(), 2, "{gone:?}");
    assert!(!key.exists());
    assert_eq!(record.finish_forgetting().await.unwrap(), []);
    record.stop().await.unwrap();
    let report = fixture.verify();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.entries_by_kind.get(&Kind::KeyForgotten), Some(&2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_probe_leaves_no_entry_and_a_cosigned_one_is_the_evidence() {
    let mut fixture = Fixture::new();
    let record = fixture.open();
    fixture.append_all(&record, 3).await;
    let probe = of_session(Kind::SessionOpen);
    fixture.monitor.set(Mood::Refuses(4));
    let refused = record.probe(probe.clone()).await.unwrap();
    assert_eq!((refused.index, refused.refused.as_deref()), (4, Some("not by my policy")));
    assert_eq!(record.lag().staged, 4);
    fixture.monitor.set(Mood::Honest);
    // What was signed over the probe leads nowhere.
    assert!(fixture.monitor.state().shown.remove(&5).is_some());
    fixture.append_all(&record, 2).await;

    // This one cosigns everything.
    let cosigned = record.probe(probe).await.unwrap();
    assert_eq!((cosigned.index, cosigned.refused), (6, None));
    fixture.append_all(&record, 2).await;
    fixture.settle(record).await;
    fixture.check_whole();
    let shown = fixture.reading().get(6).unwrap().unwrap();
    assert_eq!(shown.line, cosigned.line);
}
