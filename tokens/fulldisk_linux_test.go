package tokens

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fullDisk is a file system of its own, with a way to fill it up to the last byte.
func fullDisk(t *testing.T) (folder string, fill func()) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("mounting a small file system needs root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder, func() { fillUp(t, folder) }
}

// fillUp takes what room there is, as a log would that nobody bounds.
func fillUp(t *testing.T, folder string) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer file.Close()
	for size := 64 << 10; size > 0; {
		if _, err := file.Write(bytes.Repeat([]byte{'x'}, size)); err != nil {
			size /= 2
		}
	}
	if _, err := file.Write([]byte{'x'}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal("the disk is not full:", err)
	}
}

// A renewal on a full disk, and a restart, cost no login; nor do the next ones,
// though something else takes each byte that gets free.
func TestPromise1_AFullDiskAndARestartCostNoLogin(t *testing.T) {
	folder, fill := fullDisk(t)
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
		must(t, store.Save("alexa", first)) // with room, as a login is made
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
