package redact

import "testing"

func TestQueriesAreMaskedByName(t *testing.T) {
	for target, want := range map[string]string{
		"/x": "/x", "/x?": "/x?", "/x?a=1&b": "/x?a=1&b", "/x?api_key=AIza&a=1": "/x?api_key=***&a=1", "/x?KEY=1": "/x?KEY=***", "/x?sig=a%2B": "/x?sig=***",
		"/x?X-Amz-Security-Token=1&X-Amz-Signature=2&X-Amz-Date=3": "/x?X-Amz-Security-Token=***&X-Amz-Signature=***&X-Amz-Date=3",
		"/x?code=1&state=2": "/x?code=***&state=2", "/x?key": "/x?key", "/x?token=a?b=c": "/x?token=***",
	} {
		if got := Query(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}
