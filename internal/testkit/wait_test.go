package testkit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEventuallyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Eventually(t, func() bool { return time.Since(began) >= time.Minute }, "a minute")
		values := make(chan int, 1)
		time.AfterFunc(time.Minute, func() { values <- 7; close(values) })
		if value, ok := Receive(t, values); value != 7 || !ok {
			t.Error(value, ok)
		}
		if value, ok := Receive(t, values); value != 0 || ok {
			t.Error(value, ok)
		}
	})
}
