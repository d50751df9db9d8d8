//! Records of each format, and the logins they are.
