-- +goose Up

-- The rows of all tables. entries holds the row's index entries, so that a row
-- is read and replaced without a look at the index.
CREATE TABLE record (
	tbl     TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	n       INTEGER NOT NULL,
	value   BLOB    NOT NULL,
	entries BLOB    NOT NULL,
	PRIMARY KEY (tbl, key)
) STRICT;

CREATE TABLE entry (
	tbl   TEXT NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	key   TEXT NOT NULL,
	PRIMARY KEY (tbl, name, value, key)
) STRICT, WITHOUT ROWID;

-- What changed with which commit.
CREATE TABLE feed (
	n   INTEGER NOT NULL,
	tbl TEXT    NOT NULL,
	key TEXT    NOT NULL,
	PRIMARY KEY (n, tbl, key)
) STRICT, WITHOUT ROWID;

-- One row: where the feed stands, and up to where it was pruned.
CREATE TABLE feed_head (
	id          INTEGER PRIMARY KEY CHECK (id = 1),
	incarnation TEXT    NOT NULL,
	n           INTEGER NOT NULL,
	pruned      INTEGER NOT NULL
) STRICT;
INSERT INTO feed_head (id, incarnation, n, pruned) VALUES (1, lower(hex(randomblob(16))), 0, 0);

PRAGMA user_version = 1;
