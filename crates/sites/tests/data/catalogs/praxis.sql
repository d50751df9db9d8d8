-- A doctor's practice in German: half of the foreign keys are missing, a doctor refers to a doctor.
CREATE SCHEMA praxis;
CREATE TABLE praxis.aerzte (arzt_nr integer PRIMARY KEY, vorname text, nachname text, vertreter integer REFERENCES praxis.aerzte);
INSERT INTO praxis.aerzte SELECT n, given, family, NULL FROM made.people WHERE n <= 8;
CREATE TABLE praxis.patienten (
    patient_nr integer PRIMARY KEY, vorname text, nachname text, geburtsdatum date, steuer_id text, telefon text,
    anschrift text, krankenkasse text, bemerkung text, hausarzt integer REFERENCES praxis.aerzte);
INSERT INTO praxis.patienten SELECT n, given, family, born, steuer, phone, street || ', ' || city, 'AOK', note, n % 8 + 1 FROM made.people;
CREATE TABLE praxis.behandlungen (
    id integer PRIMARY KEY, patient_nr integer NOT NULL, arzt_nr integer NOT NULL, datum date, diagnose text, kosten numeric);
INSERT INTO praxis.behandlungen SELECT n, n, n % 8 + 1, date '2026-01-01' + n, 'J06.9', 20 FROM made.people;
CREATE TABLE praxis.rechnungen (
    id integer PRIMARY KEY, behandlung_id integer REFERENCES praxis.behandlungen, iban text, betrag numeric, bezahlt boolean);
INSERT INTO praxis.rechnungen SELECT n, n, iban, 20, true FROM made.people;
CREATE TABLE praxis.geraete (id integer PRIMARY KEY, bezeichnung text, angeschafft date);
INSERT INTO praxis.geraete SELECT n, 'Gerät ' || n, date '2019-01-01' FROM generate_series(1, 9) n;
