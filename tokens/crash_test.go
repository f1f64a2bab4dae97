package tokens

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/durable"
	"avsproxy/internal/testkit"
)

// childFolder tells the test binary that it is the child of the test below.
const childFolder = "AVSPROXY_TEST_SAVE_IN"

func generation(n int) Grant {
	grant := Grant{Access: Secret(fmt.Sprint("access-", n)), Refresh: Secret(fmt.Sprint("refresh-", n))}
	grant.Scopes = []string{strings.Repeat(fmt.Sprint(n%10), 8000)} // so that a torn write would show
	return grant
}

// saveForever saves one generation after the other, and says so after each.
func saveForever(folder string) {
	store := FileStore{Dir: folder}
	grant, err := store.Load("alexa")
	n, _ := strconv.Atoi(strings.TrimPrefix(grant.Access.Reveal(), "access-"))
	for err == nil {
		n++
		if err = store.Save("alexa", generation(n)); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func TestKillDuringSavesLeavesAWholeGeneration(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	testkit.NoError(t, store.Save("alexa", generation(0)))
	rounds, end, most := 0, time.Now().Add(8*time.Second), 200
	if !testkit.IsHeavy() {
		most = 40
	}
	for ; rounds < most && time.Now().Before(end); rounds++ {
		told := killWhileSaving(t, store.Dir)
		grant := load(t, store)
		n, err := strconv.Atoi(strings.TrimPrefix(grant.Access.Reveal(), "access-"))
		if err != nil || n < told || n > told+1 || !grant.sameTokens(generation(n)) || grant.Scopes[0] != generation(n).Scopes[0] {
			t.Fatalf("round %d: generation %d was saved for certain; the store holds %s", rounds, told, grant.Access.Reveal())
		}
	}
	torn := len(durable.Leftovers(store.Path("alexa")))
	t.Logf("%d rounds, %d of them within a save", rounds, torn)
	testkit.NoError(t, store.Delete("alexa"))
	if left, _ := filepath.Glob(filepath.Join(store.Dir, ".*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// killWhileSaving runs a child that saves and kills it at a random moment. It
// returns the last generation that the child had saved by its own account.
func killWhileSaving(t *testing.T, folder string) (told int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+folder)
	out, err := child.StdoutPipe()
	testkit.NoError(t, err)
	testkit.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the child saved nothing")
	}
	time.AfterFunc(rand.N(5*time.Millisecond), func() { child.Process.Kill() })
	for more := true; more; more = lines.Scan() {
		if told, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the child: %s", lines.Text())
		}
	}
	child.Wait()
	return told
}
