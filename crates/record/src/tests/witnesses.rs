//! Foreign witnesses beside the monitor: nothing is released before as many as the rule asks for have cosigned, whatever
//! the others do.

use std::time::Duration;

use super::fixture::Fixture;
use super::monitor::Mood;
use super::stranger::{Manner, Stranger};
use crate::clock::now;
use crate::{Record, Why};

const ALL: &str = "group everyone all witness redecided";

fn with(strangers: &[&Stranger], quorum: Option<usize>) -> Fixture {
    let mut fixture = Fixture::new();
    let mut lines = String::new();
    let names: Vec<String> = (1..=strangers.len()).map(|number| format!("w{number}")).collect();
    for (name, stranger) in names.iter().zip(strangers) {
        lines += &stranger.line(name);
    }
    let names = names.join(" ");
    lines += &match quorum {
        None => format!("{ALL} {names}\n"),
        Some(k) => format!("group others {k} {names}\n{ALL} others\n"),
    };
    fixture.rule_lines = Some(lines + "quorum everyone\n");
    fixture
}

/// Until all of it is cosigned.
async fn caught_up(record: &Record) {
    for _ in 0..2_000 {
        if record.lag().cosigned == record.lag().staged {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not all is cosigned after 10 s: {:?}", record.lag());
}

/// Nothing is witnessed while the stranger is like this, and the error says why; all of it is afterwards.
async fn refused_while(manner: Manner, because: &str) {
    let stranger = Stranger::start("w.example/one");
    let mut fixture = with(&[&stranger], None);
    let record = fixture.open();
    fixture.append_all(&record, 2).await;
    stranger.be(manner);
    let failed = fixture.append(&record, 3).await;
    assert_eq!(failed.len(), 3, "{manner:?}");
    for error in &failed {
        let said = error.to_string();
        assert!(matches!(error.why, Why::Silent { .. }) && said.contains(because), "{manner:?}: {said}");
    }
    stranger.be(Manner::Proper);
    caught_up(&record).await;
    fixture.append_all(&record, 2).await;
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_without_a_witness_that_the_rule_asks_for() {
    for (manner, because) in [
        (Manner::Away, "no cosignature by w1"),
        (Manner::Forges, "does not verify"),
        (Manner::Timeless, "has no time"),
        (Manner::Boasts, "restore the record"),
        (Manner::Slow(2_000), "within 1500 ms"),
    ] {
        refused_while(manner, because).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_forgot_or_lags_is_proved_what_it_lacks() {
    let (one, two) = (Stranger::start("w.example/one"), Stranger::start("w.example/two"));
    let mut fixture = with(&[&one, &two], Some(1));
    let record = fixture.open();
    fixture.append_all(&record, 3).await;
    two.be(Manner::Away);
    for count in [300, 400] {
        fixture.append_all(&record, count).await;
        // Enough for all of it to be published.
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert!(two.state().size < 10 && one.state().size == 704, "{} {}", two.state().size, one.state().size);
    one.be(Manner::Away);
    two.be(Manner::Proper);
    fixture.append_all(&record, 5).await;
    assert_eq!(two.state().size, 709);
    two.forget();
    fixture.append_all(&record, 1).await;
    assert_eq!(two.state().size, 710);
    // After a start nothing is known of what they hold.
    one.be(Manner::Proper);
    one.forget();
    two.be(Manner::Away);
    record.stop().await.unwrap();
    drop(record);
    let record = fixture.reopen().await;
    fixture.append_all(&record, 1).await;
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_witness_that_is_not_needed_delays_nobody() {
    let strangers: Vec<_> = (1..=3).map(|number| Stranger::start(&format!("w.example/{number}"))).collect();
    let mut fixture = with(&[&strangers[0], &strangers[1], &strangers[2]], Some(2));
    let record = fixture.open();
    fixture.append_all(&record, 1).await;
    strangers[2].be(Manner::Slow(1_200));
    let began = now();
    for _ in 0..20 {
        fixture.append_all(&record, 1).await;
    }
    assert!(began.elapsed() < Duration::from_millis(1_000), "{:?}", began.elapsed());
    // Two of three are needed, and one is not enough.
    strangers[2].be(Manner::Proper);
    strangers[1].be(Manner::Away);
    fixture.append_all(&record, 2).await;
    strangers[2].be(Manner::Away);
    assert_eq!(fixture.append(&record, 1).await.len(), 1);
    strangers[1].be(Manner::Proper);
    caught_up(&record).await;
    fixture.settle(record).await;
    fixture.check_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_monitor_refuses_no_witness_releases() {
    let stranger = Stranger::start("w.example/one");
    let mut fixture = with(&[&stranger], None);
    let record = fixture.open();
    fixture.append_all(&record, 1).await;
    fixture.monitor.set(Mood::Refuses(4));
    let failed = fixture.append(&record, 4).await;
    assert!(failed.iter().any(|error| matches!(error.why, Why::Refused { index: 4, .. })), "{failed:?}");
    assert!(stranger.state().size >= record.lag().cosigned && record.lag().cosigned <= 4);
    fixture.monitor.set(Mood::Honest);
    caught_up(&record).await;
    fixture.append_all(&record, 2).await;
    fixture.settle(record).await;
    fixture.check_whole();
}
