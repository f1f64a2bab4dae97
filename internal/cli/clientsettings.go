package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Settings of clients that ask no variable for a file of roots, but for one of settings.

// ownWgetrc is the person's own settings of wget, which WGETRC takes the place of.
func ownWgetrc(a *commands) []byte {
	path := a.Getenv("WGETRC")
	if path == "" {
		path = filepath.Join(a.Getenv("HOME"), ".wgetrc")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // wget does without, too
	}
	return text
}

// Names in wgetrc may have any case, and hyphens for underscores or none.
var wgetRootsLine = regexp.MustCompile(`(?im)^[ \t]*ca[_-]?certificate[ \t]*=[ \t]*(.*?)[ \t\r]*$`)

// wgetRoots are the files of roots that these settings name.
func wgetRoots(a *commands) (paths []string) {
	for _, match := range wgetRootsLine.FindAllSubmatch(ownWgetrc(a), -1) {
		paths = append(paths, string(match[1]))
	}
	return paths
}

// wgetrc is the person's own settings and then ours: the last line counts.
func wgetrc(a *commands, files trustFiles) []byte {
	own := ownWgetrc(a)
	ours := []byte("ca_certificate = " + files.bundle + "\n")
	if a.Getenv("WGETRC") == files.wget { // in a command within a command
		return own
	}
	if len(own) > 0 && own[len(own)-1] != '\n' {
		own = append(own, '\n')
	}
	return append(own, ours...)
}

func phpSettings(folder string) string { return filepath.Join(folder, "avsproxy.ini") }

func phpIni(bundle string) []byte {
	return []byte("curl.cainfo = \"" + filepath.ToSlash(bundle) + "\"\n")
}

// phpFolders adds ours to those where PHP looks for settings. An empty one is PHP's own.
func phpFolders(present, own string) string {
	if slices.Contains(filepath.SplitList(present), own) {
		return present
	}
	return present + string(os.PathListSeparator) + own
}
