package config

import (
	"fmt"
	"strings"
)

// unknownHint names the nearest known key, else the table where the key belongs,
// else what is known here.
func unknownHint(key string, fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	if near := nearest(key, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	for _, s := range settings {
		if table, name, _ := strings.Cut(s.Key, "."); name == key {
			return fmt.Sprintf("it belongs to the table %q", table)
		}
	}
	return "known here: " + strings.Join(names, ", ")
}

// nearest gives the word that was probably meant, or nothing. Two edits are a
// slip (swapped letters are two), more only in long words, less in short ones.
func nearest(word string, among []string) string {
	best, bestDist := "", min(max(2, len(word)/3), len(word)/2)+1
	if len(word) > 64 { // nobody's slip, and the distance is quadratic
		return ""
	}
	for _, w := range among {
		if d := distance(strings.ToLower(word), w); d < bestDist {
			best, bestDist = w, d
		}
	}
	return best
}

// distance is Levenshtein's, with one row.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(q, ", ")
}
