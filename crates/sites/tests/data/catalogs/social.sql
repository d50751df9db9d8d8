-- People who follow each other, and what they write, in a network; sessions and devices.
CREATE SCHEMA social;
CREATE TABLE social.app_users (user_id uuid PRIMARY KEY, username text, display_name text, mail text, bio text, is_admin boolean, home_region text);
INSERT INTO social.app_users SELECT device, lower(left(given, 1)) || 'user' || n, given || ' ' || family, email, note, false, 'eu' FROM made.people;
CREATE TABLE social.follows (follower_id uuid REFERENCES social.app_users, followee_id uuid REFERENCES social.app_users, since timestamptz, PRIMARY KEY (follower_id, followee_id));
INSERT INTO social.follows SELECT a.device, b.device, now() FROM made.people a JOIN made.people b ON b.n = a.n + 1;
CREATE TABLE social.posts (post_id bigint PRIMARY KEY, author uuid REFERENCES social.app_users, body text, likes integer, reply_to bigint REFERENCES social.posts);
INSERT INTO social.posts SELECT n, device, note, n, NULL FROM made.people;
CREATE TABLE social.sessions (sid text PRIMARY KEY, user_id uuid REFERENCES social.app_users, client_ip text, user_agent text, access_token text, last_seen timestamptz);
INSERT INTO social.sessions SELECT md5(n::text), device, ip, 'Mozilla/5.0 (X11; Linux x86_64) v' || n, md5(hash), now() FROM made.people;
CREATE TABLE social.hashtags (tag text PRIMARY KEY, uses integer);
INSERT INTO social.hashtags SELECT 'tag' || n, n FROM generate_series(1, 30) n;
CREATE TABLE social.post_tags (post_id bigint REFERENCES social.posts, tag text REFERENCES social.hashtags, PRIMARY KEY (post_id, tag));
INSERT INTO social.post_tags SELECT n, 'tag' || (n % 30 + 1) FROM made.people;
