package config

import (
	"fmt"
	"slices"
	"strings"
)

func keyOf(path string) (key, bool) {
	i := slices.IndexFunc(keys, func(k key) bool { return k.path == path })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

// isSection reports whether there are keys below path.
func isSection(path string) bool {
	return slices.ContainsFunc(keys, func(k key) bool { return strings.HasPrefix(k.path, path+".") })
}

func allPaths() []string {
	var paths []string
	for _, k := range keys {
		if !k.secret {
			paths = append(paths, k.path)
		}
	}
	return paths
}

func allEnv() []string {
	var names []string
	for _, k := range keys {
		names = append(names, k.env())
	}
	return names
}

// suggestion is "; did you mean X?" when one of known is near enough to name,
// otherwise "".
func suggestion(name string, known []string) string {
	best, least := "", 1+max(2, len(name)/5)
	for _, candidate := range known {
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if misplaced(name, candidate) {
			d = min(d, 1)
		}
		if d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// misplaced: the right key in the wrong section, or under no section.
func misplaced(name, candidate string) bool {
	return strings.HasSuffix(candidate, "."+name[strings.LastIndex(name, ".")+1:])
}

// distance is the number of letters to insert, drop or change (Levenshtein).
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
