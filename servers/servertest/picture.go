package servertest

import (
	"fmt"
	"testing"
)

// PictureInOrder is a story for servers that send two events in a batch: what was
// reported before a picture comes before its beginning, and what was reported
// while it was made before its end. Else the end would end a session whose last
// words are still to come.
func PictureInOrder(t *testing.T, r *Rig) {
	phone := r.Login("alice/phone")
	r.Event("bind", "user", "alice", "resource", "phone")
	told := r.F.Mark()
	refuse := func(Element) string { return "wait resource-constraint" }
	r.F.Answers(refuse)
	for i := range 5 {
		body := fmt.Sprint("before ", i)
		r.Say(body)
		_, err := phone.AwaitBody(r.Ctx, body)
		r.Check(err)
	}
	r.Ask("<picture" + NS + "/>")
	r.F.Answers(func(batch Element) string {
		if _, begins := batch.Child("begin"); begins {
			return refuse(batch)
		}
		return ""
	})
	r.WaitFor("the picture to begin", func() bool { _, begins := r.LastBatch().Child("begin"); return begins })
	for i := range 20 {
		r.Say(fmt.Sprint("meanwhile ", i))
	}
	r.Check(phone.Bye(r.Ctx))
	r.F.Answers(nil)
	_, order, err := told.Find(r.Ctx, Fits("end", nil))
	r.Check(err)

	archived, ended := 0, false
	for _, e := range order {
		switch e.XMLName.Local {
		case "begin":
			if archived != 5 {
				t.Errorf("%d of 5 stanzas were told of before the picture began: %v", archived, order)
			}
		case "archived":
			archived++
		case "ended":
			ended = true
		}
	}
	if !ended {
		t.Errorf("the picture ended before the session's own end was told: %v", order)
	}
}
