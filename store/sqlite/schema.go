package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"rouse/session"
	"rouse/store"
)

const (
	// Format is the version of the file's format that this package writes. It
	// only grows; older files are brought up to it when they are opened.
	Format = 2

	applicationID = 0x726f7573 // "rous"
)

// A new state of a session needs a column, and so a new format.
var _ = [1]struct{}{}[session.NumStates-4]

// schema is the current format, as a new file gets it.
//
// owner has rows of a kilobyte and more, so it is an ordinary table: WITHOUT
// ROWID would put whole rows into the inner pages of the tree. Reasons are
// numbered by SQLite in the order in which they come, so the oldest of all
// owners lie together and go without a search.
const schema = `
CREATE TABLE owner(
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL UNIQUE,
	host TEXT NOT NULL,
	version INTEGER NOT NULL,
	active INTEGER NOT NULL,
	inactive INTEGER NOT NULL,
	delayed INTEGER NOT NULL,
	hibernated INTEGER NOT NULL,
	endpoints INTEGER NOT NULL,
	record INTEGER NOT NULL,
	state TEXT NOT NULL
) STRICT;
CREATE INDEX owner_host ON owner(host, key);

CREATE TABLE wake(
	owner TEXT NOT NULL,
	service TEXT NOT NULL,
	node TEXT NOT NULL,
	class TEXT NOT NULL,
	due INTEGER NOT NULL,
	lease INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	count INTEGER NOT NULL,
	sent INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	rule TEXT NOT NULL,
	since INTEGER NOT NULL,
	PRIMARY KEY(owner, service, node, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX wake_due ON wake(class, due);

CREATE TABLE reason(
	id INTEGER PRIMARY KEY,
	owner TEXT NOT NULL,
	n INTEGER NOT NULL,
	at INTEGER NOT NULL,
	reason TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX reason_owner ON reason(owner, n);

CREATE TABLE registration(
	node TEXT PRIMARY KEY,
	app TEXT NOT NULL,
	token TEXT NOT NULL,
	device TEXT NOT NULL,
	domain TEXT NOT NULL,
	updated INTEGER NOT NULL,
	dead TEXT NOT NULL,
	died INTEGER NOT NULL,
	family TEXT NOT NULL DEFAULT '',
	account TEXT NOT NULL DEFAULT '',
	channel TEXT NOT NULL DEFAULT '',
	calls TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone ON registration(died) WHERE token='' AND dead<>'';

CREATE TABLE reporter(
	host TEXT PRIMARY KEY,
	epoch INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	wanted INTEGER NOT NULL,
	picture INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta(
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counter(
	one INTEGER PRIMARY KEY CHECK(one=1),
	serial INTEGER NOT NULL,
	active INTEGER NOT NULL,
	inactive INTEGER NOT NULL,
	delayed INTEGER NOT NULL,
	hibernated INTEGER NOT NULL,
	endpoints INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES(1, 0, 0, 0, 0, 0, 0);
`

// migrations lead from each format to the next: the first from 1 to 2.
func migrations() []string {
	return []string{`
ALTER TABLE registration ADD COLUMN family TEXT NOT NULL DEFAULT '';
ALTER TABLE registration ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE registration ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE registration ADD COLUMN calls TEXT NOT NULL DEFAULT '';
`}
}

// migrate brings an older file up to Format in one transaction, so that a
// machine that dies meanwhile leaves it as it was. The log is then moved into
// the file, where an older rouse reads the format before anything else.
func migrate(ctx context.Context, conn *sql.Conn) error {
	var format int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&format); err != nil {
		return err
	}
	if format > Format {
		return store.ErrNewer
	}
	if format == Format {
		return nil
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, step := range migrations()[format-1:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("from format %d to %d: %w", format, Format, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version=%d`, Format)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}
