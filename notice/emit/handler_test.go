package emit

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rouse/notice"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// post gives what is answered, and what was taken.
func post(t *testing.T, header map[string]string, body string, broken error) (*httptest.ResponseRecorder, []notice.Notice) {
	t.Helper()
	var taken []notice.Notice
	h := Handler(Config{Token: "secret", Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler), Fresh: func() {},
		Person: func(user string) notice.Person { return notice.Person{Name: user, Address: user + "@x"} },
		Add: func(_ context.Context, _ time.Time, list ...notice.Notice) (int, error) {
			taken = list
			return len(list), broken
		}})
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Content-Type", "application/cloudevents+json")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, taken
}

const whole = `{"specversion":"1.0","id":"7","source":"/backup","type":"backup.failed","subject":"db","time":"2026-11-27T11:00:00Z","other":1,
"data":{"text":"The backup of db failed.","severity":"error","to":["Juliet@X.test/phone"],"users":["nurse"],"link":"https://x.test/7","fields":{"code":"3"}}}`

func TestTaken(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		body   string
		many   int
	}{
		"structured": {nil, whole, 1},
		"as JSON":    {map[string]string{"Content-Type": "application/json; charset=utf-8"}, whole, 1},
		"binary": {map[string]string{"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/backup", "ce-type": "backup.failed", "ce-subject": "db", "ce-time": "2026-11-27T11:00:00Z"},
			`{"text":" The backup of db failed.\n","severity":"error","to":["Juliet@X.test/phone"],"users":["nurse"],"link":"https://x.test/7","fields":{"code":"3"}}`, 1},
		"batched": {map[string]string{"Content-Type": "application/cloudevents-batch+json"}, "[" + whole + "," + strings.Replace(whole, `"7"`, `"8"`, 1) + "]", 2},
		"nothing": {map[string]string{"Content-Type": "application/cloudevents-batch+json"}, "[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, taken := post(t, c.header, c.body, nil)
			var a Answer
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusAccepted || len(a.IDs) != c.many || a.Fresh != c.many || len(taken) != c.many {
				t.Fatalf("%d %s: %+v, %v", w.Code, w.Body, taken, err)
			}
			if c.many == 0 {
				return
			}
			n := taken[0]
			if n.ID != a.IDs[0] || n.Source != "/backup" || n.Kind != "backup.failed" || n.Severity != notice.Error || n.Subject != "db" || n.Text != "The backup of db failed." ||
				n.Link != "https://x.test/7" || n.Fields["code"] != "3" || len(n.To) != 1 || n.To[0] != "juliet@x.test" || len(n.People) != 1 || n.People[0].Address != "nurse@x" || n.At.Hour() != 11 {
				t.Errorf("%+v", n)
			}
			if again, _ := post(t, c.header, c.body, nil); again.Body.String() != w.Body.String() {
				t.Error("the same event has another id")
			}
		})
	}
}

func TestRefused(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(whole, old, new, 1) }
	for name, c := range map[string]struct {
		header map[string]string
		body   string
		status int
		says   string
	}{
		"no token":        {map[string]string{"Authorization": ""}, whole, 401, "token"},
		"another token":   {map[string]string{"Authorization": "Bearer secrets"}, whole, 401, "token"},
		"another scheme":  {map[string]string{"Authorization": "Basic secret"}, whole, 401, "token"},
		"no type":         {map[string]string{"Content-Type": ""}, whole, 415, "Content-Type"},
		"a picture":       {map[string]string{"Content-Type": "image/png"}, whole, 415, "image/png"},
		"no JSON":         {nil, "hello", 400, "is no event"},
		"two":             {nil, whole + whole, 400, "followed by"},
		"wrong types":     {nil, with(`"text":"The backup of db failed."`, `"text":1`), 400, "data.text is not of the right type"},
		"another version": {nil, with("1.0", "0.3"), 400, "specversion"},
		"no id":           {nil, with(`"id":"7",`, ""), 400, "id is missing"},
		"no source":       {nil, with(`/backup`, ""), 400, "source is missing"},
		"our source":      {nil, with(`/backup`, "directory"), 400, "is our own"},
		"a strange type":  {nil, with(`backup.failed`, "backup failed"), 400, "not like backup.failed"},
		"nothing to say":  {nil, with(`The backup of db failed.`, " "), 400, "data.text is missing"},
		"no data":         {nil, `{"specversion":"1.0","id":"7","source":"x","type":"y"}`, 400, "data.text is missing"},
		"much to say":     {nil, with(`The backup`, strings.Repeat("x", 4000)), 400, "more than 4000"},
		"a severity":      {nil, with(`"error"`, `"fatal"`), 400, "data.severity"},
		"to nobody":       {nil, with(`Juliet@X.test/phone`, "x.test"), 400, "data.to"},
		"a link":          {nil, with(`https://x.test/7`, "javascript:alert(1)"), 400, "data.link"},
		"a long list":     {map[string]string{"Content-Type": "application/cloudevents-batch+json"}, "[" + strings.Repeat(whole+",", 100) + whole + "]", 413, "more than 100"},
		"one bad of two":  {map[string]string{"Content-Type": "application/cloudevents-batch+json"}, "[" + whole + "," + with("1.0", "2") + "]", 400, "event 2: specversion"},
		"too much":        {nil, whole + strings.Repeat(" ", MaxBytes), 413, "bytes"},
		"a time":          {map[string]string{"Content-Type": "application/json", "ce-specversion": "1.0", "ce-time": "now"}, "{}", 400, "ce-time"},
	} {
		w, taken := post(t, c.header, c.body, nil)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || taken != nil {
			t.Errorf("%s: %d %s, took %d", name, w.Code, w.Body, len(taken))
		}
	}
	w, _ := post(t, nil, whole, errors.New("disk full at /var/lib"))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("application/cloudevents+json", whole)
	f.Add("application/cloudevents-batch+json", "["+whole+"]")
	f.Add("application/json", `{"text":"x"}`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		list, status, err := read(http.Header{"Content-Type": {kind}, "Ce-Specversion": {"1.0"}}, []byte(body))
		if (err == nil) != (status == 0) {
			t.Fatalf("%d, %v", status, err)
		}
		for i := range list {
			n, err := list[i].notice(noon, func(user string) notice.Person { return notice.Person{Name: user} })
			if err == nil && (n.ID == "" || n.Text == "" || n.At.IsZero()) {
				t.Fatalf("%+v", n)
			}
		}
	})
}
