//! What the details of brakes in a gate's record hold. What a brake is, is `brake`.

use serde::{Deserialize, Serialize};

use crate::brake::Order;

/// Of `brake.applied`: an order of the monitor is carried out, its sessions have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrakeApplied {
    pub order: Order,
    /// The monitor's signed word, which gives the order.
    pub note: String,
    /// Sessions that it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
}

/// A session that a brake ended. Times are the gate's own, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub session: String,
    /// When the gate had written the last byte to the client.
    pub silent: String,
    /// When the site confirmed that the backend is gone, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
}

/// Of `brake.lifted`: an order is in force no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrakeLifted {
    /// Of the order.
    pub id: String,
    /// As the monitor said, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}
