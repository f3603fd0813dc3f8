package componenttest

import "testing"

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		ok        bool
	}{
		{"<a x='1' y='2'/>", `<a y="2" x="1"></a>`, true},
		{"<a x='1'/>", "<a x='1' y='2'/>", false},
		{"<a x='1'/>", "<a x='2'/>", false},
		{"<a x='{{any}}'/>", "<a x='2'/>", true},
		{"<a x='{{any}}'/>", "<a/>", false},
		{"<a x='k-{{any}}-{{any}}!'/>", "<a x='k-1-2!'/>", true},
		{"<a x='k-{{any}}!'/>", "<a x='k-1'/>", false},
		{"<a>\n <b xmlns='u'/>\n</a>", "<a><p:b xmlns:p='u'/></a>", true},
		{"<a><b xmlns='u'/></a>", "<a><b/></a>", false},
		{"<a><b/><c/></a>", "<a><c/><b/></a>", false},
		{"<a><b/></a>", "<a><b/><c/></a>", false},
		{"<a>{{any}}<c/></a>", "<a>x<b/><c/><d/></a>", true},
		{"<a>{{any}}<c/></a>", "<a><b/></a>", false},
		{"<a>one {{any}}</a>", "<a>one two</a>", true},
		{"<a>one</a>", "<a> one</a>", false},
		{"<a/>", "<b/>", false},
	} {
		want, err := parse(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(tt.got)
		if err != nil {
			t.Fatal(err)
		}
		if ok := matches(&want[0], &got[0]); ok != tt.ok {
			t.Errorf("matches(%s, %s) = %v", tt.want, tt.got, ok)
		}
	}
}

func TestParse(t *testing.T) {
	if _, err := parse("<a>"); err == nil {
		t.Error("half a stanza was taken for a script")
	}
}
