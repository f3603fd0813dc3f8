package session

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func TestHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ hours, at, end string }{
		{"22:00-07:00", "2026-11-25T21:59:59+01:00", ""},
		{"22:00-07:00", "2026-11-25T22:00:00+01:00", "2026-11-26T07:00:00+01:00"},
		{"22:00-07:00", "2026-11-26T06:59:59+01:00", "2026-11-26T07:00:00+01:00"},
		{"22:00-07:00", "2026-11-26T07:00:00+01:00", ""},
		{"13:00-14:30", "2026-11-25T13:15:10+01:00", "2026-11-25T14:30:00+01:00"},
		{"13:00-14:30", "2026-11-25T12:15:10Z", "2026-11-25T14:30:00+01:00"},
		{"13:00-14:30", "2026-11-25T15:00:00+01:00", ""},
		{"22:00-07:00", "2026-12-31T23:00:00+01:00", "2027-01-01T07:00:00+01:00"},
		{"22:00-07:00", "2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"}, // clocks go forward that night
		{"22:00-07:00", "2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"}, // and back
		{"22:00-02:30", "2026-03-28T23:00:00+01:00", "2026-03-29T03:30:00+02:00"}, // 02:30 there is none
		{"", "2026-11-25T22:00:00+01:00", ""},
		{"08:00-08:00", "2026-11-25T08:00:00+01:00", ""},
	} {
		h, err := ParseHours(c.hours)
		if err != nil {
			t.Fatal(err)
		}
		if h.String() != c.hours && c.hours != "08:00-08:00" {
			t.Errorf("%s is told as %s", c.hours, h)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		want := at
		if c.end != "" {
			if want, err = time.Parse(time.RFC3339, c.end); err != nil {
				t.Fatal(err)
			}
		}
		if end := h.End(at, berlin); !end.Equal(want) {
			t.Errorf("%s at %s ends at %s, not at %s", c.hours, c.at, end, want)
		}
	}
	for _, bad := range []string{"22-7", "22:00", "22:00-24:00", "25:00-07:00", "22:60-07:00", "22:00-07:00 ", "-1:00-07:00", "2:00-07:00"} {
		if h, err := ParseHours(bad); err == nil {
			t.Errorf("%q is read as %v", bad, h)
		}
	}
}

func TestRests(t *testing.T) {
	at := time.Date(2026, 11, 25, 21, 0, 0, 0, time.UTC)
	utc := func(string) *time.Location { return time.UTC }
	f := &Filter{Quiet: Hours{From: 22 * 60, To: 7 * 60}, Until: at.Add(2 * time.Hour)}
	if end := f.Rests(at, utc); !end.Equal(at.Add(10 * time.Hour)) {
		t.Errorf("quiet hours follow on do-not-disturb: %v", end)
	}
	if end := f.Rests(at.Add(10*time.Hour), utc); !end.Equal(at.Add(10 * time.Hour)) {
		t.Errorf("in the morning: %v", end)
	}
	var none *Filter
	if end := none.Rests(at, utc); !end.Equal(at) || !none.Empty() || none.Refuses(Message, "c", true) != "" {
		t.Error("no filter is one")
	}
}
