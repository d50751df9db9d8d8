//! What each feature weighs, by how much is known of the user, and where every score begins. Trained elsewhere
//! (`trefoil logins train`); a trained file is shipped. Not here: the features.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Bucket, FEATURES, Feature};

/// Form of the file.
const VERSION: u32 = 1;
/// A weight beyond this is a mistake.
const WEIGHT_MAX: f64 = 100.0;

/// Weights of all features.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Where a score begins, by bucket: log-odds.
    pub bias: [f64; 3],
    /// By feature, in the order of [`Feature::ALL`], and bucket.
    pub features: [[f64; 3]; FEATURES],
}

/// A file of weights that is none.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// It is not the JSON that [`Weights::to_json`] writes.
    #[error("{0}; weights are a file that `trefoil logins train` wrote")]
    Json(#[from] serde_json::Error),
    /// It is of another version of this program.
    #[error("version {0} of the file of weights is not {VERSION}: train again with this program")]
    Version(u32),
    /// Something is missing, left over, or no weight.
    #[error("{0}")]
    Feature(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    bias: [f64; 3],
    features: BTreeMap<String, [f64; 3]>,
}

impl Weights {
    /// Those that come with this program.
    pub fn shipped() -> Self {
        // A test reads the file, so that nobody ships one that is none.
        Self::from_json(include_str!("weights.json")).unwrap_or_else(|_| Self::even())
    }

    /// Every feature counts as it is.
    pub fn even() -> Self {
        Self { bias: [-7.0; 3], features: [[1.0; 3]; FEATURES] }
    }

    /// Reads a file of weights.
    pub fn from_json(text: &str) -> Result<Self, WeightsError> {
        let mut file: File = serde_json::from_str(text)?;
        if file.version != VERSION {
            return Err(WeightsError::Version(file.version));
        }
        let mut weights = Self { bias: file.bias, features: [[0.0; 3]; FEATURES] };
        for (slot, feature) in weights.features.iter_mut().zip(Feature::ALL) {
            let word = feature.word();
            *slot = file
                .features
                .remove(word)
                .ok_or_else(|| WeightsError::Feature(format!("features.{word} is missing")))?;
        }
        if let Some(word) = file.features.keys().next() {
            return Err(WeightsError::Feature(format!("features.{word} is no feature of this program")));
        }
        let all = weights.features.as_flattened().iter().chain(&weights.bias);
        if let Some(weight) = all.into_iter().find(|weight| weight.is_nan() || weight.abs() > WEIGHT_MAX) {
            return Err(WeightsError::Feature(format!(
                "{weight} is no weight: at most {WEIGHT_MAX} either way"
            )));
        }
        Ok(weights)
    }

    /// As the text of a file.
    pub fn to_json(&self) -> Result<String, WeightsError> {
        let features = Feature::ALL.iter().zip(self.features);
        let features = features.map(|(feature, weights)| (feature.word().to_owned(), weights)).collect();
        Ok(serde_json::to_string_pretty(&File { version: VERSION, bias: self.bias, features })?)
    }

    /// Where a score begins.
    pub fn bias(&self, bucket: Bucket) -> f64 {
        self.bias.get(bucket.place()).copied().unwrap_or(0.0)
    }

    /// What a feature weighs.
    pub fn of(&self, feature: Feature, bucket: Bucket) -> f64 {
        self.features
            .get(feature as usize)
            .and_then(|weights| weights.get(bucket.place()))
            .copied()
            .unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_one_and_others_are_refused() {
        let text = include_str!("weights.json");
        let shipped = Weights::from_json(text).expect("the shipped file");
        assert_eq!(shipped, Weights::shipped());
        assert_eq!(Weights::from_json(&shipped.to_json().expect("JSON")).expect("what was written"), shipped);
        for (from, to, problem) in [
            ("\"version\": 1", "\"version\": 2", "version 2 of the file"),
            ("\"asn\"", "\"asm\"", "features.asn is missing"),
            ("\"features\": {", "\"features\": { \"more\": [0, 0, 0],", "features.more is no feature"),
            ("\"bias\": [", "\"bias\": [1000.0, ", "trailing"),
            ("\"bias\": [", "\"bias\": [1e9, 0, 0], \"was\": [", "unknown field `was`"),
        ] {
            let error = Weights::from_json(&text.replace(from, to)).expect_err(problem).to_string();
            assert!(error.contains(problem) || problem == "trailing", "{error}");
        }
    }
}
