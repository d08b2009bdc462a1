package server_test

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gateway/localauth"
)

// newcomer is what the command line sends to add a user.
func newcomer(login string, change ...func(map[string]any)) map[string]any {
	key := sha256.Sum256([]byte(login))
	n := map[string]any{
		"login": login, "name": "Erin E", "email": "erin@mail.example", "groups": []string{"staff"},
		"salt": random()[:localauth.SaltSize], "iterations": localauth.DefaultIterations, "stored_key": key[:], "server_key": random(),
	}
	for _, c := range change {
		c(n)
	}
	return n
}

func TestAdminAdds(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	p := person{login: "erin", client: random(), signing: random()}
	stored := sha256.Sum256(p.client)
	a := h.command(http.MethodPost, "/users", newcomer("ErIn", func(n map[string]any) { n["stored_key"], n["server_key"] = stored[:], p.signing })).wants(http.StatusCreated)
	if a.field("login") != "erin" || a.field("status") != "active" || a.field("user_id") == "" {
		t.Errorf("added: %s", a.body)
	}
	got := h.browser().login(p).who()
	if got.Login != "erin" || got.UserID != a.field("user_id") || got.UserInfo.Groups[0] != "staff" || !got.UserInfo.EmailVerified {
		t.Errorf("erin signs in as %+v", got)
	}
	for _, word := range []string{"stored_key", "server_key", "salt", "iterations"} {
		for _, path := range []string{"/users", "/users/erin"} {
			if a := h.command(http.MethodGet, path, nil).wants(http.StatusOK); strings.Contains(a.body, word) {
				t.Errorf("%s says %s", path, word)
			}
		}
	}
	before := h.rows()
	for _, row := range []struct {
		story string
		with  map[string]any
	}{
		{"a login that is taken", newcomer("alice")},
		{"in capitals", newcomer("ALICE")},
		{"of a provider", newcomer("corp:dave-1")},
		{"an address as login", newcomer("erin@example.com")},
		{"no login", newcomer("")},
		{"a login with a line break", newcomer("er\nin")},
		{"of two alphabets", newcomer("еrin2")},
		{"a long login", newcomer(strings.Repeat("e", 65))},
		{"too few iterations", newcomer("frank", func(n map[string]any) { n["iterations"] = 599_999 })},
		{"too many iterations", newcomer("frank", func(n map[string]any) { n["iterations"] = 10_000_001 })},
		{"no iterations", newcomer("frank", func(n map[string]any) { delete(n, "iterations") })},
		{"a short salt", newcomer("frank", func(n map[string]any) { n["salt"] = []byte("salt") })},
		{"a short key", newcomer("frank", func(n map[string]any) { n["stored_key"] = []byte("key") })},
		{"a long key", newcomer("frank", func(n map[string]any) { n["server_key"] = make([]byte, 33) })},
		{"a key of zeros", newcomer("frank", func(n map[string]any) { n["stored_key"] = make([]byte, 32) })},
		{"equal keys", newcomer("frank", func(n map[string]any) { n["server_key"] = n["stored_key"] })},
		{"not base64", newcomer("frank", func(n map[string]any) { n["salt"] = "!" })},
		{"no address", newcomer("frank", func(n map[string]any) { n["email"] = "frank" })},
		{"a group with a comma", newcomer("frank", func(n map[string]any) { n["groups"] = []string{"a,b"} })},
		{"a group of a provider", newcomer("frank", func(n map[string]any) { n["groups"] = []string{"corp:staff"} })},
		{"a name with a line break", newcomer("frank", func(n map[string]any) { n["name"] = "a\nb" })},
		{"a password", newcomer("frank", func(n map[string]any) { n["password"] = "hunter22" })},
	} {
		h.command(http.MethodPost, "/users", row.with).refuses(row.story, http.StatusBadRequest, "BadRequest")
		h.unchanged(row.story, before)
	}
	h.command(http.MethodDelete, "/users/erin", nil).wants(http.StatusOK)
	h.command(http.MethodPost, "/users", newcomer("erin")).refuses("a login that was somebody's", http.StatusBadRequest, "BadRequest")
}

func TestAdminChanges(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	for _, row := range []struct {
		story string
		edit  map[string]any
		want  string
	}{
		{"add", map[string]any{"add": []string{"admins", "staff"}}, "admins,staff"},
		{"add again, remove", map[string]any{"add": []string{"staff"}, "remove": []string{"admins", "none"}}, "staff"},
		{"nothing", map[string]any{}, "staff"},
		{"replace", map[string]any{"set": []string{"admins"}}, "admins"},
		{"take all", map[string]any{"set": []string{}}, ""},
	} {
		h.command(http.MethodPost, "/users/bob/groups", row.edit).wants(http.StatusOK)
		h.asks(forwardAuth, h.about("/x", bob...)).wants(http.StatusOK).says(row.story, "bob", bobMail, "Bob", row.want) // at once
		if got, want := h.asks(forwardAuth, h.about("/admin/x", bob...)).decision(), map[bool]string{true: "allow", false: "deny"}[strings.Contains(row.want, "admins")]; got != want {
			t.Errorf("%s: what admins may is decided %s, want %s", row.story, got, want)
		}
	}
	before := h.rows()
	for _, groups := range []any{[]string{"a,b"}, []string{""}, []string{" a"}, []string{"corp:staff"}, []string{"a\n"}, []string{strings.Repeat("a", 256)}, "admins", []int{1}} {
		h.command(http.MethodPost, "/users/bob/groups", map[string]any{"add": groups}).refuses("a group that is none", http.StatusBadRequest, "BadRequest")
	}
	for _, login := range []string{"nobody", "BOB2", "corp:dave-9", "..", "%", "a b", strings.Repeat("x", 1000)} {
		path := "/users/" + url.PathEscape(login)
		for method, paths := range map[string][]string{http.MethodGet: {path}, http.MethodDelete: {path}, http.MethodPost: {path + "/disable", path + "/enable", path + "/groups"}} {
			for _, p := range paths {
				var body any
				if strings.HasSuffix(p, "/groups") {
					body = map[string]any{}
				}
				h.command(method, p, body).refuses(method+" "+p, http.StatusNotFound, "BadRequest")
			}
		}
	}
	for _, path := range []string{"/sessions?user=nobody", "/sessions?user=", "/sessions"} {
		h.command(http.MethodDelete, path, nil).refuses(path, http.StatusNotFound, "BadRequest")
	}
	h.command(http.MethodGet, "/sessions?user=nobody", nil).refuses("of nobody", http.StatusNotFound, "BadRequest")
	h.command(http.MethodPatch, "/users", nil).refuses("another method", http.StatusMethodNotAllowed, "BadRequest")
	h.command(http.MethodGet, "/nothing", nil).refuses("nothing", http.StatusNotFound, "BadRequest")
	h.unchanged("refused", before)
	if a := h.command(http.MethodGet, "/users/BOB", nil).wants(http.StatusOK); a.field("login") != "bob" {
		t.Errorf("BOB is %s", a.body)
	}
	var list []struct{ Login, Audience, Parent string }
	h.command(http.MethodGet, "/sessions?user=bob", nil).wants(http.StatusOK).decode(&list)
	if len(list) != 2 || list[0].Login != "bob" || list[0].Audience != h.Portal || list[1].Audience != h.Wiki || list[1].Parent == "" {
		t.Errorf("bob's sessions: %+v", list)
	}
}
