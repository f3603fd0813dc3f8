package business

import (
	"slices"
	"time"

	"rouse/session"
)

// Enrol notes that an account registered a device. Where it has more than most, the
// ones that were longest not seen go, and are given; 0: it may have any number.
func Enrol(a session.Account, node string, most int, now time.Time) (_ session.Account, out []string) {
	d := session.Device{Node: node, Since: now, At: now}
	list := slices.Clone(a.Devices)
	if i := slices.IndexFunc(list, func(o session.Device) bool { return o.Node == node }); i >= 0 {
		d.Since = list[i].Since
		list = slices.Delete(list, i, i+1)
	}
	slices.SortStableFunc(list, func(a, b session.Device) int { return a.At.Compare(b.At) })
	if n := len(list) + 1 - most; most > 0 && n > 0 {
		for _, old := range list[:min(n, len(list))] {
			out = append(out, old.Node)
		}
		list = list[len(out):]
	}
	a.Devices = append(list, d)
	return a, out
}

// Strike takes a device off the list of its account.
func Strike(a session.Account, node string) session.Account {
	a.Devices = slices.DeleteFunc(slices.Clone(a.Devices), func(d session.Device) bool { return d.Node == node })
	if len(a.Devices) == 0 {
		a.Devices = nil
	}
	return a
}
