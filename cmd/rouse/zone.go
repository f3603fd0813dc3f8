package main

import (
	"time"
	_ "time/tzdata" // for machines without
)

// zone gives the clock of a place by its name in the IANA database; nil: there is none.
func zone(name string) *time.Location {
	if name == "" || name == "Local" {
		return nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return z
}
