package demo

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Whoami is an app that shows who the gateway says you are: the identity
// headers, the claims of the assertion, and all that arrived besides. Clients
// that do not ask for HTML get the same as JSON.
type Whoami struct {
	Portal string // URL of the portal
}

// seen is a request as the app sees it.
type seen struct {
	Visitor visitor             `json:"visitor"`
	Method  string              `json:"method"`
	Host    string              `json:"host"`
	URI     string              `json:"uri"`
	Headers map[string][]string `json:"headers"`
}

// ServeHTTP answers every path.
func (a Whoami) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := seen{visitorOf(r), r.Method, r.Host, r.RequestURI, r.Header}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Cache-Control", "no-store")
		answer(w, http.StatusOK, s)
		return
	}
	render(w, http.StatusOK, "whoami", struct {
		bar
		Request seen
		Lines   []field
	}{bar{"Whoami", a.Portal, r.URL.Path, s.Visitor}, s, lines(r.Header)})
}

// lines returns the headers in order, one line for each value.
func lines(h http.Header) []field {
	var all []field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			all = append(all, field{name, value})
		}
	}
	return all
}
