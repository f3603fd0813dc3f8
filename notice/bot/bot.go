package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"rouse/component/people"
	"rouse/notice"
	"rouse/notice/outbox"
)

// Desk is what the bot asks.
type Desk interface {
	people.Desk

	// IsAdmin reports whether an account may ask for others.
	IsAdmin(account string) bool

	// Status says how rouse is, in lines; administrators are told more.
	Status(ctx context.Context, admin bool) ([]string, error)

	// Devices says how the devices of an account are, a line for each.
	Devices(ctx context.Context, account string) ([]string, error)
}

// Outbox keeps preferences and notices; package outbox has one.
type Outbox interface {
	Preferences(ctx context.Context, account string) (notice.Preferences, error)
	Prefer(ctx context.Context, account string, p notice.Preferences) error
	Of(ctx context.Context, address string, most int) ([]outbox.Delivery, error)
	Lately(ctx context.Context, most int) ([]outbox.Numbered, error)
	Add(ctx context.Context, at time.Time, list ...notice.Notice) (int, error)
}

// Config is what a bot works with.
type Config struct {
	Desk   Desk
	Outbox Outbox        // nil: nobody is told of anything here
	Except []string      // kinds of which nobody is told by default
	Fresh  func()        // there is a new notice
	NewID  func() string // of one
	Now    func() time.Time
	Logger *slog.Logger
}

// Bot answers.
type Bot struct {
	cfg  Config
	list []command
}

// call is a command as somebody gave it.
type call struct {
	from  string // bare JID
	admin bool
	args  []string
	rest  string // args as they were written
}

// command is one.
type command struct {
	name, args, about string
	admin             bool // for administrators only
	notices           bool // only where there is an outbox
	run               func(b *Bot, ctx context.Context, c call) (string, error)
}

// wrong is a mistake of who writes; its text is for them.
type wrong string

func (w wrong) Error() string { return string(w) }

func wrongf(format string, args ...any) error { return wrong(fmt.Sprintf(format, args...)) }

// New makes one.
func New(cfg Config) *Bot {
	b := &Bot{cfg: cfg}
	for _, c := range []command{
		{"status", "", "how rouse is", false, false, (*Bot).status},
		{"devices", "", "your devices, and how they are", false, false, (*Bot).devices},
		{"mute", "2h | off", "do not wake your devices so long", false, false, (*Bot).mute},
		{"quiet", "22-7 [Europe/Berlin] | off", "do not wake your devices at these hours", false, false, (*Bot).quiet},
		{"alerts", "[help]", "what you are told, and how", false, true, (*Bot).alerts},
		{"why", "[ID]", "why your devices were woken or not, and what you were told lately", false, false, (*Bot).why},
		{"test", "", "a test in each way that you chose", false, true, (*Bot).test},
		{"who", "JID", "how the devices of an account are, and what it chose", true, false, (*Bot).who},
		{"explain", "JID [ID]", "why the devices of an account were woken or not", true, false, (*Bot).explain},
		{"events", "[20]", "what happened lately, and who was told", true, true, (*Bot).events},
	} {
		if !c.notices || cfg.Outbox != nil {
			b.list = append(b.list, c)
		}
	}
	return b
}

// Knows reports whether somebody is answered: users of ours, and administrators.
func (b *Bot) Knows(account string) bool {
	return b.cfg.Desk.Ours(account) || b.cfg.Desk.IsAdmin(account)
}

// Answer gives the answer to a text of somebody, a bare JID; empty: they are nobody whom
// we know.
func (b *Bot) Answer(ctx context.Context, from, text string) string {
	if !b.Knows(from) {
		return ""
	}
	c := call{from: from, admin: b.cfg.Desk.IsAdmin(from)}
	words := strings.Fields(text)
	if len(words) == 0 {
		return b.help(c)
	}
	name := strings.ToLower(strings.TrimLeft(words[0], "/!"))
	c.args = words[1:]
	c.rest = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), words[0]))
	if name == "help" || name == "?" {
		return b.help(c)
	}
	cmd, ok := b.find(name, c.admin)
	if !ok {
		return b.nearest(name, c)
	}
	return b.do(ctx, cmd, c)
}

func (b *Bot) find(name string, admin bool) (command, bool) {
	for _, cmd := range b.list {
		if cmd.name == name && (admin || !cmd.admin) {
			return cmd, true
		}
	}
	return command{}, false
}

func (b *Bot) do(ctx context.Context, cmd command, c call) string {
	text, err := cmd.run(b, ctx, c)
	var mistake wrong
	switch {
	case err == nil:
		return strings.TrimRight(text, "\n")
	case errors.As(err, &mistake):
		return string(mistake)
	case errors.Is(err, people.ErrUnknown):
		return "Nothing is known of that account."
	}
	b.cfg.Logger.Error("the bot cannot answer", "command", cmd.name, "err", err)
	return "That does not work now. Try again later."
}

// nearest names the command that was meant, or all.
func (b *Bot) nearest(name string, c call) string {
	names := []string{"help"}
	for _, cmd := range b.list {
		if c.admin || !cmd.admin {
			names = append(names, cmd.name)
		}
	}
	if near := notice.Nearest(name, names); near != "" {
		return fmt.Sprintf("There is no command %q. Did you mean %s?", name, near)
	}
	return fmt.Sprintf("There is no command %.40q. These are:\n%s", name, b.help(c))
}

func (b *Bot) help(c call) string {
	var out strings.Builder
	for _, cmd := range b.list {
		if c.admin || !cmd.admin {
			fmt.Fprintf(&out, "%s - %s\n", strings.TrimSpace(cmd.name+" "+cmd.args), cmd.about)
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

func (b *Bot) status(ctx context.Context, c call) (string, error) {
	lines, err := b.cfg.Desk.Status(ctx, c.admin)
	return strings.Join(lines, "\n"), err
}
