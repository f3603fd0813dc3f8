package bot

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component/forms"
	"rouse/component/people"
	"rouse/notice"
	"rouse/notice/outbox"
	"rouse/session"
)

var update = flag.Bool("update", false, "write what the bot says into the dialogues")

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// desk is one that has everything in memory: juliet has two devices, nurse is an
// administrator whose wakes are not decided here.
type desk struct{ filters map[string]session.Filter }

func (d *desk) Ours(account string) bool    { return strings.HasSuffix(account, "@x.test") }
func (d *desk) IsAdmin(account string) bool { return account == "nurse@admin.test" }
func (d *desk) Choices(_ context.Context, account string) (*session.Filter, []people.Device, error) {
	f, ok := d.filters[account]
	if !ok {
		return nil, nil, nil
	}
	return &f, nil, nil
}
func (d *desk) Choose(_ context.Context, account string, _ session.Address, f *session.Filter) error {
	d.filters[account] = *f
	return nil
}
func (d *desk) Explain(_ context.Context, account, stanza, zone string) ([]string, error) {
	switch {
	case account == "broken@x.test":
		return nil, fmt.Errorf("the store is down")
	case account != "juliet@x.test":
		return nil, people.ErrUnknown
	case stanza != "":
		return []string{"of " + stanza + ": chat-ios not woken (rule b): its session is active"}, nil
	}
	list := []string{"chat-ios 3kFvq0aQ…: active"}
	for i := range 60 {
		list = append(list, fmt.Sprintf("line %d by the clock of %q", i, zone))
	}
	return list, nil
}
func (d *desk) Status(_ context.Context, admin bool) ([]string, error) {
	if admin {
		return []string{"rouse test, up for 1h", "store: up", "link: up"}, nil
	}
	return []string{"rouse test, up for 1h"}, nil
}
func (d *desk) Devices(_ context.Context, account string) ([]string, error) {
	if account == "juliet@x.test" {
		return []string{"chat-ios 3kFvq0aQ…: hibernated; resource phone", "chat-web Yq0Zt1bw…: active; resource desk"}, nil
	}
	return nil, nil
}

func begin(t *testing.T) *Bot {
	t.Helper()
	db, err := outbox.Open(t.Context(), filepath.Join(t.TempDir(), "notices.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	juliet := []notice.Person{{Name: "juliet", Address: "juliet@x.test"}}
	for i, n := range []notice.Notice{
		{Kind: "user.created", Severity: notice.Info, Subject: "juliet", Text: "User juliet was created.", You: "Your account juliet was created.", People: juliet},
		{Kind: "group.member-added", Severity: notice.Info, Subject: "admins", Text: "juliet was added to group admins.", You: "You were added to group admins.", People: juliet, Fields: map[string]string{"group": "admins", "member": "juliet"}},
		{Kind: "password.expiring", Severity: notice.Warning, Subject: "juliet", Text: "The password of juliet runs out in 7 days.", You: "Your password runs out in 7 days.", People: juliet},
		{Kind: "user.disabled", Severity: notice.Warning, Subject: "romeo", Text: "User romeo was disabled.", You: "Your account romeo was disabled.", People: []notice.Person{{Name: "romeo", Address: "romeo@x.test"}}},
	} {
		n.ID, n.Source, n.At = fmt.Sprint("n", i), "directory", noon.Add(time.Duration(i-10)*time.Hour)
		if _, err := db.Add(t.Context(), n.At, n); err != nil {
			t.Fatal(err)
		}
	}
	list, err := db.Unplanned(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	who := notice.Listeners{Admins: []string{"nurse@admin.test"}, Preferences: func(string) notice.Preferences { return notice.Preferences{} }}
	delivery := int64(0)
	for _, n := range list {
		plan := notice.Plan(&n.Notice, who, n.At)
		if err := db.Plan(t.Context(), n.N, plan, n.At); err != nil {
			t.Fatal(err)
		}
		for _, d := range plan {
			delivery++
			state, why := outbox.Told, ""
			if d.Address == "romeo@x.test" {
				state, why = outbox.Failed, "it came back: item-not-found"
			}
			if err := db.Settle(t.Context(), delivery, state, why, n.At, n.At); err != nil {
				t.Fatal(err)
			}
		}
	}
	made := 0
	return New(Config{Desk: &desk{filters: map[string]session.Filter{}}, Outbox: db, Fresh: func() {}, NewID: func() string { made++; return fmt.Sprint("new", made) },
		Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)})
}

// TestDialogues: what people write, behind their name and >, and what the bot answers.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d dialogues, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b := begin(t)
			var got strings.Builder
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				who, said, ok := strings.Cut(line, "> ")
				switch {
				case strings.HasPrefix(line, "# "):
					got.WriteString(line + "\n")
				case ok && !strings.Contains(who, " "):
					account := who + "@x.test"
					if who == "nurse" {
						account = "nurse@admin.test"
					}
					answer := b.Answer(t.Context(), account, said)
					got.WriteString(line + "\n" + answer + "\n")
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(text) {
				t.Errorf("\n got %s\nwant %s", &got, text)
			}
		})
	}
}

// TestStrangers: who is nobody of ours is not answered.
func TestStrangers(t *testing.T) {
	if text := begin(t).Answer(t.Context(), "tybalt@y.test", "help"); text != "" {
		t.Errorf("a stranger was told %q", text)
	}
}

// TestCommands: the same as ad-hoc commands, with a form for what stands behind them.
func TestCommands(t *testing.T) {
	b := begin(t)
	juliet, nurse, tybalt := jid.MustParse("juliet@x.test/phone"), jid.MustParse("nurse@admin.test/desk"), jid.MustParse("tybalt@y.test")
	var nodes []string
	for _, c := range b.Commands() {
		nodes = append(nodes, c.Node)
		filled := forms.Form{Type: "submit", Fields: []forms.Field{{Var: "arguments", Values: []string{map[string]string{"bot-mute": "2h", "bot-who": "juliet@x.test"}[c.Node]}}}}
		ask := func(from jid.JID) (forms.Form, error) {
			if c.Steps == nil {
				return c.Run(t.Context(), from, forms.Form{})
			}
			if form, done, err := c.Steps(t.Context(), from, forms.Form{}); done || err != nil || form.Type != "form" {
				t.Errorf("%s asks nothing: %+v, %v", c.Node, form, err)
			}
			f, _, err := c.Steps(t.Context(), from, filled)
			return f, err
		}
		if _, err := ask(tybalt); err == nil {
			t.Errorf("%s answers strangers", c.Node)
		}
		f, err := ask(juliet)
		if admin := slices.Contains([]string{"bot-who", "bot-explain", "bot-events"}, c.Node); admin != (err != nil) {
			t.Errorf("%s: %v", c.Node, err)
		} else if !admin && (f.Type != "result" || strings.Join(f.Values("answer"), "") == "") {
			t.Errorf("%s: %+v", c.Node, f)
		}
		if f, err := ask(nurse); err != nil || f.Type != "result" {
			t.Errorf("%s: %+v, %v", c.Node, f, err)
		}
	}
	if text := strings.Join(nodes, " "); text != "bot-status bot-devices bot-mute bot-quiet bot-alerts bot-why bot-test bot-who bot-explain bot-events" {
		t.Error(text)
	}
}
