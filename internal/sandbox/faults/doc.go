// Package faults is the language that tells a sandbox to misbehave, and the
// scheduler that decides when each fault strikes.
//
// A list of faults looks like this:
//
//	expire-token, 403@3, goaway@10s, token-503 x2, rst=REFUSED_STREAM@2, slow-headers=2s 25%
//
// Each item is
//
//	NAME[=VALUE][@WHEN] [xCOUNT] [P%]
//
// Case and extra spaces do not matter. [Kinds] lists the names, their values, and
// the event of each.
//
//   - WHEN is a number or a duration. With a number, the fault waits for the Nth of
//     its events from now and then strikes once. With a duration, it waits that long
//     from now, or, if it strikes connections, from the start of each connection.
//   - COUNT is how many times the fault strikes. Without COUNT and without @N, it
//     strikes every time until it is cleared.
//   - P is the probability of each strike, in per cent. An event that the fault
//     spares by chance does not count as a strike.
//
// Faults that exclude each other, such as two answers to one call, take turns: the
// first in the list strikes, and the others keep their strikes for later events. So
// "token-503 x2, token-429 x1" means two 503, then one 429. All other faults strike
// together.
//
// Durations are wall-clock time, whatever the time scale of the sandbox.
package faults
