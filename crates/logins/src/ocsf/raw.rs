//! What of an event is read, by the schema's own names; a value of another kind loses itself alone (`lenient`). Not here: what is made of it (`read`).

use serde::Deserialize;

use super::lenient::{factors, first, fraction, object, point, system, text, time, truth, whole};
use crate::text::{Factors, First, Text};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Raw<'a> {
    #[serde(deserialize_with = "whole")]
    pub(super) class_uid: Option<u32>,
    #[serde(deserialize_with = "whole")]
    pub(super) type_uid: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub(super) activity_id: Option<u32>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) activity_name: Option<Text<'a>>,
    #[serde(deserialize_with = "time")]
    pub(super) time: Option<i64>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) time_dt: Option<Text<'a>>,
    #[serde(deserialize_with = "whole")]
    pub(super) status_id: Option<u32>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) status_code: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) status_detail: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) message: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) user: Option<User<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) src_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) dst_endpoint: Option<Destination<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) service: Option<Named<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) device: Option<Device<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) http_request: Option<Request<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) session: Option<Session<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) actor: Option<Actor<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(deserialize_with = "truth")]
    pub(super) is_mfa: Option<bool>,
    #[serde(deserialize_with = "factors")]
    pub(super) auth_factors: Option<Factors>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) unmapped: Option<Unmapped<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) email_addr: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "first")]
    pub(super) groups: Option<First<Named<'a>>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) org: Option<Organisation<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Organisation<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) ou_name: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) ip: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) hostname: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) location: Option<Location<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) autonomous_system: Option<System>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Location<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) country: Option<Text<'a>>,
    #[serde(deserialize_with = "fraction")]
    pub(super) lat: Option<f32>,
    #[serde(deserialize_with = "fraction")]
    pub(super) long: Option<f32>,
    #[serde(deserialize_with = "point")]
    pub(super) coordinates: Option<(f32, f32)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct System {
    #[serde(deserialize_with = "system")]
    pub(super) number: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Destination<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) hostname: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) svc_name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) ip: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Device<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) hostname: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) name: Option<Text<'a>>,
    #[serde(deserialize_with = "whole")]
    pub(super) type_id: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) user_agent: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uuid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid_alt: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) credential_uid: Option<Text<'a>>,
    #[serde(deserialize_with = "truth")]
    pub(super) is_mfa: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Actor<'a> {
    #[serde(borrow, deserialize_with = "object")]
    pub(super) session: Option<Session<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) user: Option<Named<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub(super) uid: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Unmapped<'a> {
    #[serde(deserialize_with = "fraction")]
    pub(super) rtt_ms: Option<f32>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) network: Option<Text<'a>>,
}
