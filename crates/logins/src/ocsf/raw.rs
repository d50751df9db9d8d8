//! What of an event is read, by the schema's own names. Not here: what is made of it (`read`).

use serde::Deserialize;

use crate::text::{Factors, First, Text};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Raw<'a> {
    pub(super) class_uid: Option<u32>,
    pub(super) type_uid: Option<u64>,
    pub(super) activity_id: Option<u32>,
    #[serde(borrow)]
    pub(super) activity_name: Option<Text<'a>>,
    pub(super) time: Option<i64>,
    #[serde(borrow)]
    pub(super) time_dt: Option<Text<'a>>,
    pub(super) status_id: Option<u32>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status_code: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status_detail: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user: Option<User<'a>>,
    #[serde(borrow)]
    pub(super) src_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow)]
    pub(super) dst_endpoint: Option<Destination<'a>>,
    #[serde(borrow)]
    pub(super) service: Option<Named<'a>>,
    #[serde(borrow)]
    pub(super) device: Option<Device<'a>>,
    #[serde(borrow)]
    pub(super) http_request: Option<Request<'a>>,
    #[serde(borrow)]
    pub(super) session: Option<Session<'a>>,
    #[serde(borrow)]
    pub(super) actor: Option<Actor<'a>>,
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
    pub(super) is_mfa: Option<bool>,
    pub(super) auth_factors: Option<Factors>,
    #[serde(borrow)]
    pub(super) unmapped: Option<Unmapped<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) email_addr: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) groups: Option<First<Named<'a>>>,
    #[serde(borrow)]
    pub(super) org: Option<Organisation<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Organisation<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ou_name: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Endpoint<'a> {
    #[serde(borrow)]
    pub(super) ip: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) hostname: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) location: Option<Location<'a>>,
    pub(super) autonomous_system: Option<System>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) country: Option<Text<'a>>,
    pub(super) lat: Option<f32>,
    pub(super) long: Option<f32>,
    pub(super) coordinates: Option<(f32, f32)>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct System {
    pub(super) number: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Destination<'a> {
    #[serde(borrow)]
    pub(super) hostname: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) svc_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ip: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Device<'a> {
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) hostname: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) user_agent: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Session<'a> {
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    pub(super) is_mfa: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Actor<'a> {
    #[serde(borrow)]
    pub(super) session: Option<Session<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Unmapped<'a> {
    pub(super) rtt_ms: Option<f32>,
    #[serde(borrow)]
    pub(super) network: Option<Text<'a>>,
}
