package peer

import (
	"errors"
	"os"
	"strings"
)

// overflowUID stands for every user whom our user namespace does not know
// (user_namespaces(7)), unless it knows them all: then it is a user like others.
const overflowUID = 65534

// certain reports whether a user ID that the kernel gave means one user.
func certain(uid uint32) bool { return uid != overflowUID || knowsEveryUser() }

func knowsEveryUser() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && len(fields) == 3 && fields[2] == "4294967295"
}

// canName says why a user cannot be told from others; nil = it can.
func canName(uid int) error {
	if certain(uint32(uid)) {
		return nil
	}
	return errors.New("in this container, the user of avsproxy has the number of all unknown users (65534)")
}
