package durable

import (
	"os"
	"path/filepath"
	"strings"
)

// Leftovers lists the temporary files for path: of killed processes, and of those that
// write now.
func Leftovers(path string) (files []string) {
	folder, name := filepath.Split(path)
	entries, _ := os.ReadDir(filepath.Clean(folder)) // a folder that we cannot read has no file of ours
	for _, entry := range entries {
		if entry.Type().IsRegular() && isTemp(entry.Name(), name) {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files
}

// isTemp matches names of [os.CreateTemp]: it replaces the star by digits.
func isTemp(file, name string) bool {
	digits, ok := strings.CutPrefix(file, "."+name+".")
	digits, isTemp := strings.CutSuffix(digits, ".tmp")
	return ok && isTemp && digits != "" && strings.Trim(digits, "0123456789") == ""
}
