//! Given and family names by country, common ones, separated by `|`. Invented persons are put together from these;
//! none is meant.

/// The names of a country.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) given: &'static str,
    pub(super) family: &'static str,
}

pub(super) const IE: Names = Names {
    given: "Aoife|Ciarán|Niamh|Seán|Saoirse|Oisín|Róisín|Conor|Sinéad|Cormac|Orla|Darragh|Gráinne|Eoin|Clodagh|Fionn|\
            Aisling|Tadhg|Caoimhe|Pádraig|Éabha|Liam|Maeve|Rory|Siobhán|Declan|Deirdre|Killian|Bríd|Diarmuid|Emer|\
            Lorcan|Sorcha|Brian|Nuala|Ruairí|Eimear|Dara|Muireann|Fergal",
    family: "Murphy|Kelly|O'Sullivan|Walsh|Byrne|Ryan|O'Connor|O'Neill|O'Reilly|Doyle|McCarthy|Gallagher|Doherty|\
             Kennedy|Lynch|Murray|Quinn|Moore|McLoughlin|Carroll|Connolly|Daly|Wilson|Dunne|Brennan|Burke|Collins|\
             Clarke|Hughes|Farrell|Fitzgerald|Nolan|Maguire|Hayes|Keane|Flynn|Power|Healy|Ní Dhomhnaill|Ó Briain",
};

pub(super) const DE: Names = Names {
    given: "Lukas|Anna|Leon|Lena|Finn|Marie|Paul|Sophie|Jonas|Laura|Maximilian|Hannah|Felix|Mia|Elias|Emma|Moritz|\
            Johanna|Tobias|Katharina|Sebastian|Julia|Niklas|Clara|Jürgen|Ute|Matthias|Sabine|Stefan|Petra|Björn|\
            Heike|Florian|Greta|Emre|Aylin|Klaus|Ingrid|Till|Frieda",
    family: "Müller|Schmidt|Schneider|Fischer|Weber|Meyer|Wagner|Becker|Schulz|Hoffmann|Schäfer|Koch|Bauer|Richter|\
             Klein|Wolf|Schröder|Neumann|Schwarz|Zimmermann|Braun|Krüger|Hofmann|Hartmann|Lange|Schmitt|Werner|\
             Krause|Meier|Lehmann|Köhler|Herrmann|König|Walter|Maier|Kaiser|Yılmaz|Vogel|Weiß|Jäger",
};

pub(super) const FR: Names = Names {
    given: "Camille|Hugo|Léa|Louis|Manon|Gabriel|Chloé|Jules|Inès|Arthur|Jade|Raphaël|Zoé|Théo|Élise|Antoine|Juliette|\
            Clément|Margaux|Maxime|Amélie|Baptiste|Noémie|Étienne|Sylvie|Thierry|Isabelle|Benoît|Nathalie|Mathieu|\
            Océane|Yanis|Aurélie|Sofiane|Hélène|Rémi|Fatou|Loïc|Agathe|François",
    family: "Martin|Bernard|Dubois|Thomas|Robert|Richard|Petit|Durand|Leroy|Moreau|Simon|Laurent|Lefebvre|Michel|\
             Garcia|David|Bertrand|Roux|Vincent|Fournier|Morel|Girard|André|Lefèvre|Mercier|Dupont|Lambert|Bonnet|\
             François|Martinez|Legrand|Garnier|Faure|Rousseau|Blanc|Guérin|Boyer|Chevalier|Benali|Diallo",
};

pub(super) const ES: Names = Names {
    given: "Lucía|Hugo|Sofía|Mateo|Martina|Martín|María|Lucas|Julia|Leo|Paula|Daniel|Valeria|Alejandro|Emma|Manuel|\
            Daniela|Pablo|Carla|Álvaro|Alba|Adrián|Noa|David|Carmen|Javier|Ana|José|Marta|Íñigo|Cristina|Sergio|\
            Rocío|Ramón|Nuria|Begoña|Andrés|Pilar|Jordi|Montserrat",
    family: "García|Rodríguez|González|Fernández|López|Martínez|Sánchez|Pérez|Gómez|Martín|Jiménez|Ruiz|Hernández|\
             Díaz|Moreno|Muñoz|Álvarez|Romero|Alonso|Gutiérrez|Navarro|Torres|Domínguez|Vázquez|Ramos|Gil|Ramírez|\
             Serrano|Blanco|Molina|Morales|Suárez|Ortega|Delgado|Castro|Ortiz|Rubio|Marín|Sanz|Núñez",
};

pub(super) const IT: Names = Names {
    given: "Leonardo|Sofia|Francesco|Aurora|Alessandro|Giulia|Lorenzo|Ginevra|Mattia|Alice|Andrea|Emma|Gabriele|\
            Giorgia|Riccardo|Beatrice|Tommaso|Vittoria|Edoardo|Matilde|Giuseppe|Chiara|Antonio|Martina|Marco|Elena|\
            Luca|Federica|Paolo|Valentina|Niccolò|Francesca|Davide|Silvia|Simone|Laura|Giovanni|Roberta|Pietro|Ilaria",
    family: "Rossi|Russo|Ferrari|Esposito|Bianchi|Romano|Colombo|Ricci|Marino|Greco|Bruno|Gallo|Conti|De Luca|Mancini|\
             Costa|Giordano|Rizzo|Lombardi|Moretti|Barbieri|Fontana|Santoro|Mariani|Rinaldi|Caruso|Ferrara|Galli|\
             Martini|Leone|Longo|Gentile|Martinelli|Vitale|Lombardo|Serra|Coppola|De Santis|D'Angelo|Marchetti",
};

pub(super) const NL: Names = Names {
    given: "Daan|Emma|Sem|Julia|Lucas|Sophie|Levi|Tess|Finn|Mila|Bram|Saar|Thijs|Lotte|Jesse|Fleur|Lars|Sanne|Ruben|\
            Anouk|Jeroen|Marieke|Pieter|Femke|Sander|Annelies|Joris|Ilse|Willem|Wietske|Koen|Roos|Maarten|Noor|\
            Mohammed|Yara|Hendrik|Truus|Gijs|Fenna",
    family: "de Jong|Jansen|de Vries|van den Berg|van Dijk|Bakker|Janssen|Visser|Smit|Meijer|de Boer|Mulder|de Groot|\
             Bos|Vos|Peters|Hendriks|van Leeuwen|Dekker|Brouwer|de Wit|Dijkstra|Smits|de Graaf|van der Meer|Kok|\
             Jacobs|Vermeulen|van den Heuvel|van der Veen|van den Broek|de Haan|Schouten|Willems|Kuipers|van Vliet|\
             Hoekstra|Koster|Prins|Huisman",
};

pub(super) const SE: Names = Names {
    given: "William|Alice|Liam|Maja|Noah|Vera|Hugo|Alma|Lucas|Selma|Elias|Elsa|Oscar|Lilly|Oliver|Astrid|Axel|Ebba|\
            Erik|Wilma|Gustav|Linnea|Lars|Ingrid|Anders|Karin|Johan|Eva|Per|Kerstin|Björn|Åsa|Göran|Märta|Mikael|\
            Malin|Sven|Birgitta|Nils|Freja",
    family: "Andersson|Johansson|Karlsson|Nilsson|Eriksson|Larsson|Olsson|Persson|Svensson|Gustafsson|Pettersson|\
             Jonsson|Jansson|Hansson|Bengtsson|Jönsson|Lindberg|Jakobsson|Magnusson|Olofsson|Lindström|Lindqvist|\
             Lindgren|Axelsson|Berg|Bergström|Lundberg|Lind|Lundgren|Lundqvist|Mattsson|Berglund|Fredriksson|\
             Sandberg|Henriksson|Forsberg|Sjöberg|Wallin|Engström|Åberg",
};

pub(super) const NO: Names = Names {
    given: "Jakob|Nora|Emil|Emma|Noah|Ella|Oliver|Maja|Filip|Olivia|William|Sofie|Lukas|Ingrid|Liam|Frida|Henrik|\
            Astrid|Oskar|Sara|Magnus|Ida|Håkon|Selma|Sindre|Tuva|Eirik|Solveig|Bjørn|Kari|Øyvind|Marit|Sigurd|Ragnhild|\
            Lars|Åse|Knut|Gunn|Terje|Synnøve",
    family: "Hansen|Johansen|Olsen|Larsen|Andersen|Pedersen|Nilsen|Kristiansen|Jensen|Karlsen|Johnsen|Pettersen|\
             Eriksen|Berg|Haugen|Hagen|Johannessen|Andreassen|Jacobsen|Dahl|Jørgensen|Henriksen|Lund|Halvorsen|\
             Sørensen|Jakobsen|Moen|Gundersen|Iversen|Strand|Solberg|Svendsen|Eide|Knutsen|Martinsen|Bakken|Bakke|\
             Kristoffersen|Lie|Rønning",
};

pub(super) const DK: Names = Names {
    given: "William|Emma|Oscar|Alma|Carl|Clara|Malthe|Freja|Emil|Ida|Valdemar|Ella|Noah|Karla|August|Agnes|Aksel|\
            Anna|Victor|Nora|Frederik|Sofie|Mikkel|Mathilde|Rasmus|Laura|Søren|Mette|Jens|Kirsten|Lars|Hanne|Niels|\
            Birgit|Jørgen|Lone|Kasper|Signe|Asger|Bodil",
    family: "Nielsen|Jensen|Hansen|Andersen|Pedersen|Christensen|Larsen|Sørensen|Rasmussen|Jørgensen|Petersen|Madsen|\
             Kristensen|Olsen|Thomsen|Christiansen|Poulsen|Johansen|Møller|Mortensen|Knudsen|Jakobsen|Jacobsen|\
             Mikkelsen|Olesen|Frederiksen|Laursen|Henriksen|Lund|Holm|Schmidt|Eriksen|Kristiansen|Simonsen|Clausen|\
             Svendsen|Andreasen|Iversen|Østergaard|Kjær",
};

pub(super) const FI: Names = Names {
    given: "Leo|Aino|Elias|Olivia|Onni|Eevi|Oliver|Sofia|Eino|Lilja|Väinö|Helmi|Toivo|Aada|Noel|Venla|Eetu|Ellen|\
            Mikael|Emilia|Jussi|Kaisa|Matti|Päivi|Timo|Tuula|Antti|Riikka|Mika|Sanna|Juhani|Anneli|Ville|Katri|Pekka|\
            Leena|Janne|Hanna|Ilkka|Märta",
    family: "Korhonen|Virtanen|Mäkinen|Nieminen|Mäkelä|Hämäläinen|Laine|Heikkinen|Koskinen|Järvinen|Lehtonen|Lehtinen|\
             Saarinen|Niemi|Salminen|Heinonen|Heikkilä|Kinnunen|Salonen|Turunen|Salo|Laitinen|Tuominen|Rantanen|\
             Karjalainen|Jokinen|Mattila|Savolainen|Lahtinen|Ahonen|Leppänen|Ojala|Väisänen|Kallio|Hiltunen|\
             Leinonen|Pitkänen|Miettinen|Lindholm|Nyström",
};

pub(super) const PL: Names = Names {
    given: "Antoni|Zuzanna|Jan|Julia|Jakub|Zofia|Aleksander|Hanna|Franciszek|Maja|Szymon|Lena|Mikołaj|Alicja|Filip|\
            Oliwia|Stanisław|Pola|Wojciech|Wiktoria|Paweł|Agnieszka|Tomasz|Małgorzata|Krzysztof|Katarzyna|Łukasz|\
            Joanna|Michał|Ewa|Grzegorz|Anna|Piotr|Elżbieta|Rafał|Iwona|Kacper|Gabriela|Bartosz|Kinga",
    family: "Nowak|Wójcik|Kowalczyk|Woźniak|Mazur|Krawczyk|Kaczmarek|Zając|Król|Wróbel|Wieczorek|Stępień|Dudek|Pawlak|\
             Walczak|Baran|Szewczyk|Pietrzak|Marciniak|Bąk|Włodarczyk|Duda|Sikora|Kubiak|Kołodziej|Kaźmierczak|Lis|\
             Sobczak|Mazurek|Urban|Kozioł|Musiał|Kopeć|Cieślak|Kurek|Nowacki|Michalak|Bednarek|Madej|Żak",
};

pub(super) const PT: Names = Names {
    given: "Francisco|Maria|João|Leonor|Afonso|Matilde|Duarte|Carolina|Tomás|Beatriz|Lourenço|Alice|Martim|Benedita|\
            Santiago|Mariana|Gonçalo|Inês|Rodrigo|Ana|Miguel|Margarida|Tiago|Joana|Rui|Catarina|Nuno|Sofia|Pedro|\
            Teresa|José|Cláudia|António|Mónica|Luís|Sílvia|Vasco|Filipa|Simão|Graça",
    family: "Silva|Santos|Ferreira|Pereira|Oliveira|Costa|Rodrigues|Martins|Jesus|Sousa|Fernandes|Gonçalves|Gomes|\
             Lopes|Marques|Alves|Almeida|Ribeiro|Pinto|Carvalho|Teixeira|Moreira|Correia|Mendes|Nunes|Soares|Vieira|\
             Monteiro|Cardoso|Rocha|Raposo|Neves|Coelho|Cruz|Cunha|Pires|Ramos|Reis|Simões|Antunes",
};

pub(super) const AT: Names = Names {
    given: "Maximilian|Anna|Jakob|Emma|Paul|Marie|David|Lena|Elias|Mia|Felix|Valentina|Tobias|Laura|Jonas|Sophie|\
            Leopold|Johanna|Simon|Magdalena|Lorenz|Theresa|Fabian|Katharina|Franz|Elisabeth|Josef|Brigitte|Andreas|\
            Eva|Gerhard|Monika|Wolfgang|Ingrid|Georg|Barbara|Stefan|Renate|Dragan|Milica",
    family: "Gruber|Huber|Bauer|Wagner|Müller|Pichler|Steiner|Moser|Mayer|Hofer|Leitner|Berger|Fuchs|Eder|Fischer|\
             Schmid|Winkler|Weber|Schwarz|Maier|Schneider|Reiter|Mayr|Schmidt|Wimmer|Egger|Brunner|Lang|Baumgartner|\
             Auer|Binder|Lechner|Wolf|Wallner|Aigner|Ebner|Koller|Lehner|Haas|Jovanović",
};

pub(super) const BE: Names = Names {
    given: "Noah|Olivia|Arthur|Emma|Jules|Louise|Louis|Mila|Lucas|Alice|Adam|Juliette|Victor|Elena|Mathis|Camille|\
            Wout|Lotte|Jef|Nele|Bart|Ilse|Tom|An|Wim|Katrien|Luc|Chantal|Philippe|Nathalie|Koen|Griet|Pascal|Sofie|\
            Benoît|Véronique|Yassine|Lina|Dries|Femke",
    family: "Peeters|Janssens|Maes|Jacobs|Mertens|Willems|Claes|Goossens|Wouters|De Smet|Dubois|Lambert|Dupont|Martin|\
             Simon|Vermeulen|Pauwels|Hermans|Aerts|Michiels|Leroy|Laurent|Denis|Van de Velde|De Clercq|Desmet|Bogaert|\
             Lemmens|Declercq|Smets|Van Damme|Renard|Verhoeven|Cools|Stevens|Thys|Baert|Lejeune|Segers|Amrani",
};

pub(super) const RO: Names = Names {
    given: "Andrei|Maria|David|Sofia|Matei|Ioana|Luca|Elena|Alexandru|Ana|Ștefan|Eva|Mihai|Daria|Gabriel|Antonia|\
            Ionuț|Alexandra|Cristian|Andreea|Vlad|Raluca|Radu|Mihaela|Bogdan|Simona|Florin|Roxana|Adrian|Oana|Sorin|\
            Cristina|Călin|Irina|Tudor|Anca|Răzvan|Gabriela|Dănuț|Loredana",
    family: "Popa|Popescu|Ionescu|Pop|Radu|Dumitru|Gheorghe|Stoica|Stan|Munteanu|Constantin|Andrei|Rusu|Anghel|Matei|\
             Marin|Mihai|Ciobanu|Șerban|Ștefan|Lazăr|Florea|Dumitrescu|Barbu|Stanciu|Vasile|Ilie|Cristea|Toma|\
             Moldovan|Oprea|Dinu|Tudor|Ionița|Ion|Ungureanu|Constantinescu|Georgescu|Neagu|Dragomir",
};

pub(super) const HU: Names = Names {
    given: "Bence|Hanna|Máté|Anna|Levente|Zoé|Dominik|Luca|Noel|Léna|Dániel|Zsófia|Marcell|Emma|Ádám|Boglárka|Balázs|\
            Lili|Gergő|Réka|Zoltán|Katalin|Attila|Ágnes|Tamás|Éva|Péter|Ildikó|László|Erzsébet|András|Mária|Ferenc|\
            Judit|György|Eszter|Csaba|Nóra|Áron|Virág",
    family: "Nagy|Kovács|Tóth|Szabó|Horváth|Varga|Kiss|Molnár|Németh|Farkas|Balogh|Papp|Lakatos|Takács|Juhász|Oláh|\
             Mészáros|Simon|Rácz|Fekete|Szilágyi|Török|Fehér|Balázs|Gál|Kis|Szűcs|Orsós|Kocsis|Fodor|Pintér|Szalai|\
             Sipos|Magyar|Lukács|Gulyás|Biró|Király|Katona|László",
};

pub(super) const US: Names = Names {
    given: "Emma|Liam|Olivia|Noah|Ava|Ethan|Sophia|Mason|Isabella|Logan|Mia|Lucas|Charlotte|Jackson|Amelia|Aiden|Harper|\
            Caleb|Abigail|Wyatt|Madison|Jayden|Brooklyn|DeShawn|Imani|Malik|Keisha|Diego|Ximena|Mateo|Guadalupe|Minh|\
            Priya|Arjun|Grace|Tyler|Kayla|Hunter|Savannah|Jamal",
    family: "Smith|Johnson|Williams|Brown|Jones|Garcia|Miller|Davis|Rodriguez|Martinez|Hernandez|Lopez|Wilson|Anderson|\
             Thomas|Taylor|Moore|Jackson|Lee|Perez|Thompson|White|Harris|Sanchez|Clark|Ramirez|Lewis|Robinson|Walker|\
             Young|Nguyen|Patel|Kim|Okafor|Washington|Begay|Kealoha|Schultz|Rossi|Cohen",
};
