package notice

import (
	"fmt"
	"slices"
)

// The contexts that people choose.
const (
	Chat   = "chat"
	Device = "device"
)

// Contexts lists them.
func Contexts() []string { return []string{Chat, Device} }

// Preferences are what one person is told in which context. The zero value are those
// of somebody who chose nothing.
type Preferences struct {
	Contexts []Context `json:"contexts,omitempty"`
}

// Context is what one way of being told is for. One notice matches or does not: the
// first filter that is true counts.
type Context struct {
	Name    string   `json:"name"`
	Off     bool     `json:"off,omitempty"`
	Filters []string `json:"filters,omitempty"` // as ParseFilter reads them; none: what is told by default
}

// MaxFilters is how many a context may have.
const MaxFilters = 20

// Context gives what is chosen for one, or what goes for those who chose nothing: chat
// for what is told by default, devices for nothing.
func (p Preferences) Context(name string) Context {
	if i := slices.IndexFunc(p.Contexts, func(c Context) bool { return c.Name == name }); i >= 0 {
		return p.Contexts[i]
	}
	return Context{Name: name, Off: name != Chat}
}

// With gives preferences with another choice for a context.
func (p Preferences) With(c Context) Preferences {
	list := slices.DeleteFunc(slices.Clone(p.Contexts), func(have Context) bool { return have.Name == c.Name })
	return Preferences{Contexts: append(list, c)}
}

// Check says what is wrong with preferences.
func (p Preferences) Check() error {
	for _, c := range p.Contexts {
		if !slices.Contains(Contexts(), c.Name) {
			return fmt.Errorf("there is no context %q", c.Name)
		}
		if len(c.Filters) > MaxFilters {
			return fmt.Errorf("these are more than %d filters", MaxFilters)
		}
		for _, text := range c.Filters {
			if _, err := ParseFilter(text); err != nil {
				return err
			}
		}
	}
	return nil
}

// everybody is the filter of those who have none.
const everybody = "default"

// Match gives the filter by which a notice is told in a context; empty: it is not. A
// filter that fails does not match, and why is given as well.
func (c Context) Match(v *View) (filter string, failed error) {
	if c.Off {
		return "", nil
	}
	filters := c.Filters
	if len(filters) == 0 {
		filters = []string{everybody}
	}
	for _, text := range filters {
		f, err := ParseFilter(text)
		if err == nil {
			var yes bool
			if yes, err = f.Match(v); yes {
				return text, nil
			}
		}
		if err != nil {
			failed = fmt.Errorf("filter %q: %w", text, err)
		}
	}
	return "", failed
}
