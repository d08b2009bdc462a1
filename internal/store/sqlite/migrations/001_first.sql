-- Times are microseconds since 1970 in UTC, lists are JSON arrays of text.

CREATE TABLE users (
	id             TEXT PRIMARY KEY CHECK (id <> ''),
	login          TEXT NOT NULL UNIQUE CHECK (login <> ''),
	name           TEXT NOT NULL,
	name_set       INTEGER NOT NULL,
	email          TEXT NOT NULL,
	email_verified INTEGER NOT NULL,
	email_set      INTEGER NOT NULL,
	groups         TEXT NOT NULL,
	status         TEXT NOT NULL,
	created        INTEGER NOT NULL,
	generation     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The logins of users who are gone. No login is given twice.
CREATE TABLE gone_logins (
	login TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
	issuer       TEXT NOT NULL CHECK (issuer <> ''),
	subject      TEXT NOT NULL CHECK (subject <> ''),
	user_id      TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	provider     TEXT NOT NULL,
	username     TEXT NOT NULL,
	email        TEXT NOT NULL,
	linked       INTEGER NOT NULL,
	last_sign_in INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_of_user ON links (user_id);

CREATE TABLE verifiers (
	user_id    TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	salt       BLOB NOT NULL,
	iterations INTEGER NOT NULL,
	stored_key BLOB NOT NULL,
	server_key BLOB NOT NULL,
	version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
	id             TEXT PRIMARY KEY CHECK (id <> ''),
	parent         TEXT REFERENCES sessions ON DELETE CASCADE,
	audience       TEXT NOT NULL,
	user_id        TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	issuer         TEXT NOT NULL,
	subject        TEXT NOT NULL,
	provider       TEXT NOT NULL,
	foreign_id     TEXT NOT NULL,
	groups         TEXT NOT NULL,
	amr            TEXT NOT NULL,
	auth_time      INTEGER NOT NULL,
	created        INTEGER NOT NULL,
	seen           INTEGER NOT NULL,
	expires        INTEGER NOT NULL,
	address        TEXT NOT NULL,
	user_agent     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_parent ON sessions (parent) WHERE parent IS NOT NULL;
CREATE INDEX sessions_of_user ON sessions (user_id);

CREATE TABLE codes (
	hash     BLOB PRIMARY KEY,
	flow     TEXT NOT NULL,
	audience TEXT NOT NULL,
	parent   TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
	nonce    BLOB NOT NULL,
	target   TEXT NOT NULL,
	expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_of_parent ON codes (parent);
CREATE INDEX codes_by_expiry ON codes (expires);

CREATE TABLE spent (
	hash    BLOB PRIMARY KEY,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_by_expiry ON spent (expires);

CREATE TABLE throttle (
	slot  INTEGER PRIMARY KEY,
	level INTEGER NOT NULL,
	last  INTEGER NOT NULL
) STRICT;
