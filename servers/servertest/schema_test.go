package servertest

import (
	"encoding/xml"
	"os"
	"regexp"
	"testing"
)

// The examples of the document that the schema stands beside.
func TestSchema(t *testing.T) {
	t.Parallel()
	s := ReadSchema(t)
	doc, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, block := range regexp.MustCompile("(?s)```xml\n(.*?)```").FindAllSubmatch(doc, -1) {
		var stanzas Element
		if err := xml.Unmarshal([]byte("<all>"+string(block[1])+"</all>"), &stanzas); err != nil {
			t.Fatalf("%v in %s", err, block[1])
		}
		for _, iq := range stanzas.Children {
			for _, payload := range iq.Children {
				checked++
				if err := s.Valid(payload.XMLName.Local, payload); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if checked < 4 {
		t.Errorf("%d examples found in docs/events.md", checked)
	}
	for _, wrong := range []string{
		"<events epoch='1'/>", "<events epoch='x' seq='1'/>", "<events epoch='1' seq='1'><dance/></events>",
		"<events epoch='1' seq='1'><queued user='a' class='message'/></events>",
		"<events epoch='1' seq='1'><queued user='a' sid='b' class='rumour'/></events>",
		"<events epoch='1' seq='1'><enable user='a' service='b' secret='plain'/></events>",
		"<events epoch='1' seq='1'><bind user='a' sid='b' colour='red'/></events>",
	} {
		var e Element
		if err := xml.Unmarshal([]byte(wrong), &e); err != nil {
			t.Fatal(err)
		}
		if s.Valid("events", e) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
}
