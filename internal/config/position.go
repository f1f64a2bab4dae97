package config

import "slices"

// place is where something stands in the file.
type position struct {
	lines keyLines
	at    string // with indexes: route[0].hosts
	name  string // as people say it: route.hosts
	line  int
}

// key is the place of a key in the table at p. One that is not in the file
// has the line of its table.
func (p position) key(key string) position {
	return p.moved(joined(p.at, key), joined(p.name, key))
}

// item is the place of an array's element.
func (p position) item(i int) position {
	return p.moved(indexed(p.at, i), p.name)
}

func (p position) moved(at, name string) position {
	p.at, p.name = at, name
	if line, ok := p.lines[at]; ok {
		p.line = line
	}
	return p
}

// nearest is the known word most like the one written, or "" when none is
// like enough to be a slip of the keyboard.
func nearest(written string, known []string) string {
	best, distance := "", 3
	for _, word := range known {
		if d := editDistance(written, word); d < distance && d <= (len(word)+1)/3 {
			best, distance = word, d
		}
	}
	return best
}

// editDistance counts the letters to add, drop or change (Levenshtein). Words
// of very different length are far apart without counting.
func editDistance(a, b string) int {
	if gap := len(a) - len(b); gap > 2 || gap < -2 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			change := before[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, before[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
