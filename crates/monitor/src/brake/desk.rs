//! What a person can ask of the brakes of a monitor that runs. The way there is `control`; how it is asked is the command
//! line's.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tlog::{
    brake::{Order, Stopped, Target},
    entry::Micros,
};

use super::{Brakes, BrakesError, Wish};
use crate::incident::desk::Told;

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    Brake { target: Target, for_us: i64, because: String, by: String },
    Lift { id: String, because: String, by: String },
    List,
}

impl BrakesError {
    /// Whether what was asked for does not hold, rather than that it could not be done.
    pub fn is_refusal(&self) -> bool {
        matches!(self, BrakesError::Unknown(_) | BrakesError::Brake(_))
    }
}

impl Brakes {
    /// Answers one question.
    pub fn ask(&self, ask: Ask, now: Micros) -> Result<Told, BrakesError> {
        match ask {
            Ask::Brake { target, for_us, because, by } => {
                let order = self.apply(Wish { target, for_us, because, by }, now)?;
                let text = format!("brake {}: {} is stopped until {}", order.id, order.target, order.until);
                Ok(Told { text, json: json!(order) })
            }
            Ask::Lift { id, because, by } => {
                self.lift(&id, because, by, now)?;
                Ok(Told { text: format!("brake {id} is lifted"), json: json!({ "id": id, "lifted": true }) })
            }
            Ask::List => Ok(self.list()),
        }
    }

    fn list(&self) -> Told {
        let orders = self.orders();
        let obeyed = |order: &Order| self.is_obeyed(&order.id);
        let line = |Stopped { order, .. }: &Stopped| {
            let Order { id, target, until, because, by, .. } = order;
            let carried =
                if obeyed(order) { "carried out by the gate" } else { "not yet confirmed by the gate" };
            format!("{id}  {target} until {until}, {carried}: {because} ({by})")
        };
        let text: Vec<String> = orders.iter().map(line).collect();
        let text = if text.is_empty() { "nothing is stopped".to_owned() } else { text.join("\n") };
        let json = orders.iter().map(|Stopped { order, .. }| {
            let mut value = json!(order);
            if let Some(fields) = value.as_object_mut() {
                fields.insert("obeyed".to_owned(), obeyed(order).into());
            }
            value
        });
        Told { text, json: Value::Array(json.collect()) }
    }
}
