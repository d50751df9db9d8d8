//! How much of a login its user's history knows, as campaigns ask for it. Not here: how surprising the rest is (`features`).

use crate::campaign::Familiarity;
use crate::key::Tag;
use crate::store::{History, Net};

use super::facts::Facts;
use super::trust::Trust;

/// In logins of today: what is on probation, or marked as an attack, is not familiar.
const TRUST_MIN: f64 = 0.5;

/// What a history knows of a login of this risk (log-odds).
pub fn of(facts: &Facts, history: &History, trust: &Trust<'_>, risk: f64) -> Familiarity {
    let has = |same: &dyn Fn(&Net) -> bool| {
        history.networks.iter().any(|net| same(net) && trust.of_network(net) > TRUST_MIN)
    };
    // A source or prefix of 0 stands for several.
    let is_prefix = |net: &Net| net.prefix == facts.prefix && (net.source == facts.source || net.source == 0);
    let is_source = if facts.source == 0 {
        facts.host != 0 && history.hosts.iter().any(|host| host.tag == facts.host)
    } else {
        has(&is_prefix)
    };
    let is_network = is_source || facts.asn != 0 && has(&|net| net.asn == facts.asn);
    let is_agent = facts.agent.map(|agent| {
        let mut clients = history.clients.iter();
        clients.any(|client| client.family == agent.family && trust.of_client(client) > TRUST_MIN)
    });
    let family = facts.agent.map(|agent| Tag(u64::from(agent.family)));
    Familiarity {
        risk,
        family,
        is_user: history.logins > 0,
        is_source,
        is_network,
        is_agent,
        logins: history.logins,
        last_ms: i64::from(history.last_s) * 1_000,
    }
}
