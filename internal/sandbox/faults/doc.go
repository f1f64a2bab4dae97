// Package faults is the language in which a sandbox is told to misbehave, and
// the scheduler that says when it does.
//
// A list reads like a sentence:
//
//	expire-token, 403@3, goaway@10s, token-503 x2, rst=REFUSED_STREAM@2, slow-headers=2s 25%
//
// Each item is
//
//	NAME[=VALUE][@WHEN] [xCOUNT] [P%]
//
// in any case and with spaces wherever they please. [Kinds] lists the names, the
// event that each of them meets, and the values that it takes.
//
//   - WHEN is a number: the fault waits for the Nth of its events from now, and
//     then strikes once. Or it is a duration: the fault waits that long from now;
//     a fault that strikes connections waits that long from the beginning of each.
//   - COUNT is how many times the fault strikes. Without it, and without @N, it
//     strikes each time until it is cleared.
//   - P is the chance of each strike in per cent. An event that was spared is not
//     counted as a strike, so the fault lives on.
//
// Faults that cannot both happen, such as two different answers to one call, take
// turns: the first of the list strikes, the others keep their strikes for later
// events. So "token-503 x2, token-429 x1" means two 503, then one 429. All others
// strike together.
//
// Durations are those of the wall clock, whatever the time scale of the sandbox.
package faults
