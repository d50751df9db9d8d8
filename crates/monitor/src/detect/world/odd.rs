//! Odd days of the simulated enclave: what happens once, looks odd, and is not. Everybody's work is in `normal`.

use tlog::detail::Stage;

use super::{
    dice::mix,
    normal::{BY_ID, Normal, SUBJECTS},
    staff::{Person, Role},
    stream::{MINUTE, SECOND, Shown, Stream},
};

impl Normal {
    /// Whatever the calendar has for this day.
    pub fn odd_day(&mut self, day: i64, noon: i64, stream: &mut Stream) {
        if day == self.calendar.famous {
            self.famous(day, noon, stream);
        }
        if self.calendar.campaigns.contains(&day) {
            self.campaign(day, noon, stream);
        }
        if day == self.calendar.update {
            self.update(day, noon, stream);
        }
        if day == self.calendar.broken {
            self.broken(day, noon, stream);
        }
        if day == self.calendar.forgotten {
            self.forgotten(day, noon, stream);
        }
    }

    /// Those of a role who work at noon.
    fn at_noon(&self, day: i64, role: Role) -> Vec<Person> {
        let works = |person: &&Person| {
            !person.is_away(day) && person.role_on(day) == role && (4.1..11.9).contains(&person.begins)
        };
        self.staff.iter().filter(works).cloned().collect()
    }

    /// One subject's account is everybody's work.
    fn famous(&mut self, day: i64, noon: i64, stream: &mut Stream) {
        let agents = self.at_noon(day, Role::Support);
        for (person, n) in agents.iter().step_by(2).take(9).zip(0..) {
            let ticket = Some(self.next_ticket("SUP"));
            let looks = [(BY_ID, Shown::Subjects(vec![77_777], 3))];
            stream.work(noon + n * 7 * MINUTE, person.asker(day, ticket), &looks);
        }
    }

    /// A support agent writes to three hundred customers.
    fn campaign(&mut self, day: i64, noon: i64, stream: &mut Stream) {
        let agents = self.at_noon(day, Role::Support);
        let Some(person) = agents.get(usize::try_from(3 + day % 5).unwrap_or(0)) else { return };
        let ticket = Some(self.next_ticket("SUP"));
        let all = (0..300).map(|n| mix(n + day.unsigned_abs()) % SUBJECTS).collect();
        let looks = [("SELECT id, email FROM users WHERE country = 'IE'", Shown::Subjects(all, 1))];
        stream.work(noon, person.asker(day, ticket), &looks);
    }

    /// A tool's new version tries four things that are refused, for everybody who uses it.
    fn update(&mut self, day: i64, noon: i64, stream: &mut Stream) {
        for person in self.at_noon(day, Role::Analyst) {
            let asker = person.asker(day, None);
            let id = stream.open(noon, asker.clone());
            for (table, n) in ["pg_locks", "pg_stat_user_tables", "pg_shadow", "pg_proc_info"].iter().zip(0..)
            {
                let text = format!("SELECT * FROM {table}");
                stream.refuse(noon + n * SECOND, &id, asker.clone(), "unknown-relation", &text);
            }
            stream.close(noon + MINUTE, &id);
        }
    }

    /// A program asks for the same refused thing again and again.
    fn broken(&mut self, day: i64, noon: i64, stream: &mut Stream) {
        let Some(person) = self.at_noon(day, Role::Engineer).pop() else { return };
        let asker = person.asker(day, None);
        let id = stream.open(noon, asker.clone());
        for n in 0..250 {
            let when = noon + n * 10 * SECOND;
            stream.refuse(when, &id, asker.clone(), "unknown-relation", "SELECT * FROM old");
        }
        stream.close(noon + 2_600 * SECOND, &id);
    }

    /// A service tries an old password until somebody notices.
    fn forgotten(&mut self, day: i64, noon: i64, stream: &mut Stream) {
        let Some(person) = self.at_noon(day, Role::Billing).pop() else { return };
        for n in 0..40 {
            stream.refuse_at(noon + n * 30 * SECOND, person.asker(day, None), Stage::Login);
        }
    }
}
