package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"rouse/notice"
)

// State is what became of a delivery.
type State string

const (
	Waiting State = "waiting"
	Told    State = "told"
	Failed  State = "failed"
)

// Delivery is one with its notice, and what became of it.
type Delivery struct {
	N int64
	notice.Delivery
	Notice notice.Notice
	State  State
	Tries  int
	Due    time.Time // Waiting: not before
	Ended  time.Time // zero: it has not
	Why    string    // why it failed, or is to be tried again
}

const columns = `d.n, d.context, d.address, d.lane, d.role, d.filter, d.text, d.state, d.tries, d.due, d.ended, d.why, notice.body`

func delivery(scan func(...any) error) (e Delivery, err error) {
	var text []byte
	var due, ended int64
	if err = scan(&e.N, &e.Context, &e.Address, &e.Lane, &e.Role, &e.Filter, &e.Text, &e.State, &e.Tries, &due, &ended, &e.Why, &text); err != nil {
		return e, err
	}
	e.Due = time.UnixMilli(due).UTC()
	if ended > 0 {
		e.Ended = time.UnixMilli(ended).UTC()
	}
	return e, json.Unmarshal(text, &e.Notice)
}

// Due gives the first delivery of each lane of a context that waits, if its time has
// come.
func (d *DB) Due(ctx context.Context, name string, now time.Time, most int) ([]Delivery, error) {
	return rows(ctx, d, delivery, `SELECT `+columns+` FROM delivery AS d JOIN notice ON notice.n = d.notice
WHERE d.n IN (SELECT MIN(n) FROM delivery WHERE state = 'waiting' AND context = ? GROUP BY lane) AND d.due <= ? ORDER BY d.n LIMIT ?`, name, now.UnixMilli(), most)
}

// Next is when the next delivery of a context is due; zero: none waits.
func (d *DB) Next(ctx context.Context, name string) (time.Time, error) {
	var due sql.NullInt64
	err := d.db.QueryRowContext(ctx, "SELECT MIN(due) FROM delivery WHERE state = 'waiting' AND context = ? AND n IN (SELECT MIN(n) FROM delivery WHERE state = 'waiting' AND context = ? GROUP BY lane)", name, name).Scan(&due)
	if err != nil || !due.Valid {
		return time.Time{}, err
	}
	return time.UnixMilli(due.Int64).UTC(), nil
}

// Settle writes what became of a try: told, failed, or waiting until due. What came back
// meanwhile stays failed.
func (d *DB) Settle(ctx context.Context, n int64, s State, why string, due, now time.Time) error {
	ended := now.UnixMilli()
	if s == Waiting {
		ended = 0
	}
	_, err := d.db.ExecContext(ctx, "UPDATE delivery SET state = ?, why = ?, due = ?, ended = ?, tries = tries + 1 WHERE n = ? AND state = 'waiting'", string(s), why, due.UnixMilli(), ended, n)
	return err
}

// Abandon fails what waits in contexts with a prefix that are not among those that are
// there: their programs were taken out of the configuration.
func (d *DB) Abandon(ctx context.Context, prefix string, there []string, now time.Time) error {
	query, args := "UPDATE delivery SET state = 'failed', why = 'it is not in the configuration any more', ended = ? WHERE state = 'waiting' AND substr(context, 1, ?) = ?", []any{now.UnixMilli(), len(prefix), prefix}
	for _, name := range there {
		query += " AND context <> ?"
		args = append(args, name)
	}
	_, err := d.db.ExecContext(ctx, query, args...)
	return err
}

// Bounce notes that what was told came back, which may be before Settle says that it was
// told. It reports whether it was known.
func (d *DB) Bounce(ctx context.Context, id, address, why string, now time.Time) (bool, error) {
	r, err := d.db.ExecContext(ctx, "UPDATE delivery SET state = 'failed', why = ?, ended = ? WHERE address = ? AND context IN (?, ?) AND state IN ('told', 'waiting') AND notice = (SELECT n FROM notice WHERE id = ?)",
		why, now.UnixMilli(), address, notice.Chat, notice.Device, id)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// Of gives the newest deliveries to an address, newest first; to nobody in particular:
// of all.
func (d *DB) Of(ctx context.Context, address string, most int) ([]Delivery, error) {
	if address == "" {
		return rows(ctx, d, delivery, `SELECT `+columns+` FROM delivery AS d JOIN notice ON notice.n = d.notice ORDER BY d.n DESC LIMIT ?`, most)
	}
	return rows(ctx, d, delivery, `SELECT `+columns+` FROM delivery AS d JOIN notice ON notice.n = d.notice WHERE d.address = ? ORDER BY d.n DESC LIMIT ?`, address, most)
}

// Counts are how many deliveries are in which state, and how many notices wait to be
// planned.
type Counts struct {
	Waiting   int `json:"waiting"`
	Told      int `json:"told"`
	Failed    int `json:"failed"`
	Unplanned int `json:"unplanned"`
}

// Counts counts.
func (d *DB) Counts(ctx context.Context) (c Counts, err error) {
	err = d.db.QueryRowContext(ctx, "SELECT COUNT(*) FILTER (WHERE state = 'waiting'), COUNT(*) FILTER (WHERE state = 'told'), COUNT(*) FILTER (WHERE state = 'failed') FROM delivery").Scan(&c.Waiting, &c.Told, &c.Failed)
	return c, errors.Join(err, d.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM notice WHERE planned = 0").Scan(&c.Unplanned))
}

// Forget takes out notices that came before a time, with their deliveries, but for
// those of which something waits.
func (d *DB) Forget(ctx context.Context, before time.Time) error {
	_, err := d.db.ExecContext(ctx, "DELETE FROM notice WHERE at < ? AND planned = 1 AND n NOT IN (SELECT notice FROM delivery WHERE state = 'waiting')", before.UnixMilli())
	return err
}

// Preferences gives what an account chose.
func (d *DB) Preferences(ctx context.Context, account string) (p notice.Preferences, err error) {
	var text []byte
	switch err := d.db.QueryRowContext(ctx, "SELECT body FROM preference WHERE account = ?", account).Scan(&text); {
	case errors.Is(err, sql.ErrNoRows):
		return p, nil
	case err != nil:
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// Prefer keeps what an account chose; the zero value takes it out.
func (d *DB) Prefer(ctx context.Context, account string, p notice.Preferences) error {
	if len(p.Contexts) == 0 {
		_, err := d.db.ExecContext(ctx, "DELETE FROM preference WHERE account = ?", account)
		return err
	}
	if err := p.Check(); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = d.db.ExecContext(ctx, "INSERT INTO preference (account, body) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET body = excluded.body", account, string(text))
	return err
}
