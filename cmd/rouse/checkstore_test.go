package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"rouse/config"
	"rouse/servers/lab"
)

func TestCheckStore(t *testing.T) {
	r, err := lab.StartRedis(t.Context(), lab.RedisOptions{Dir: t.TempDir(), Persist: "always", MaxMemoryPolicy: "allkeys-lru", Password: "sesame"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	check := func(url string) (string, error) {
		t.Helper()
		s, err := config.StoreAt(url, "", "")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		p := printer{out: &out}
		checkStore(t.Context(), s, &p)
		return out.String(), p.end()
	}
	wants := func(text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%q is not said in\n%s", w, text)
			}
		}
		if strings.Contains(text, "sesame") || strings.Contains(text, "open") {
			t.Errorf("it tells a password:\n%s", text)
		}
	}
	text, err := check(r.URL())
	wants(text, "store                ok    "+r.Addr()+": Redis 7.", "store                FAIL  "+r.Addr()+": maxmemory-policy is allkeys-lru", "fix: set maxmemory-policy noeviction", "warn  "+r.Addr()+": no replica")
	if !errors.Is(err, errProblems) {
		t.Errorf("check ends with %v", err)
	}
	if _, err := r.Do(t.Context(), "CONFIG", "SET", "maxmemory-policy", "noeviction"); err != nil {
		t.Fatal(err)
	}
	text, err = check(r.URL())
	if wants(text, "warn"); err != nil || strings.Contains(text, "FAIL") {
		t.Errorf("check ends with %v:\n%s", err, text)
	}
	text, err = check(r.UserURL("", "open"))
	if wants(text, "FAIL", r.Addr(), "fix: user or password in store.url is not what Redis knows", "without the store"); !errors.Is(err, errProblems) {
		t.Errorf("check ends with %v:\n%s", err, text)
	}
}
