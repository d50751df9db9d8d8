//! Labels: who did what, in truth. They are read from a file by this reader alone, and joined to judgements by the number
//! of the line, so that nothing that scores can see one. Not here: what becomes of them (`replay`).

use std::collections::HashMap;

use serde_json::Value;

/// Who did each event of a log.
#[derive(Debug, Default)]
pub struct Truths {
    /// By number of the event; none where the event has no label.
    of: Vec<Option<Truth>>,
    kinds: Vec<String>,
    /// By number of the event, the number of its trap, from 1.
    traps: Vec<u8>,
    trap_names: Vec<String>,
    kind_of: HashMap<String, u16>,
    clusters: HashMap<(u16, String), u32>,
}

/// Who did an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// The user.
    Legitimate,
    /// An attacker.
    Attack {
        /// Kind of attacker, by number: [`Truths::kind`].
        kind: u16,
        /// Attack that the event is part of, by number.
        cluster: u32,
    },
}

impl Truths {
    /// Adds the label of the next event, which is a line of JSON: `unmapped.label`, a string or an object of `kind` and
    /// `campaign`; and its `unmapped.trap`. A line that is no JSON or has no label has no truth.
    pub fn read(&mut self, line: &[u8]) {
        let json: Value = serde_json::from_slice(line).unwrap_or(Value::Null);
        let label = json.pointer("/unmapped/label").or_else(|| json.get("label")).unwrap_or(&Value::Null);
        match label {
            Value::String(label) => self.add(label),
            Value::Object(parts) => {
                let named = |names: &[&str]| names.iter().find_map(|name| parts.get(*name));
                let kind = named(&["kind", "attacker", "type", "label", "name"]).map(text);
                let campaign = named(&["campaign", "campaign_id", "id", "number"]).map(text);
                match kind {
                    Some(kind) => self.add_parts(&kind, campaign.as_deref().unwrap_or("")),
                    None => self.of.push(None),
                }
            }
            Value::Bool(is_attack) => self.add(if *is_attack { "attack" } else { "legitimate" }),
            Value::Number(number) => {
                self.add(if number.as_f64() == Some(0.0) { "legitimate" } else { "attack" })
            }
            Value::Null | Value::Array(_) => self.of.push(None),
        }
        self.trap(json.pointer("/unmapped/trap").and_then(Value::as_str));
    }

    /// Says of the event that was added last which harmless thing that looks like an attack it belongs to.
    pub fn trap(&mut self, name: Option<&str>) {
        self.traps.resize(self.of.len(), 0);
        let (Some(name), Some(last)) = (name, self.traps.last_mut()) else { return };
        let at = self.trap_names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.trap_names.push(name.to_owned());
            self.trap_names.len() - 1
        });
        *last = u8::try_from(at + 1).unwrap_or(0);
    }

    /// The number of the trap that an event is in; 0 is none.
    pub(super) fn trap_of(&self, index: usize) -> u8 {
        self.traps.get(index).copied().unwrap_or(0)
    }

    /// What a trap is called.
    pub(super) fn trap_name(&self, number: u8) -> &str {
        let at = usize::from(number).checked_sub(1);
        at.and_then(|at| self.trap_names.get(at)).map_or("none", String::as_str)
    }

    /// Whether it was said of any event that it is in a trap.
    pub(super) fn has_traps(&self) -> bool {
        !self.trap_names.is_empty()
    }

    /// Adds the label of the next event as text: a kind of attacker and what tells its attack from others, behind any
    /// separator.
    pub fn add(&mut self, label: &str) {
        let (kind, campaign) = parts(label.trim());
        self.add_parts(kind, campaign);
    }

    fn add_parts(&mut self, kind: &str, campaign: &str) {
        const LEGITIMATE: [&str; 8] =
            ["legitimate", "legit", "benign", "normal", "user", "none", "genuine", ""];
        let word = kind.trim().to_ascii_lowercase();
        if LEGITIMATE.contains(&word.as_str()) {
            self.of.push(Some(Truth::Legitimate));
            return;
        }
        let next = self.kinds.len() as u16;
        let kind = *self.kind_of.entry(word).or_insert_with(|| {
            self.kinds.push(kind.trim().to_owned());
            next
        });
        let next = self.clusters.len() as u32;
        let cluster = *self.clusters.entry((kind, campaign.to_owned())).or_insert(next);
        self.of.push(Some(Truth::Attack { kind, cluster }));
    }

    /// Who did the event of this number, from 0.
    pub fn get(&self, index: usize) -> Option<Truth> {
        self.of.get(index).copied().flatten()
    }

    /// A kind of attacker, as the file spells it first.
    pub fn kind(&self, kind: u16) -> &str {
        self.kinds.get(usize::from(kind)).map_or("", String::as_str)
    }

    /// Every attack: its kind and number.
    pub(super) fn clusters(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        self.clusters.iter().map(|((kind, _), cluster)| (*kind, *cluster))
    }

    /// How many events have a label, and how many have none.
    pub fn counts(&self) -> (usize, usize) {
        let labelled = self.of.iter().flatten().count();
        (labelled, self.of.len() - labelled)
    }
}

/// Kind and attack of a label: behind a colon, a slash or a blank whatever it is, behind another separator what has a digit.
fn parts(label: &str) -> (&str, &str) {
    if let Some((kind, campaign)) = label.split_once([':', '/', '#', ' ', '|']) {
        return (kind, campaign.trim());
    }
    match label.rsplit_once(['-', '_', '.']) {
        Some((kind, campaign)) if campaign.bytes().any(|byte| byte.is_ascii_digit()) => (kind, campaign),
        _ => (label, ""),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Truth, Truths};

    #[test]
    fn labels_are_read_however_they_are_spelt() {
        for (label, wanted) in [
            (r#""legitimate""#, None),
            (r#""Benign""#, None),
            (r#"false"#, None),
            (r#"0"#, None),
            (r#""spray:3""#, Some(("spray", "3"))),
            (r#""spray-3""#, Some(("spray", "3"))),
            (r#""spray/3""#, Some(("spray", "3"))),
            (r#""spray 3""#, Some(("spray", "3"))),
            (r#""password_spray""#, Some(("password_spray", ""))),
            (r#""password_spray_12""#, Some(("password_spray", "12"))),
            (r#""brute-force""#, Some(("brute-force", ""))),
            (r#""brute-force-c7""#, Some(("brute-force", "c7"))),
            (r#""patient_poisoner:camp-A""#, Some(("patient_poisoner", "camp-A"))),
            (r#"{"kind":"Replay","campaign":4}"#, Some(("Replay", "4"))),
            (r#"{"type":"spray","id":"x"}"#, Some(("spray", "x"))),
        ] {
            let mut truths = Truths::default();
            truths.read(format!(r#"{{"unmapped":{{"label":{label}}}}}"#).as_bytes());
            let got = match truths.get(0) {
                Some(Truth::Legitimate) => None,
                Some(Truth::Attack { kind, .. }) => {
                    let campaign = truths.clusters.keys().next().unwrap().1.as_str();
                    Some((truths.kind(kind), campaign))
                }
                None => panic!("{label} has no truth"),
            };
            assert_eq!(got, wanted, "{label}");
        }
        let mut truths = Truths::default();
        truths.read(br#"{"unmapped":{}}"#);
        truths.read(b"no JSON");
        assert_eq!(truths.counts(), (0, 2));
    }
}
