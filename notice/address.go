package notice

import (
	"fmt"
	"regexp"
	"strings"

	"mellium.im/xmpp/jid"
)

// Template makes addresses of people from attributes of their entries:
// "{uid}@example.org", or "{mail}" where that is their address in chat.
type Template string

var placeholder = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9;-]*)\}`)

// Check says what is wrong with a template; nil: nothing.
func (t Template) Check() error {
	if !placeholder.MatchString(string(t)) {
		return fmt.Errorf("%q names no attribute, like {uid}@example.org", string(t))
	}
	if left := placeholder.ReplaceAllString(string(t), "x@x"); strings.ContainsAny(left, "{}") {
		return fmt.Errorf("%q has braces that name no attribute", string(t))
	}
	return nil
}

// Address gives the bare JID of a person. What an attribute has is escaped (XEP-0106)
// before it becomes the name of an account; an attribute alone is an address as it is.
func (t Template) Address(get func(attr string) string) (string, error) {
	missing := ""
	alone := placeholder.FindString(string(t)) == string(t)
	text := placeholder.ReplaceAllStringFunc(string(t), func(p string) string {
		name := strings.ToLower(strings.Trim(p, "{}"))
		v := get(name)
		switch {
		case v == "":
			missing = name
		case !alone:
			v = jid.Escape.String(v)
		}
		return v
	})
	if missing != "" {
		return "", fmt.Errorf("the entry has no %s", missing)
	}
	j, err := jid.Parse(text)
	if err != nil || j.Localpart() == "" {
		return "", fmt.Errorf("%.80q is no address", text)
	}
	return j.Bare().String(), nil
}
