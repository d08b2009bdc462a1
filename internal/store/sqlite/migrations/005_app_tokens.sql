-- Tokens for scripts, of one person for one app. A token is kept as a hash
-- alone. seen and ended are 0 for never.
CREATE TABLE app_tokens (
	hash     BLOB PRIMARY KEY,
	id       TEXT NOT NULL UNIQUE CHECK (id <> ''),
	user_id  TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	provider TEXT NOT NULL,
	app      TEXT NOT NULL CHECK (app <> ''),
	name     TEXT NOT NULL,
	created  INTEGER NOT NULL,
	seen     INTEGER NOT NULL,
	expires  INTEGER NOT NULL,
	ended    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX app_tokens_of_user ON app_tokens (user_id);
