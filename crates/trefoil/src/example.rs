//! The example of Europe, built into the program so that `trefoil up` needs nothing beside it.

/// Path in the bundle, content.
pub(crate) const EUROPE: &[(&str, &str)] = &[
    ("enclave.toml", include_str!("../../../examples/europe/enclave.toml")),
    ("catalog.toml", include_str!("../../../examples/europe/catalog.toml")),
    ("directory.toml", include_str!("../../../examples/europe/directory.toml")),
    ("policy/1-guards.cedar", include_str!("../../../examples/europe/policy/1-guards.cedar")),
    ("policy/2-everyone.cedar", include_str!("../../../examples/europe/policy/2-everyone.cedar")),
    ("policy/analytics.cedar", include_str!("../../../examples/europe/policy/analytics.cedar")),
    ("policy/billing.cedar", include_str!("../../../examples/europe/policy/billing.cedar")),
    ("policy/engineering.cedar", include_str!("../../../examples/europe/policy/engineering.cedar")),
    ("policy/feed.cedar", include_str!("../../../examples/europe/policy/feed.cedar")),
    ("policy/security.cedar", include_str!("../../../examples/europe/policy/security.cedar")),
    ("policy/support.cedar", include_str!("../../../examples/europe/policy/support.cedar")),
    ("policy/trainee.cedar", include_str!("../../../examples/europe/policy/trainee.cedar")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::EUROPE;

    #[test]
    fn nothing_of_the_example_is_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
        let built_in: BTreeMap<String, Vec<u8>> =
            EUROPE.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        assert_eq!(built_in, access::bundle_files(&folder).unwrap());
    }
}
