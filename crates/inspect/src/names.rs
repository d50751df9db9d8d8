//! What a person's name looks like, and given names that are common in the EEA. A name is never looked for in a text:
//! too many words are names. Not here: what a column's own name says (`column`).

const WORDS_MAX: usize = 5;
const WORD_BYTES_MAX: usize = 40;

/// Whether the text is one to five capitalised words of letters, as a name is written.
pub(crate) fn is_like(text: &str) -> bool {
    let mut words = 0_usize;
    let like = text.split([' ', ',']).filter(|word| !word.is_empty()).all(|word| {
        words = words.saturating_add(1);
        let mut letters = word.chars();
        let first = letters.next().is_some_and(|first| first.is_uppercase() || first == '\'');
        let particle = PARTICLES.contains(&word);
        let plain = word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.'));
        let shouted = word.chars().count() > 1 && word.chars().all(char::is_uppercase) && word.len() < 4;
        (first || particle) && plain && !shouted && word.len() <= WORD_BYTES_MAX
    });
    like && (1..=WORDS_MAX).contains(&words)
}

/// Whether one of the words is a common given name.
pub(crate) fn has_given(text: &str) -> bool {
    let folded: String = text.chars().flat_map(char::to_lowercase).collect();
    folded.split([' ', ',', '-']).any(|word| GIVEN.split_ascii_whitespace().any(|given| given == word))
}

const PARTICLES: &[&str] = &[
    "van", "von", "de", "der", "den", "del", "della", "di", "da", "dos", "du", "la", "le", "el", "af", "av",
    "zu", "ter", "ten", "y", "e", "ní", "ó",
];

const GIVEN: &str = "anna maria marie eva elena sofia sophie sofie emma julia laura sara sarah hannah lena lea mia lisa \
    nina ida ella ellen ingrid astrid freja maja maya alva alma signe karin kristina christina birgit monika petra \
    katarina katharina magdalena barbara agnieszka katarzyna małgorzata zofia hanna aleksandra joanna ewa krystyna \
    elżbieta jana hana lucie tereza veronika kateřina lenka zuzana mária zsuzsanna erzsébet katalin ilona ágnes éva \
    judit ivana marija jelena ana mateja nika mojca andreja ioana andreea mihaela cristina alexandra ivanka penka \
    desislava georgia eleni aikaterini vasiliki konstantina dimitra carmen josefa isabel lucía lucia paula marta \
    ana cristina pilar dolores beatriz inês mariana joana catarina giulia chiara francesca valentina alessandra \
    giovanna rosa angela camille chloé manon jeanne louise alice juliette nathalie isabelle céline sandrine valérie \
    sylvie françoise monique sanne daan lotte fleur anouk femke ingeborg saskia wilhelmina aoife niamh siobhán \
    saoirse ciara gráinne sinéad mary margaret catherine elizabeth patricia jennifer linda jessica emily grace amelia \
    olivia charlotte lily sophia isabella ava aino helmi sofi liisa kaisa johanna päivi tuula leena anneli kadri piret \
    tiina liis inese ilze kristīne līga laima rasa jūratė guðrún sigríður kristín margrét helga jóhanna \
    jan johannes johan hans peter petr pedro pietro pierre per piotr paul paulo pablo paolo pavel pál michael michal \
    michał michel miguel michele mikael mikko mihai mihály thomas tomas tomáš tomasz tommaso martin andreas anders \
    andrzej andrei andrea andrés antonio antónio antoine anton stefan stephan stephen steven štefan christian cristian \
    christoph christophe krzysztof kristian kristián daniel david alexander aleksander alessandro alejandro alexandre \
    sebastian sébastien matthias mathieu matteo mateo mateusz matti jakob jakub jacob jacques james jaime josé joseph \
    josef józef giuseppe jozef giovanni giorgio georg george georgi georgios gheorghe jorge jürgen jörg joão juan john \
    jean luca lucas lukas łukasz lukáš luis luís luigi louis ludwig marco marcus markus mark marc marek mario francesco \
    francisco franz françois frank frederik fredrik friedrich felix fabian florian max maximilian moritz leon noah elias \
    emil oskar oscar otto olaf ole ola olav lars leif knut bjørn björn erik eric éric eirik einar magnus gunnar sven nils niels \
    jens jesper henrik heinrich hendrik henri henry harald håkon hugo karl carl carlos károly charles klaus nikolaus \
    nicolas nikola nikolay nikolaos ivan ivo igor vladimir viktor victor václav zoltán lászló istván sándor ferenc \
    gábor attila tamás balázs gergely ion vasile dumitru adrian radu bogdan constantin dimitrios konstantinos ioannis \
    panagiotis vasileios patrick seán sean conor ciarán eoin cian liam oisín declan brendan kevin brian william robert \
    richard edward arthur jack harry oliver simon philip philippe filip felipe ruben rubén tiago rui nuno manuel rafael \
    raphaël gabriel bruno sergio fernando javier álvaro diego alberto roberto riccardo stefano lorenzo davide simone \
    bart wim kees pieter dirk jeroen sander bram juhani antti jukka timo juha kari pekka heikki eero tarmo jaan rein \
    toomas andris jānis juris mārtiņš jonas vytautas mindaugas tomas darius jón sigurður guðmundur ólafur gunnar";
