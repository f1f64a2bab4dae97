//go:build !race

package console

// raceDetected says that the race detector is on.
const raceDetected = false
