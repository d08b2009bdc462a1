-- Links that were handed out and open one thing once. What they carry is kept
-- as a hash alone.
CREATE TABLE invitations (
	hash    BLOB PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE CHECK (id <> ''),
	purpose TEXT NOT NULL,
	origin  TEXT NOT NULL,
	user_id TEXT REFERENCES users ON DELETE CASCADE,
	email   TEXT NOT NULL,
	groups  TEXT NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_of_user ON invitations (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX invitations_by_expiry ON invitations (expires);
