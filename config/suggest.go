package config

import (
	"slices"
	"strings"
	"unicode"
)

// Nearest returns the candidate that word is probably a misspelling of.
func Nearest(word string, candidates []string) (string, bool) {
	if len(word) > 64 {
		return "", false
	}
	folded := fold(word)
	best, bestDistance := "", 1+max(1, len(folded)/3)
	for _, c := range candidates {
		// Of several that are as near, the first by name: candidates come in any order.
		if d := distance(folded, fold(c)); d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	return best, best != ""
}

// fold makes dataDir, data-dir and data_dir the same word.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '_' || c == '-' {
			return -1
		}
		return unicode.ToLower(c)
	}, s)
}

// distance is the number of characters to insert, delete, replace or swap with
// their neighbour to get from a to b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range x {
		before, last, now := rows[i%3], rows[(i+1)%3], rows[(i+2)%3]
		now[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
	}
	return rows[(len(x)+1)%3][len(y)]
}

// didYouMean is a hint for a word that is not among the candidates.
func didYouMean(word, what string, candidates []string) string {
	if c, ok := Nearest(word, candidates); ok {
		return "did you mean " + c + "?"
	}
	if len(candidates) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(candidates))
	if len(sorted) > 16 {
		sorted = append(sorted[:16], "…")
	}
	return what + " " + strings.Join(sorted, ", ")
}
