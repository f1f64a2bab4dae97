package peer

import (
	"errors"
	"os"
	"strings"
)

// overflowUID is the ID of every user that our user namespace does not map
// (user_namespaces(7)). In a namespace that maps all it is a user like others.
const overflowUID = 65534

// mapped reports whether a user ID of the kernel is that of one user.
func mapped(uid uint32) bool { return uid != overflowUID || allMapped() }

func allMapped() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && len(fields) == 3 && fields[2] == "4294967295"
}

// canName is why a user cannot be told from others; nil = it can.
func canName(uid int) error {
	if mapped(uint32(uid)) {
		return nil
	}
	return errors.New("in this container, the user of avsproxy has the number of all unknown users (65534)")
}
