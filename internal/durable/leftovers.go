package durable

import (
	"os"
	"path/filepath"
	"strings"
)

// Leftovers lists the temporary files that killed processes left of path, and those
// that others are writing just now.
func Leftovers(path string) (files []string) {
	folder, name := filepath.Split(path)
	entries, _ := os.ReadDir(filepath.Clean(folder)) // a folder that cannot be read holds nothing of ours
	for _, entry := range entries {
		if entry.Type().IsRegular() && isTemp(entry.Name(), name) {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files
}

// isTemp knows the names that [os.CreateTemp] gives: digits in the place of the star.
func isTemp(file, name string) bool {
	digits, ok := strings.CutPrefix(file, "."+name+".")
	digits, isTemp := strings.CutSuffix(digits, ".tmp")
	return ok && isTemp && digits != "" && strings.Trim(digits, "0123456789") == ""
}
