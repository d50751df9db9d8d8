-- Names that say nothing, no foreign key, a table without any key: only values speak.
CREATE SCHEMA legacy;
CREATE TABLE legacy.t01 (t01_id integer PRIMARY KEY, c1 text, c2 text, c3 text, c4 text, c5 text, c6 text);
INSERT INTO legacy.t01 SELECT 1000 + n, given || ' ' || family, email, bsn, phone, 'A', (100000000 + n * 7919)::text FROM made.people;
CREATE TABLE legacy.t02 (t02_id integer PRIMARY KEY, t01_id integer, v1 text, v2 numeric, v3 text);
INSERT INTO legacy.t02 SELECT n, 1000 + n, iban, n, 'EUR' FROM made.people;
CREATE TABLE legacy.t03 (t01_id integer, x1 text, x2 text);
INSERT INTO legacy.t03 SELECT 1000 + n, ip, note FROM made.people;
CREATE TABLE legacy.t99 (k text PRIMARY KEY, v text);
INSERT INTO legacy.t99 SELECT 'key ' || n, 'v' || n FROM generate_series(1, 30) n;
