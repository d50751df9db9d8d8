//! What names of tables and columns say beyond identifiers: whom a table is about, what must never leave, where rows are
//! at home. In the languages of the EEA. Only ever further evidence. Not here: identifiers (`inspect`).

use super::plain_name;

/// What tables of persons are called, in the singular.
const PERSONS: &[&str] = &[
    "user",
    "app_user",
    "customer",
    "person",
    "people",
    "employee",
    "patient",
    "member",
    "student",
    "subscriber",
    "client",
    "contact",
    "account",
    "profile",
    "passenger",
    "guest",
    "player",
    "driver",
    "citizen",
    "candidate",
    "applicant",
    "staff",
    "teacher",
    "author",
    "actor",
    "artist",
    "owner",
    "resident",
    "tenant",
    "donor",
    "voter",
    "visitor",
    "participant",
    "traveler",
    "traveller",
    "worker",
    "kunde",
    "kunden",
    "benutzer",
    "nutzer",
    "mitarbeiter",
    "mitglied",
    "patientin",
    "schueler",
    "versicherter",
    "personen",
    "utilisateur",
    "adherent",
    "personne",
    "salarie",
    "abonne",
    "eleve",
    "cliente",
    "usuario",
    "persona",
    "empleado",
    "paciente",
    "alumno",
    "socio",
    "utente",
    "dipendente",
    "paziente",
    "klant",
    "gebruiker",
    "medewerker",
    "persoon",
    "patienten",
    "klient",
    "uzytkownik",
    "pracownik",
    "osoba",
    "pacjent",
    "zakaznik",
    "uzivatel",
    "zamestnanec",
    "kund",
    "anvandare",
    "medlem",
    "bruker",
    "ansatt",
    "pasient",
    "kayttaja",
    "asiakas",
    "henkilo",
    "potilas",
    "ugyfel",
    "felhasznalo",
    "utilizator",
    "angajat",
    "pacient",
    "stranka",
    "uporabnik",
    "korisnik",
    "kasutaja",
    "lietotajs",
    "vartotojas",
    "klijent",
    "arzt",
    "aerzte",
    "doctor",
    "physician",
    "nurse",
    "therapist",
    "lawyer",
    "medecin",
    "medico",
    "lekarz",
    "title_principal",
    "name_basic",
];

/// Special categories of GDPR Article 9, and offences of Article 10.
const SPECIAL: &[&str] = &[
    "religion",
    "religious",
    "faith",
    "ethnicity",
    "ethnic",
    "race",
    "political",
    "party_membership",
    "union_member",
    "trade_union",
    "sexual",
    "orientation",
    "health",
    "diagnosis",
    "diagnoses",
    "disease",
    "illness",
    "medication",
    "allergy",
    "allergies",
    "disability",
    "blood",
    "blood_type",
    "hiv",
    "pregnan",
    "genetic",
    "biometric",
    "fingerprint",
    "iris",
    "criminal",
    "conviction",
    "konfession",
    "krankheit",
    "diagnose",
    "gesundheit",
    "religione",
    "sante",
    "salud",
    "maladie",
    "enfermedad",
    "malattia",
    "behinderung",
    "icd",
    "icd10",
    "symptom",
    "symptoms",
];

/// What is about a person in particular, whoever reads it.
const PERSONAL: &[&str] = &[
    "salary",
    "wage",
    "income",
    "gender",
    "sex",
    "marital_status",
    "nationality",
    "gehalt",
    "geschlecht",
    "salaire",
    "photo",
    "picture",
    "avatar",
    "signature",
    "age",
    "height",
    "weight",
];

/// Where a row is written.
const HOMES: &[&str] = &[
    "home_site",
    "home_region",
    "data_region",
    "home",
    "residency_region",
    "data_residency",
    "storage_region",
    "crdb_region",
];

/// Without the plural's ending, as English and its neighbours make it.
pub(super) fn singular(name: &str) -> String {
    let endings =
        [("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("people", "person"), ("s", "")];
    let found =
        endings.iter().find_map(|(plural, one)| name.strip_suffix(plural).map(|stem| format!("{stem}{one}")));
    found.filter(|one| one.len() > 1 && !name.ends_with("ss")).unwrap_or_else(|| name.to_owned())
}

/// The word for persons in a table's name.
pub(super) fn person(table: &str) -> Option<&'static str> {
    let plain = plain_name(table);
    let name = singular(plain.trim_start_matches("tbl_").trim_start_matches("t_"));
    let exactly = PERSONS.iter().find(|word| **word == name || **word == plain);
    // `app_users`, `store_customer`; but not `user_roles`, which is about roles.
    exactly.or_else(|| PERSONS.iter().find(|word| name.rsplit('_').next() == Some(**word))).copied()
}

pub(super) fn special(column: &str) -> Option<&'static str> {
    among(column, SPECIAL)
}

pub(super) fn personal(column: &str) -> Option<&'static str> {
    among(column, PERSONAL)
}

pub(super) fn is_home(column: &str) -> bool {
    HOMES.contains(&plain_name(column).as_str())
}

fn among(column: &str, words: &[&'static str]) -> Option<&'static str> {
    let plain = plain_name(column);
    let padded = format!("_{plain}_");
    words.iter().find(|word| padded.contains(&format!("_{word}_"))).copied()
}
