package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Whatever moment of a rotation the gateway is killed at, it starts with keys
// that work, and nobody is signed out.
func TestKillDuringRotation(t *testing.T) {
	t.Parallel()
	app := startEcho(t)
	s := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, allow: signed-in}\nlog: {level: error}\n", app.URL)).serve()
	s.addAlice()
	x := &example{t: t, listen: s.listen, portal: "auth.localhost"}
	tokens := []string{x.signInTo("http://one.localhost:"+fmt.Sprint(s.public), "alice")}
	for round := range 8 {
		stop := make(chan struct{})
		var rotating sync.WaitGroup
		rotating.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = cli(t, "", "key", "rotate", "sessions", "--config", s.config)
				}
			}
		})
		time.Sleep(time.Duration(200+rand.IntN(300)) * time.Millisecond) // any moment will do
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		<-s.done
		close(stop)
		rotating.Wait()
		s.serve()
		if round < 3 { // a kill forgets that a sign-in was good, so few of them
			tokens = append(tokens, x.signInTo("http://one.localhost:"+fmt.Sprint(s.public), "alice"))
		}
		for i, token := range tokens {
			if resp, body := visit(t, http.MethodGet, s.at("one.localhost")+"/", map[string]string{"Authorization": "Bearer " + token}); resp.StatusCode != http.StatusOK {
				t.Fatalf("token %d of %d is answered %d\n%s", i, len(tokens), resp.StatusCode, body)
			}
		}
	}
	var keys []struct{ Kind, State string }
	list := mustCLI(t, "", "key", "list", "--json", "--config", s.config)
	if err := json.Unmarshal([]byte(list), &keys); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, k := range keys {
		count[k.Kind+" "+k.State]++
	}
	if count["sessions active"] != 1 || count["sessions next"] != 1 || count["sessions retired"] < 1 || count["assertions active"] != 1 {
		t.Errorf("the keys are %v\n%s", count, strings.TrimSpace(list))
	}
}
