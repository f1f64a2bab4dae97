package testkit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEventuallyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Eventually(t, "a minute", func() bool { return time.Since(began) >= time.Minute })
		values := make(chan int, 1)
		time.AfterFunc(time.Minute, func() { values <- 7; close(values) })
		if first, end := Receive(t, "seven", values), Receive(t, "the end", values); first != 7 || end != 0 {
			t.Error(first, end)
		}
	})
}
