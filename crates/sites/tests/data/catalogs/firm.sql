-- A person who may be an employee or a contact; mail addresses in rows of their own; a department and its head refer to
-- each other; a composite type, a domain, xml and binary columns.
CREATE SCHEMA firm;
CREATE DOMAIN firm.mail_address AS text CHECK (value ~ '@');
CREATE TYPE firm.place AS (street text, city text);
CREATE TABLE firm.person (person_id integer PRIMARY KEY, full_name text NOT NULL, gender char(1), photo bytea, home_address firm.place);
INSERT INTO firm.person SELECT n, given || ' ' || family, 'x', '\x00', (street, city)::firm.place FROM made.people;
CREATE TABLE firm.department (department_id integer PRIMARY KEY, label text, head_id integer);
INSERT INTO firm.department SELECT n, 'Department ' || n FROM generate_series(1, 5) n;
CREATE TABLE firm.employee (
    person_id integer PRIMARY KEY REFERENCES firm.person, department_id integer REFERENCES firm.department, salary numeric,
    pesel text, login_name text, hired date, resume xml);
INSERT INTO firm.employee SELECT n, n % 5 + 1, 3000, pesel, 'user' || n, '2020-01-01', format('<cv><p>%s</p></cv>', note)::xml FROM made.people WHERE n <= 40;
ALTER TABLE firm.department ADD FOREIGN KEY (head_id) REFERENCES firm.employee;
CREATE TABLE firm.email_address (person_id integer REFERENCES firm.person, n smallint, address firm.mail_address, PRIMARY KEY (person_id, n));
INSERT INTO firm.email_address SELECT n, 1, email FROM made.people;
CREATE TABLE firm.sick_leave (id integer PRIMARY KEY, person_id integer REFERENCES firm.employee, starts date, icd10 text);
INSERT INTO firm.sick_leave SELECT n, n, '2026-02-01', 'J11' FROM generate_series(1, 20) n;
CREATE TABLE firm.build_log (id bigint PRIMARY KEY, version text, host text, took_ms integer, sha text, line text);
INSERT INTO firm.build_log SELECT n, format('1.%s.%s.%s', n % 7, n % 11, n), 'builder-' || n % 4, n, md5(n::text), 'step ' || n FROM generate_series(1, 100) n;
