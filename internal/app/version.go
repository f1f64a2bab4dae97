package app

import "runtime/debug"

// Version comes from what the Go tool notes in the binary: the module's version
// where it was installed by version, else the commit it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
