// Package suggest finds the word that a typing mistake stands for.
package suggest

import "github.com/agnivade/levenshtein"

// Nearest returns the known word with the fewest letters to add, drop or change,
// "" when none is close: at most two letters, and a third of the word, may differ.
func Nearest(typed string, known []string) string {
	best, distance := "", 3
	for _, word := range known {
		if gap := len(typed) - len(word); gap > 2 || gap < -2 {
			continue // no need to compare; typed may be very long
		}
		if d := levenshtein.ComputeDistance(typed, word); d < distance && d <= (len(word)+1)/3 {
			best, distance = word, d
		}
	}
	return best
}
