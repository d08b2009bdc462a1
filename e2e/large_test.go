package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// peak is the most memory that a process has had resident, in MB.
func (p *process) peak() int {
	p.t.Helper()
	for line := range strings.Lines(read(p.t, fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				p.t.Fatal(err)
			}
			return kB >> 10
		}
	}
	p.t.Fatal("no VmHWM")
	return 0
}

// zeros are a body of any size.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Bodies of any size pass in the memory of small ones: a gigabyte each way, with
// a length and in chunks.
func TestLargeBodiesTakeNoMemory(t *testing.T) {
	const gigabyte = 1 << 30
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprint(w, n)
			return
		}
		if r.URL.Path == "/whole" {
			w.Header().Set("Content-Length", fmt.Sprint(gigabyte))
		}
		_, _ = io.CopyN(w, zeros{}, gigabyte)
	}))
	t.Cleanup(app.Close)
	s := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, allow: everyone}\n", app.URL)).serve()
	client := &http.Client{Transport: &http.Transport{DialContext: onlyHere}}
	t.Cleanup(client.CloseIdleConnections)
	send := func(method, path string, length int64) (int64, string) {
		var body io.Reader
		if method == http.MethodPut {
			body = io.LimitReader(zeros{}, gigabyte)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, s.at("one.localhost")+path, body)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		r.ContentLength = length
		resp, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer resp.Body.Close()
		if method == http.MethodPut {
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			return 0, string(text)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			t.Error(err)
		}
		return n, ""
	}
	visit(t, http.MethodGet, s.at("one.localhost")+"/.gateway/connect", nil)
	before := s.peak()
	var all sync.WaitGroup
	for _, path := range []string{"/whole", "/chunks"} {
		length := int64(-1)
		if path == "/whole" {
			length = gigabyte
		}
		all.Go(func() {
			if n, _ := send(http.MethodGet, path, 0); n != gigabyte {
				t.Errorf("%s: %d bytes came, want a gigabyte", path, n)
			}
		})
		all.Go(func() {
			if _, text := send(http.MethodPut, path, length); text != fmt.Sprint(gigabyte) {
				t.Errorf("%s: %s bytes went, want a gigabyte", path, text)
			}
		})
	}
	all.Wait()
	if after := s.peak(); after-before > 48 {
		t.Errorf("at most %d MB were resident before, %d MB after four gigabytes: want it flat", before, after)
	} else {
		t.Logf("at most %d MB resident before, %d MB after", before, after)
	}
}
