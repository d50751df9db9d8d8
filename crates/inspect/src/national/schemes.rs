//! The schemes: name, how the number is written, its check, and the words that stand beside it. Not here: how they are
//! looked for.

use super::check;
use crate::Validation;
use crate::text::Words;

/// A kind of number that a state gives to persons.
#[derive(Debug)]
pub(crate) struct Scheme {
    /// Country and usual short name, such as `FI-HETU`.
    pub(crate) name: &'static str,
    /// How it is written: `#` a digit, `A` a letter, `*` either, anything else itself.
    pub(super) forms: &'static [&'static str],
    /// What speaks for the characters without signs; nothing if they cannot be one.
    pub(super) check: fn(&[u8]) -> Option<Validation>,
    /// Lower case, as people write them beside the number.
    pub(crate) words: Words,
    /// Whether other numbers are written so too, signs and all.
    pub(super) needs_word: bool,
    /// One of how many numbers of this form passes the check by chance.
    pub(crate) one_in: u32,
}

type List = &'static [&'static str];
type Check = fn(&[u8]) -> Option<Validation>;

const fn scheme(name: &'static str, forms: List, check: Check, one_in: u32, words: List) -> Scheme {
    Scheme { name, forms, check, words: Words::of(words), needs_word: false, one_in }
}

/// One that is never found without a word.
const fn plain(name: &'static str, forms: List, check: Check, one_in: u32, words: List) -> Scheme {
    Scheme { name, forms, check, words: Words::of(words), needs_word: true, one_in }
}

pub(super) static SCHEMES: &[Scheme] = &[
    scheme(
        "AT-SVNR",
        &["##########", "#### ######"],
        check::at_svnr,
        300,
        &["svnr", "sv-nr", "sozialversicherung", "vsnr"],
    ),
    scheme(
        "BE-NRN",
        &["###########", "##.##.##-###.##", "##.##.##-###-##", "######-###-##", "###### ### ##"],
        check::be_nrn,
        1000,
        &["rijksregister", "registre national", "insz", "niss", "rrn", "nrn", "numéro national"],
    ),
    scheme("BG-EGN", &["##########"], check::bg_egn, 200, &["egn", "егн", "ЕГН", "единен"]),
    scheme(
        "CZ-RC",
        &["##########", "######/####", "######/###"],
        check::cz_rc,
        300,
        &["rodné číslo", "rodne cislo", "rodnecislo", "rodne_cislo", "rč", "rc"],
    ),
    scheme(
        "DE-IDNR",
        &["###########", "## ### ### ###"],
        check::de_idnr,
        150,
        &[
            "steuer-id",
            "steuerid",
            "steuer_id",
            "steueridentifikation",
            "steuerliche",
            "idnr",
            "identifikationsnummer",
            "tin",
        ],
    ),
    plain(
        "DE-RVNR",
        &["########A###", "## ###### A ###"],
        check::de_rvnr,
        300,
        &["rvnr", "rentenversicherung", "sozialversicherung", "versicherungsnummer", "svnr", "sv-nummer"],
    ),
    scheme("IS-KT", &["######-####", "##########"], check::is_kt, 600, &["kennitala", "kt"]),
    scheme(
        "SE-PNR",
        &["######-####", "######+####", "########-####", "##########", "############"],
        check::se_pnr,
        250,
        &["personnummer", "pnr", "samordningsnummer", "persnr", "personnr"],
    ),
    scheme(
        "DK-CPR",
        &["######-####", "##########"],
        check::dk_cpr,
        25,
        &["cpr", "personnummer", "cprnr", "cpr-nr"],
    ),
    scheme(
        "LV-PK",
        &["######-#####", "###########"],
        check::lv_pk,
        300,
        &["personas kods", "personas_kods", "pk"],
    ),
    scheme(
        "NO-FNR",
        &["###########", "###### #####"],
        check::no_fnr,
        3000,
        &["fødselsnummer", "fodselsnummer", "fnr", "personnummer", "d-nummer", "fodselsnr", "fødselsnr"],
    ),
    scheme("EE-IK", &["###########"], check::baltic, 300, &["isikukood", "ik", "personal code"]),
    scheme(
        "LT-AK",
        &["###########"],
        check::baltic,
        300,
        &["asmens kodas", "asmens_kodas", "asmkodas", "ak"],
    ),
    scheme("PL-PESEL", &["###########"], check::pl_pesel, 50, &["pesel"]),
    plain(
        "PL-NIP",
        &["##########", "###-###-##-##", "###-##-##-###"],
        check::pl_nip,
        11,
        &["nip", "podatkow"],
    ),
    scheme("GR-AMKA", &["###########"], check::gr_amka, 250, &["amka", "αμκα", "ΑΜΚΑ"]),
    plain("GR-AFM", &["#########"], check::gr_afm, 10, &["afm", "αφμ", "ΑΦΜ"]),
    scheme("HR-OIB", &["###########"], check::hr_oib, 10, &["oib"]),
    scheme(
        "ES-DNI",
        &["########A", "########-A", "######## A", "##.###.###-A", "##.###.###A"],
        check::es_dni,
        26,
        &["dni", "nif", "documento nacional", "identidad"],
    ),
    scheme("ES-NIE", &["A#######A", "A-#######-A", "A#######-A"], check::es_nie, 200, &["nie", "extranjero"]),
    scheme(
        "FI-HETU",
        &["######-###*", "######+###*", "######A###*"],
        check::fi_hetu,
        900,
        &["hetu", "henkilötunnus", "henkilotunnus"],
    ),
    scheme(
        "FR-NIR",
        &[
            "###############",
            "######A########",
            "# ## ## ## ### ### ##",
            "# ## ## #A ### ### ##",
            "############# ##",
            "######A###### ##",
        ],
        check::fr_nir,
        2000,
        &["nir", "sécurité sociale", "securite sociale", "sécu", "insee", "secu"],
    ),
    plain(
        "FR-SPI",
        &["#############", "## ## ### ### ###"],
        check::fr_spi,
        2000,
        &["spi", "numéro fiscal", "numero fiscal", "fiscal"],
    ),
    plain("HU-TAJ", &["#########", "### ### ###", "###-###-###"], check::hu_taj, 10, &["taj"]),
    plain(
        "HU-ADO",
        &["##########"],
        check::hu_ado,
        100,
        &["adóazonosító", "adoazonosito", "adóazon", "adojel"],
    ),
    scheme(
        "IE-PPSN",
        &["#######A", "#######AA", "####### AA", "####### A"],
        check::ie_ppsn,
        26,
        &["pps", "ppsn", "ppsno"],
    ),
    scheme(
        "IT-CF",
        &["AAAAAA**A**A***A"],
        check::it_cf,
        300,
        &["codice fiscale", "codicefiscale", "codice_fiscale", "cf"],
    ),
    plain(
        "NL-BSN",
        &["#########", "####.##.###", "####-##-###"],
        check::nl_bsn,
        11,
        &["bsn", "burgerservice", "sofinummer", "sofi"],
    ),
    plain("PT-NIF", &["#########", "### ### ###"], check::pt_nif, 18, &["nif", "contribuinte", "nº fiscal"]),
    scheme("RO-CNP", &["#############"], check::ro_cnp, 600, &["cnp", "cod numeric"]),
    scheme("SI-EMSO", &["#############"], check::si_emso, 600, &["emšo", "emŠo", "emso", "jmbg"]),
    plain("SI-TAX", &["########"], check::si_tax, 11, &["davčna", "davcna", "davcna_stevilka"]),
    scheme("LU-MATRICULE", &["#############"], check::lu_matricule, 5000, &["matricule", "nin"]),
    plain("CY-TIC", &["########A"], check::cy_tic, 26, &["tic", "afm", "αφτ"]),
    plain(
        "MT-ID",
        &["#######A", "###### A", "######A"],
        check::mt_id,
        4,
        &["id card", "identity card", "karta tal-identita", "idcard"],
    ),
    scheme("CH-AHV", &["#############", "###.####.####.##"], check::ch_ahv, 5000, &["ahv", "avs", "oasi"]),
];
