//go:build !linux

package main

import "errors"

func diskFull(int, bool) error { return errors.New("only Linux can fill a disk for one process") }
