-- A shop with everything declared: keys, a list, a composite key, an enum, documents, partitions, views.
CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('open', 'paid', 'void');
CREATE TABLE shop.countries (code char(2) PRIMARY KEY, name text NOT NULL);
INSERT INTO shop.countries VALUES ('IE', 'Ireland'), ('NO', 'Norway'), ('DE', 'Germany'), ('FR', 'France'), ('ES', 'Spain'), ('PL', 'Poland');
CREATE TABLE shop.customers (
    id bigint PRIMARY KEY, first_name varchar(40) NOT NULL, last_name varchar(40) NOT NULL, email text UNIQUE NOT NULL,
    mobile text, date_of_birth date, password_hash text, country char(2) REFERENCES shop.countries, vip boolean,
    loyalty_points integer, religion text, created_at timestamptz DEFAULT now());
INSERT INTO shop.customers SELECT n, given, family, email, phone, born, hash, 'IE', n % 2 = 0, n * 10, 'none' FROM made.people;
CREATE TABLE shop.addresses (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES shop.customers, street text, postcode text, city text,
    latitude numeric, longitude numeric);
INSERT INTO shop.addresses SELECT n, n, street, (10000 + n)::text, city, lat, lon FROM made.people;
CREATE TABLE shop.products (id bigint PRIMARY KEY, title text, price numeric(10, 2), ean text, released date);
INSERT INTO shop.products SELECT n, 'Product ' || n, n * 1.5, (4006381330000 + n)::text, date '2020-01-01' + n FROM generate_series(1, 80) n;
CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES shop.customers, state shop.state, total numeric,
    ordered_at timestamptz, ip inet, comment text);
INSERT INTO shop.orders SELECT n, n, 'paid', n * 3, now() - n * interval '1 day', ip::inet, note FROM made.people;
CREATE TABLE shop.order_items (
    order_id bigint REFERENCES shop.orders, product_id bigint REFERENCES shop.products, quantity smallint,
    PRIMARY KEY (order_id, product_id));
INSERT INTO shop.order_items SELECT n, n, 2 FROM generate_series(1, 60) n;
CREATE TABLE shop.payments (
    id uuid PRIMARY KEY, order_id bigint NOT NULL REFERENCES shop.orders, account text, card_number text, amount numeric);
INSERT INTO shop.payments SELECT device, n, iban, card, n FROM made.people;
CREATE TABLE shop.events (
    id bigint, at timestamptz NOT NULL, customer_id bigint REFERENCES shop.customers, payload jsonb, tags text[])
    PARTITION BY RANGE (at);
CREATE TABLE shop.events_2026 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO shop.events SELECT n, '2026-05-01', n, jsonb_build_object('kind', 'login', 'contact', jsonb_build_object('mail', email)),
    ARRAY['a', 'b'] FROM made.people;
CREATE VIEW shop.customer_list AS SELECT c.id, c.first_name || ' ' || c.last_name AS who, c.email, n.name AS country
    FROM shop.customers c JOIN shop.countries n ON n.code = c.country;
CREATE MATERIALIZED VIEW shop.big_spenders AS SELECT customer_id, sum(total) AS spent FROM shop.orders GROUP BY 1;
