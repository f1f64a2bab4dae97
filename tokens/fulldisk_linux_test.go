package tokens

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// A renewal on a full disk, and a restart, cost no login; nor do the next ones,
// though something else takes each byte that gets free.
func TestPromise1_AFullDiskAndARestartCostNoLogin(t *testing.T) {
	folder, fill := testkit.SmallDisk(t)
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: folder}
		reuse(p)
		long := strings.Repeat("x", 1500)
		answer := p.answer
		p.now(func(call int, form url.Values) (*http.Response, error) {
			if resp, err := answer(call, form); resp.StatusCode != 200 {
				return resp, err
			}
			return reply(200, jsonType, fmt.Sprintf(`{"access_token":"access-%d%s","refresh_token":"refresh-%d","expires_in":3600}`, call, long, call)), nil
		})
		first := stored(-time.Second)
		first.Access = Secret("access-0" + long)
		testkit.NoError(t, store.Save("alexa", first)) // with room, as a login is made
		for round := range 20 {
			fill()
			source := open(t, p, store)
			source.MustSave = true
			if got := mustToken(t, source); got != Secret(fmt.Sprint("access-", round+1, long)) {
				t.Fatal(got.Reveal()[:10])
			}
			if got := load(t, store); got.Refresh != Secret(fmt.Sprint("refresh-", round+1)) || source.Status().Unsaved != nil {
				t.Fatalf("round %d: the store holds %s; %v", round, got.Refresh.Reveal(), source.Status().Unsaved)
			}
			time.Sleep(2 * time.Hour)
		}
		p.now(answering(401, jsonType, `{"error":"invalid_client","error_description":"a failure is longer than a success"}`))
		fill()
		if e := refused(t, open(t, p, store)); load(t, store).Failed.Code != "invalid_client" {
			t.Error("the failure could not be noted:", e)
		}
	})
}
