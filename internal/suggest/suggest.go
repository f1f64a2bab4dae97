// Package suggest finds the known word that a misspelled word probably stands for.
package suggest

import "strings"

// maxDistance is how many letters may be wrong.
const maxDistance = 2

// Nearest returns the known word that differs least from the typed one, whatever
// the case, or "" if all differ too much: by more than two letters, or by more
// than a third of the word.
func Nearest(typed string, known []string) string {
	nearest, best := "", maxDistance+1
	for _, word := range known {
		d := distance(strings.ToLower(typed), strings.ToLower(word))
		if d < best && d <= (len(word)+1)/3 {
			nearest, best = word, d
		}
	}
	return nearest
}

// distance is the Levenshtein distance in bytes. It is not computed for words
// whose lengths alone differ too much, so a long input costs nothing.
func distance(a, b string) int {
	if gap := len(a) - len(b); gap > maxDistance || gap < -maxDistance {
		return maxDistance + 1
	}
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
