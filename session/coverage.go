package session

import (
	"bytes"
	"fmt"
	"strconv"
)

// Coverage is, for each class, the outbound count up to which a wake was given. A
// wake of one class stands for lower ones too, so it never grows with the class,
// but for calls.
type Coverage [NumClasses]uint64

// written is the order in which rows have the classes. A class that is new comes
// last, wherever it belongs: rows are read by versions of rouse that came later.
var written = [NumClasses]Class{Nothing, Silent, Subscription, Group, Mention, Message, Call, Invitation}

// Written gives what a row has of it. What follows from the rest is left out.
func (c Coverage) Written() []uint64 {
	list := make([]uint64, 0, NumClasses)
	for _, class := range written {
		list = append(list, c[class])
	}
	if c[Invitation] <= c[Group] {
		list = list[:NumClasses-1]
	}
	return list
}

// CoverageOf reads what Written gave, or an older version, which knew fewer classes.
func CoverageOf(list []uint64) (c Coverage, err error) {
	if len(list) > len(c) {
		return c, fmt.Errorf("%d classes are covered, there are %d", len(list), len(c))
	}
	for i, n := range list {
		c[written[i]] = n
	}
	c[Invitation] = max(c[Invitation], c[Group])
	return c, nil
}

// MarshalJSON writes it as an array.
func (c Coverage) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, n := range c.Written() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, n, 10)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads an array.
func (c *Coverage) UnmarshalJSON(b []byte) error {
	inner, opened := bytes.CutPrefix(bytes.TrimSpace(b), []byte("["))
	inner, closed := bytes.CutSuffix(inner, []byte("]"))
	if !opened || !closed {
		return fmt.Errorf("%.40q is not a list of numbers", b)
	}
	var list []uint64
	var err error
	if len(bytes.TrimSpace(inner)) > 0 {
		for part := range bytes.SplitSeq(inner, []byte(",")) {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(part)), 10, 64)
			if err != nil {
				return fmt.Errorf("%.40q is not a number", part)
			}
			list = append(list, n)
		}
	}
	*c, err = CoverageOf(list)
	return err
}
