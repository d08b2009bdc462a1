package demo_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gateway/internal/demo"
	"gateway/internal/secret"
)

// Whatever the query says, the provider leads to its client or nowhere.
func FuzzAuthorizeLeadsToTheClientOnly(f *testing.F) {
	p, err := demo.NewProvider("http://id.localhost:8080", demo.Client{
		ID: clientID, Secret: secret.New(clientSecret), RedirectURI: redirectURI,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(asking().Encode(), "c4r01")
	f.Add(asking("redirect_uri", "//evil.example").Encode(), "c4r01")
	f.Add(asking("state", "\r\nSet-Cookie: a=b").Encode(), "")
	f.Add("client_id=gateway&redirect_uri=%zz&;", "x")
	f.Fuzz(func(t *testing.T, query, person string) {
		form := query + "&person=" + person
		for _, r := range []*http.Request{
			httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://id.localhost:8080/authorize", nil),
			httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://id.localhost:8080/authorize", strings.NewReader(form)),
		} {
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			if to := w.Header().Get("Location"); to != "" && !strings.HasPrefix(to, redirectURI+"?") {
				t.Errorf("%s ?%s leads to %q", r.Method, query, to)
			}
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("%s ?%s: status %d", r.Method, query, w.Code)
			}
		}
	})
}
