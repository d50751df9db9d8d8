//! The notification to the supervisory authority of what an incident is, with the contents of Article 33(3) of
//! Regulation (EU) 2016/679: as data, and as a text that can be sent. What is not known is said to be not known. No
//! names of people are in it: the incident has them, for those who may see them.

use serde::{Deserialize, Serialize};
use tlog::{
    detail::{Change, Reason},
    entry::Micros,
};

use super::{Incident, facts::Facts};

const HOUR_US: i64 = 3_600 * 1_000_000;
const NOT_KNOWN: &str = "not known";

/// `[report]` of monitor.toml: who reports to whom. What is missing is reported as not known.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// Name and address of the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The supervisory authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Name and contact of the data protection officer, or of another contact point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Whose data the enclave holds, such as "users of the platform in the European Economic Area".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<String>,
}

/// What only people can say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Likely consequences.
    pub consequences: Option<String>,
    /// Measures taken or proposed.
    pub measures: Vec<String>,
    /// Why it is late.
    pub delay: Option<String>,
}

/// The notification. Fields are in the order of Article 33(3), after who and when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notification {
    pub incident: String,
    pub regulation: &'static str,
    pub authority: String,
    pub controller: String,
    /// When the notification was written.
    pub written: String,
    pub aware_since: String,
    pub due: String,
    /// Art. 33(1): only of a notification that is late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// (a)
    pub nature: Nature,
    /// (b)
    pub contact_point: String,
    /// (c)
    pub likely_consequences: String,
    /// (d)
    pub measures: Vec<String>,
    pub evidence: Proof,
    /// What is said to be not known above; Art. 33(4): to be provided in phases.
    pub not_known: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delay {
    pub hours: i64,
    pub reasons: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nature {
    pub detector: String,
    pub severity: String,
    pub happened: String,
    pub first_entry: Option<String>,
    pub last_entry: Option<String>,
    pub reasons: Vec<Reason>,
    pub places: Vec<String>,
    pub categories_of_data_subjects: String,
    pub number_of_data_subjects: String,
    pub categories_of_records: String,
    pub number_of_records: String,
}

/// Where what is said here can be checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    pub log: String,
    pub entries: Vec<u64>,
    /// The monitor's own record, and the incident's entries in it.
    pub own_record: String,
    pub own_entries: Vec<u64>,
}

/// What a notification is made of.
pub struct Material<'a> {
    pub incident: &'a Incident,
    pub facts: &'a Facts,
    pub contacts: &'a Contacts,
    pub said: &'a Said,
    /// Origin of the monitor's own record.
    pub own: &'a str,
    pub now: Micros,
}

/// Writes the notification.
pub fn notification(material: &Material<'_>) -> Notification {
    let Material { incident, contacts, said, own, now, .. } = material;
    let opened = &incident.opened;
    let mut not_known = Vec::new();
    let mut known = |what: &str, text: Option<String>, how: &str| {
        text.unwrap_or_else(|| {
            not_known.push(what.to_owned());
            format!("{NOT_KNOWN} ({how})")
        })
    };
    let late = now.0.saturating_sub(incident.due_at.0);
    let authority = known("authority", contacts.authority.clone(), "report.authority in monitor.toml");
    let controller = known("controller", contacts.controller.clone(), "report.controller in monitor.toml");
    let delay = (late > 0).then(|| Delay {
        hours: late / HOUR_US,
        reasons: known("reasons for the delay", said.delay.clone(), "to be given by the controller"),
    });
    let nature = nature(material, &mut known);
    let contact_point = known("contact point", contacts.contact.clone(), "report.contact in monitor.toml");
    let consequences = said.consequences.clone();
    let likely_consequences = known("likely consequences", consequences, "to be assessed by the controller");
    let mut measures = taken(incident);
    measures.extend(said.measures.iter().cloned());
    if said.measures.is_empty() {
        measures.push(known("measures of the controller", None, "to be given by the controller"));
    }
    Notification {
        incident: opened.id.clone(),
        regulation: "Regulation (EU) 2016/679, Article 33",
        authority,
        controller,
        written: now.to_string(),
        aware_since: opened.opened.clone(),
        due: opened.due.clone(),
        delay,
        nature,
        contact_point,
        likely_consequences,
        measures,
        evidence: Proof {
            log: opened.log.clone(),
            entries: incident.evidence.iter().copied().collect(),
            own_record: (*own).to_owned(),
            own_entries: std::iter::once(incident.index)
                .chain(incident.steps.iter().map(|step| step.index))
                .collect(),
        },
        not_known,
    }
}

/// (a), with what is known of it.
fn nature(material: &Material<'_>, known: &mut impl FnMut(&str, Option<String>, &str) -> String) -> Nature {
    let Material { incident, facts, contacts, .. } = material;
    let opened = &incident.opened;
    let whose = contacts.subjects.clone();
    let categories = known("categories of data subjects", whose, "report.subjects in monitor.toml");
    let classes: Vec<_> = facts.classes.iter().map(String::as_str).collect();
    let classes = (!classes.is_empty()).then(|| format!("columns of the classes {}", classes.join(", ")));
    Nature {
        detector: opened.detector.clone(),
        severity: incident.severity.as_str().to_owned(),
        happened: opened.at.clone(),
        first_entry: facts.first.clone(),
        last_entry: facts.last.clone(),
        reasons: incident.reasons().into_iter().cloned().collect(),
        places: facts.places.iter().cloned().collect(),
        categories_of_data_subjects: categories,
        number_of_data_subjects: figure(facts.subjects.words("persons"), known, "number of data subjects"),
        categories_of_records: known(
            "categories of records",
            classes,
            "the evidence shows no released column",
        ),
        number_of_records: figure(facts.rows.words("rows"), known, "number of records"),
    }
}

/// A number in words, which may be that it is not known.
fn figure(words: String, known: &mut impl FnMut(&str, Option<String>, &str) -> String, what: &str) -> String {
    let said = Some(words).filter(|words| words != NOT_KNOWN);
    known(what, said, "the evidence does not say")
}

/// What the monitor did, and what people did with the incident.
fn taken(incident: &Incident) -> Vec<String> {
    let mut taken = Vec::new();
    if incident.exhibits().next().is_some() {
        taken.push(
            "The monitor refused the entries; without its cosignature the gate may release nothing under them."
                .to_owned(),
        );
    }
    for step in &incident.steps {
        match &step.change {
            Change::Acknowledged { .. } => taken.push(format!("{}: the incident was taken up.", step.time)),
            Change::Reported { .. } => {
                taken.push(format!("{}: an earlier notification was written.", step.time))
            }
            Change::Evidence { .. } | Change::Probed { .. } | Change::Closed { .. } => {}
        }
    }
    taken
}

impl Notification {
    /// The text to send.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Notification of a personal data breach\n\n{}\n\n", self.regulation);
        let mut line = |name: &str, value: &str| text.push_str(&format!("- **{name}:** {value}\n"));
        line("To", &self.authority);
        line("Controller", &self.controller);
        line("Reference", &self.incident);
        line("Written", &self.written);
        line("Aware since", &self.aware_since);
        line("Due", &self.due);
        if let Some(Delay { hours, reasons }) = &self.delay {
            line("Late by", &format!("{hours} hours. Reasons for the delay: {reasons}"));
        }
        text.push_str(&self.nature.markdown());
        let section = |text: &mut String, title: &str, body: &str| {
            text.push_str(&format!("\n## {title}\n\n{body}\n"));
        };
        section(&mut text, "(b) Contact point", &self.contact_point);
        section(&mut text, "(c) Likely consequences", &self.likely_consequences);
        let measures: Vec<_> = self.measures.iter().map(|measure| format!("- {measure}")).collect();
        section(&mut text, "(d) Measures taken or proposed", &measures.join("\n"));
        section(&mut text, "Evidence", &self.evidence.markdown());
        if !self.not_known.is_empty() {
            let body = format!("{}. It will be provided in phases (Art. 33(4)).", self.not_known.join(", "));
            section(&mut text, "Not known yet", &body);
        }
        text
    }
}

impl Nature {
    fn markdown(&self) -> String {
        let mut text = format!(
            "\n## (a) Nature of the breach\n\nFound by the detector `{}`, severity {}, happened {}.\n\n",
            self.detector, self.severity, self.happened
        );
        for reason in &self.reasons {
            let Reason { what, observed, baseline, factor } = reason;
            let factor = factor.as_ref().map(|factor| format!(", {factor} times")).unwrap_or_default();
            text.push_str(&format!("- {what}: {observed} (against {baseline}{factor})\n"));
        }
        let mut line = |name: &str, value: &str| text.push_str(&format!("- **{name}:** {value}\n"));
        if let (Some(first), Some(last)) = (&self.first_entry, &self.last_entry) {
            line("Recorded", &format!("from {first} to {last}"));
        }
        if !self.places.is_empty() {
            line("Asked from", &self.places.join(", "));
        }
        line("Categories of data subjects", &self.categories_of_data_subjects);
        line("Approximate number of data subjects", &self.number_of_data_subjects);
        line("Categories of personal data records", &self.categories_of_records);
        line("Approximate number of records", &self.number_of_records);
        text
    }
}

impl Proof {
    fn markdown(&self) -> String {
        let list = |entries: &[u64]| entries.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        format!(
            "Entries {} of the log `{}`; entries {} of the monitor's own record `{}`. Both are transparency logs that \
             anybody can verify; receipts are attached on request.",
            list(&self.entries),
            self.log,
            list(&self.own_entries),
            self.own_record
        )
    }
}
