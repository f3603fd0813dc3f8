package main

import (
	"fmt"
	"log/slog"
	"os"

	"rouse/config"
	"rouse/notice"
)

// checkNotices looks at rooms and programs: their filters, and as whom programs run.
func checkNotices(cfg *config.Config, p *printer) {
	filters := func(f finding, list []string) finding {
		for i, text := range list {
			if _, err := notice.ParseFilter(text); err != nil {
				f.OK, f.Why, f.Fix = false, fmt.Sprintf("filters[%d]: %v", i, err), "docs/notices.md lists the rules"
				break
			}
		}
		return f
	}
	for _, r := range cfg.Rooms {
		p.print(filters(finding{Place: "room", OK: true, Text: r.JID}, r.Filters))
	}
	for _, e := range cfg.Execs {
		f := finding{Place: "exec", OK: true, Text: e.Name + " runs " + e.Command[0]}
		if _, err := programs(&config.Config{Execs: []config.Exec{e}}, slog.New(slog.DiscardHandler)); err != nil {
			f.OK, f.Why, f.Fix = false, err.Error(), "an account of this machine in exec.user, or none"
		} else if e.User != "" && os.Geteuid() != 0 {
			f.Warn, f.Why, f.Fix = true, "only root runs programs as somebody else", "without exec.user it runs as rouse does; sudo lets it do one thing more (docs/programs.md)"
		}
		p.print(filters(f, e.Filters))
	}
}
