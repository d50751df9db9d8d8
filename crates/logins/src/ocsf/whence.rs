//! Where an event came from: address, place and workstation, as far as what is said of them can be. What cannot be is not known.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use risk::{Network, Place};

use super::raw::{Device, Endpoint, Location, System};
use super::read::first;

/// An address; a port or a zone behind it is passed over.
pub(super) fn address(said: &str) -> Option<IpAddr> {
    said.parse::<IpAddr>().ok().or_else(|| embedded(said.trim())).map(|ip| ip.to_canonical())
}

fn embedded(said: &str) -> Option<IpAddr> {
    if let Ok(socket) = said.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let bare = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
    bare.split('%').next()?.parse().ok()
}

pub(super) fn place(location: Option<&Location<'_>>, system: Option<&System>, kind: Option<&str>) -> Place {
    let mut place = Place {
        asn: system.and_then(|system| system.number),
        network: kind.and_then(Network::of_word).unwrap_or_default(),
        ..Place::default()
    };
    let Some(location) = location else { return place };
    place.country = location.country.as_deref().and_then(country);
    let point = location.lat.zip(location.long);
    let point = point.or_else(|| location.coordinates.map(|(long, lat)| (lat, long)));
    place.point = point.filter(|(lat, long)| lat.abs() <= 90.0 && long.abs() <= 180.0);
    place
}

/// A country by its code of two letters, or of three.
fn country(said: &str) -> Option<[u8; 2]> {
    crate::words::country(said).or_else(|| {
        let said: [u8; 3] = said.as_bytes().try_into().ok()?;
        let said = said.map(|letter| letter.to_ascii_uppercase());
        let row = ALPHA_3.split_ascii_whitespace().find(|row| row.as_bytes().starts_with(&said))?;
        crate::words::country(row.get(said.len()..)?)
    })
}

/// Codes of ISO 3166-1: alpha-3, and alpha-2 behind it.
const ALPHA_3: &str = "\
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT AZEAZ BDIBI \
    BELBE BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT \
    BVTBV BWABW CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU \
    CUWCW CXRCX CYMKY CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET \
    FINFI FJIFJ FLKFK FRAFR FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR \
    GRDGD GRLGL GTMGT GUFGF GUMGU GUYGY HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR \
    IRQIQ ISLIS ISRIL ITAIT JAMJM JEYJE JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB \
    LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH \
    MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE \
    NFKNF NGANG NICNI NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL \
    PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU RWARW SAUSA SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ \
    SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC \
    TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO TTOTT TUNTN TURTR TUVTV TWNTW TZATZ UGAUG UKRUA UMIUM URYUY \
    USAUS UZBUZ VATVA VCTVC VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA ZMBZM ZWEZW";

/// Kinds of devices that somebody sits at, of the schema's: desktop, laptop, tablet, mobile.
const OWN: std::ops::RangeInclusive<u32> = 2..=5;
/// What is written of a workstation that its endpoint's name would not be taken for.
pub(super) const DESKTOP: u32 = 2;
const SERVER: u32 = 1;

/// The workstation, where it stands for the client. Who has a user agent is known by that: the name of their endpoint is their
/// provider's, a proxy's, or a new one each time; only a device that is said to be a person's is theirs. Without a user agent
/// an endpoint's name is a workstation's unless it is made of the address.
pub(super) fn host<'a>(
    source: &mut Endpoint<'a>,
    device: Option<&mut Device<'a>>,
    has_agent: bool,
    ip: Option<IpAddr>,
) -> Option<Cow<'a, str>> {
    if !has_agent {
        for name in [&mut source.hostname, &mut source.name, &mut source.uid] {
            if name.as_deref().is_some_and(|name| is_host(name, ip)) {
                return name.take().map(|name| name.0);
            }
        }
    }
    let device = device.filter(|device| match device.type_id {
        Some(kind) if OWN.contains(&kind) => true,
        kind => !has_agent && kind != Some(SERVER),
    })?;
    first([&mut device.uid, &mut device.hostname, &mut device.name])
}

/// Whether a name is taken for that of a workstation: one that says an address, its own or any, is none.
pub(super) fn is_host(name: &str, ip: Option<IpAddr>) -> bool {
    let of_address = match ip {
        Some(IpAddr::V4(ip)) => says_v4(name, ip),
        Some(IpAddr::V6(ip)) => says_v6(name, ip),
        None => false,
    };
    !(name.is_empty() || of_address || name.parse::<IpAddr>().is_ok())
}

/// Whether a name holds an address as reverse DNS has it: its four numbers in a row, forwards or backwards, whatever is between
/// them; or in hexadecimal.
fn says_v4(name: &str, ip: Ipv4Addr) -> bool {
    let wanted = ip.octets().map(Some);
    let mut backwards = wanted;
    backwards.reverse();
    let mut last = [None; 4];
    let numbers = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    for number in numbers.map(|digits| digits.parse::<u8>().ok()) {
        last.rotate_left(1);
        last[3] = number;
        if last == wanted || last == backwards {
            return true;
        }
    }
    let hex = format!("{:08x}", u32::from(ip));
    name.as_bytes().windows(hex.len()).any(|part| part.eq_ignore_ascii_case(hex.as_bytes()))
}

/// Whether a name holds what is of an address's own in its network, as it is written or in full.
fn says_v6(name: &str, ip: Ipv6Addr) -> bool {
    let plain = |text: &str| text.replace(['-', ':', '.'], "").to_ascii_lowercase();
    let name = plain(name);
    let full = format!("{:032x}", u128::from(ip));
    full.get(16..).is_some_and(|own| name.contains(own)) || name.contains(&plain(&ip.to_string()))
}
