-- Names in capitals, as tools of other databases make them; employees are persons too, and refer to each other.
CREATE SCHEMA music;
CREATE TABLE music."Employee" (
    "EmployeeId" integer PRIMARY KEY, "LastName" varchar(20), "FirstName" varchar(20), "Title" varchar(30),
    "ReportsTo" integer REFERENCES music."Employee", "BirthDate" timestamp, "Email" varchar(60));
INSERT INTO music."Employee" SELECT n, family, given, 'Sales Agent', NULL, born, email FROM made.people WHERE n <= 8;
CREATE TABLE music."Customer" (
    "CustomerId" integer PRIMARY KEY, "FirstName" varchar(40), "LastName" varchar(20), "Company" varchar(80),
    "Address" varchar(70), "City" varchar(40), "Phone" varchar(24), "Fax" varchar(24), "Email" varchar(60),
    "SupportRepId" integer REFERENCES music."Employee");
INSERT INTO music."Customer" SELECT n, given, family, NULL, street, city, phone, NULL, email, n % 8 + 1 FROM made.people;
CREATE TABLE music."Invoice" (
    "InvoiceId" integer PRIMARY KEY, "CustomerId" integer NOT NULL REFERENCES music."Customer", "InvoiceDate" timestamp,
    "BillingAddress" varchar(70), "Total" numeric);
INSERT INTO music."Invoice" SELECT n, n, now(), street, n FROM made.people;
CREATE TABLE music."Artist" ("ArtistId" integer PRIMARY KEY, "Name" varchar(120));
INSERT INTO music."Artist" SELECT n, (ARRAY['AC/DC', 'Accept', 'Aerosmith', 'Apocalyptica', 'Audioslave', 'BackBeat', 'Blur', 'U2'])[n] FROM generate_series(1, 8) n;
CREATE TABLE music."Album" ("AlbumId" integer PRIMARY KEY, "Title" varchar(160), "ArtistId" integer REFERENCES music."Artist");
INSERT INTO music."Album" SELECT n, 'Album Number ' || n, n FROM generate_series(1, 8) n;
CREATE TABLE music."InvoiceLine" ("InvoiceLineId" integer PRIMARY KEY, "InvoiceId" integer REFERENCES music."Invoice", "AlbumId" integer REFERENCES music."Album", "UnitPrice" numeric);
INSERT INTO music."InvoiceLine" SELECT n, n, n % 8 + 1, 1 FROM made.people;
