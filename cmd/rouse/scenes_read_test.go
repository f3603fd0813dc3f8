package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storyline is a scene as it is written.
type storyline struct {
	name, file string
	wish       wish
	lines      []string
}

// scenes reads them all.
func scenes(t *testing.T) []storyline {
	t.Helper()
	files, err := filepath.Glob("testdata/scenes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenes: %v", err)
	}
	var all []storyline
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := readScene(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func readScene(file, text string) (storyline, error) {
	s := storyline{name: strings.TrimSuffix(filepath.Base(file), ".txt"), file: file, lines: strings.Split(text, "\n")}
	for i, line := range s.lines {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "with" {
			continue
		}
		if err := s.wish.option(words[1:]); err != nil {
			return s, fmt.Errorf("%s:%d: %v", file, i+1, err)
		}
		s.lines[i] = ""
	}
	return s, nil
}

func (w *wish) option(words []string) (err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "ack-delay":
			w.ackDelay, err = time.ParseDuration(value)
		case key == "resume-timeout":
			w.hibernation, err = time.ParseDuration(value)
		case key == "coalesce":
			_, err = time.ParseDuration(value)
			w.coalesce = value
		case key == "grace":
			_, err = time.ParseDuration(value)
			w.grace = value
		case key == "repeat":
			_, err = time.ParseDuration(value)
			w.repeat = value
		case word == "archive=off":
			w.noArchive = true
		default:
			err = fmt.Errorf("unknown option %q", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
