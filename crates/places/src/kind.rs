//! What kind of network the name of an autonomous system speaks of. A guess by words, and weak evidence: a carrier that
//! sells homes, phones and servers under one number is named after one of them. Lists, and what an event says, win.

use risk::Network;

/// The kinds, the most telling first: of a name that speaks of several, the first is meant.
const ORDER: [Network; 5] =
    [Network::Anonymous, Network::Carriage, Network::Hosting, Network::Mobile, Network::Access];

/// Beginnings of words.
const BEGINNINGS: [(&str, Network); 26] = [
    ("vpn", Network::Anonymous),
    ("proxy", Network::Anonymous),
    ("satellite", Network::Carriage),
    ("hosting", Network::Hosting),
    ("hoster", Network::Hosting),
    ("webhost", Network::Hosting),
    ("cloud", Network::Hosting),
    ("server", Network::Hosting),
    ("datacent", Network::Hosting),
    ("mobile", Network::Mobile),
    ("movil", Network::Mobile),
    ("moviles", Network::Mobile),
    ("wireless", Network::Mobile),
    ("cellular", Network::Mobile),
    ("celular", Network::Mobile),
    ("telecom", Network::Access),
    ("telekom", Network::Access),
    ("telefon", Network::Access),
    ("telephon", Network::Access),
    ("communication", Network::Access),
    ("comunicac", Network::Access),
    ("broadband", Network::Access),
    ("cable", Network::Access),
    ("fiber", Network::Access),
    ("fibre", Network::Access),
    ("fibra", Network::Access),
];

/// What a whole word says.
fn of_word(word: &str) -> Option<Network> {
    Some(match word {
        "tor" | "mullvad" | "tefincom" | "nordvpn" | "protonvpn" | "surfshark" => Network::Anonymous,
        "inmarsat" | "viasat" | "iridium" | "intelsat" | "marlink" | "maritime" | "speedcast" | "anuvu"
        | "gogo" | "avionics" | "onair" | "inflight" | "airlines" | "airways" => Network::Carriage,
        "host" | "hosts" | "vps" | "colo" | "colocation" | "dedicated" | "amazon" | "aws"
        | "digitalocean" | "linode" | "akamai" | "ovh" | "hetzner" | "leaseweb" | "contabo" | "vultr"
        | "choopa" | "constant" | "datacamp" | "hostroyale" | "m247" | "alibaba" | "tencent" | "oracle"
        | "microsoft" | "google" | "scaleway" | "rackspace" | "ionos" | "cdn" | "fastly" => Network::Hosting,
        "cellco" | "lte" | "gsm" | "5g" | "4g" => Network::Mobile,
        "dsl" | "adsl" | "isp" | "internet" | "chinanet" | "comcast" | "charter" | "orange" | "vodafone"
        | "telia" | "swisscom" | "university" | "college" | "school" | "bank" => Network::Access,
        _ => return BEGINNINGS.iter().find(|(start, _)| word.starts_with(start)).map(|(_, kind)| *kind),
    })
}

/// The kind of network that a system of this name is.
pub(super) fn of_name(name: &str) -> Network {
    let name = name.to_ascii_lowercase();
    let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let said: Vec<Network> = words.filter_map(of_word).collect();
    ORDER.into_iter().find(|kind| said.contains(kind)).unwrap_or_default()
}
