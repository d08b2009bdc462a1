-- Links that let guests see a part of an app. What they carry is kept as a
-- hash alone.
CREATE TABLE guests (
	hash    BLOB PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE CHECK (id <> ''),
	name    TEXT NOT NULL,
	host    TEXT NOT NULL,
	paths   TEXT NOT NULL,
	methods TEXT NOT NULL,
	most    INTEGER NOT NULL,
	opened  INTEGER NOT NULL CHECK (opened <= most),
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX guests_by_expiry ON guests (expires);
