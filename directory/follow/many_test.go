package follow

import (
	"fmt"
	"testing"
	"time"

	"rouse/directory/dirlab"
)

// TestTwentyThousand: of a directory of that size nothing is lost and nothing told twice,
// whenever in a refresh rouse ends or the server is killed.
func TestTwentyThousand(t *testing.T) {
	for _, software := range []string{openLDAP, ds389} { // one at a time: they want all of the machine
		t.Run(software, func(t *testing.T) { testTwentyThousand(t, software) })
	}
}

func testTwentyThousand(t *testing.T, software string) {
	begun := time.Now()
	r := newRig(t, software, string(dirlab.Bulk(20_000, time.Now())))
	t.Logf("%s is up with them after %v", software, time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	r.follows()
	r.followed()
	whole := time.Since(begun)
	t.Logf("the first refresh took %v", whole.Round(time.Millisecond))
	if s := r.f.Status(); s.Users != 20_000 {
		t.Errorf("%d users", s.Users)
	}
	r.wants()
	r.stop()
	for i := range 2 { // rouse ends in the middle
		r.modify(dn(fmt.Sprintf("u%05d", i)), "nsAccountLock", "TRUE")
		r.delete(dn(fmt.Sprintf("u%05d", 100+i)))
		r.has("none of theirs")
		r.follows()
		time.Sleep(whole * time.Duration(1+3*i) / 6)
		r.stop()
	}
	r.has("none of theirs")
	r.follows() // and now the server
	time.Sleep(whole / 3)
	r.kills()
	begun = time.Now()
	r.wants("user.disabled u00000", "user.disabled u00001", "user.deleted u00100", "user.deleted u00101")
	t.Logf("after a crash of the server all was known within %v", time.Since(begun).Round(time.Millisecond))
	r.modify(dn("u00003"), "mail", "other@example.test")
	r.wants("user.changed u00003")
}
