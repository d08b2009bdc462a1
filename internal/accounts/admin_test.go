package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

func TestAdd(t *testing.T) {
	change := func(f func(*accounts.New)) accounts.New {
		n := person("bob")
		f(&n)
		return n
	}
	r := newRegister(t, newStore(t))
	alice := add(t, r, "Alice")
	if alice.Login != "alice" || !alice.EmailVerified || alice.Status != identity.Active || !slices.Equal(alice.Groups, []string{"ops"}) {
		t.Errorf("Add = %+v", alice)
	}
	for _, row := range []struct {
		name string
		n    accounts.New
		want error
	}{
		{"the login is taken", person("alice"), accounts.ErrLoginTaken},
		{"the login is taken in another form", person("ALICE"), accounts.ErrLoginTaken},
		{"no login", person(""), accounts.ErrInvalid},
		{"no canonical form", person("al ice"), accounts.ErrInvalid},
		{"a foreign login", person("google:1"), accounts.ErrInvalid},
		{"an address", person("alice@example.com"), accounts.ErrInvalid},
		{"no id", change(func(n *accounts.New) { n.ID = "" }), accounts.ErrInvalid},
		{"no verifier", change(func(n *accounts.New) { n.Verifier = accounts.Verifier{} }), accounts.ErrInvalid},
		{"half a verifier", change(func(n *accounts.New) { n.Verifier.StoredKey = nil }), accounts.ErrInvalid},
		{"a name that breaks lines", change(func(n *accounts.New) { n.Name = "a\nb" }), accounts.ErrInvalid},
		{"a long name", change(func(n *accounts.New) { n.Name = strings.Repeat("n", 256) }), accounts.ErrInvalid},
		{"an address that breaks lines", change(func(n *accounts.New) { n.Email = "a@b\r\n.c" }), accounts.ErrInvalid},
		{"no address", change(func(n *accounts.New) { n.Email = "bob" }), accounts.ErrInvalid},
		{"a long address", change(func(n *accounts.New) { n.Email = strings.Repeat("a", 250) + "@b.cd" }), accounts.ErrInvalid},
		{"a provider's group", change(func(n *accounts.New) { n.Groups = []string{"corp:x"} }), accounts.ErrInvalid},
		{"no group", change(func(n *accounts.New) { n.Groups = []string{""} }), accounts.ErrInvalid},
	} {
		if _, err := r.Add(t.Context(), row.n); !errors.Is(err, row.want) {
			t.Errorf("%s: Add = %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := r.Add(t.Context(), change(func(n *accounts.New) { n.Name, n.Email, n.Groups = "", "", nil })); err != nil {
		t.Errorf("Add of one who has nothing but a login = %v", err)
	}
	noRule := &accounts.Register{Store: r.Store}
	if _, err := noRule.Add(t.Context(), person("carol")); err == nil || errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("Add without Login = %v, want an error that blames nobody's login", err)
	}
	all, err := r.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Login != "alice" || all[1].Login != "bob" {
		t.Errorf("List = %v, %v; want alice and bob", all, err)
	}
}

func TestByLogin(t *testing.T) {
	r := newRegister(t, newStore(t))
	alice, foreign := add(t, r, "alice"), resolve(t, r, from("google", "aBc", ""))
	for login, want := range map[string]string{
		"alice":      alice.ID,
		"ALICE":      alice.ID,
		"google:aBc": foreign.ID,
		"google:abc": "",
		"nobody":     "",
		"":           "",
	} {
		got, err := r.ByLogin(t.Context(), login)
		if got.ID != want || (want == "") != errors.Is(err, accounts.ErrNone) {
			t.Errorf("ByLogin(%q) = %q, %v; want %q", login, got.ID, err, want)
		}
	}
}

func TestSetGroups(t *testing.T) {
	many := make([]string, 256)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	r := newRegister(t, newStore(t))
	u := add(t, r, "alice") // in ops
	generation := u.Generation
	for _, row := range []struct {
		name string
		edit accounts.GroupEdit
		want string
		err  error
	}{
		{"add", accounts.GroupEdit{Add: []string{"staff", "admins", "staff"}}, "admins ops staff", nil},
		{"add what is there", accounts.GroupEdit{Add: []string{"ops"}}, "admins ops staff", nil},
		{"remove", accounts.GroupEdit{Remove: []string{"admins", "unknown"}}, "ops staff", nil},
		{"remove and add", accounts.GroupEdit{Remove: []string{"ops"}, Add: []string{"ops", "x"}}, "ops staff x", nil},
		{"a provider's group", accounts.GroupEdit{Add: []string{"corp:x"}}, "ops staff x", accounts.ErrInvalid},
		{"with a comma", accounts.GroupEdit{Add: []string{"a,b"}}, "ops staff x", accounts.ErrInvalid},
		{"with a line break", accounts.GroupEdit{Add: []string{"a\nb"}}, "ops staff x", accounts.ErrInvalid},
		{"not UTF-8", accounts.GroupEdit{Add: []string{"a\xff"}}, "ops staff x", accounts.ErrInvalid},
		{"empty", accounts.GroupEdit{Replace: true, Add: []string{""}}, "ops staff x", accounts.ErrInvalid},
		{"too many", accounts.GroupEdit{Add: many}, "ops staff x", accounts.ErrInvalid},
		{"replace", accounts.GroupEdit{Replace: true, Add: []string{"b", "a"}}, "a b", nil},
		{"replace by none", accounts.GroupEdit{Replace: true}, "", nil},
	} {
		before, err := r.User(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.SetGroups(t.Context(), u.ID, row.edit)
		if !errors.Is(err, row.err) {
			t.Errorf("%s: SetGroups = %v, want %v", row.name, err, row.err)
		}
		after, err := r.User(t.Context(), u.ID)
		if err != nil || strings.Join(after.Groups, " ") != row.want {
			t.Errorf("%s: groups are %q, %v; want %q", row.name, after.Groups, err, row.want)
		}
		if row.err == nil && fmt.Sprint(got) != fmt.Sprint(after) {
			t.Errorf("%s: SetGroups = %+v, User = %+v", row.name, got, after)
		}
		if !slices.Equal(before.Groups, after.Groups) {
			generation++
		}
		if after.Generation != generation {
			t.Errorf("%s: generation %d, want %d", row.name, after.Generation, generation)
		}
	}
	if _, err := r.SetGroups(t.Context(), "nobody", accounts.GroupEdit{}); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("SetGroups of nobody = %v, want ErrNone", err)
	}
}

func TestSetStatus(t *testing.T) {
	r := newRegister(t, newStore(t))
	u := add(t, r, "alice")
	for _, row := range []struct {
		id     string
		status identity.Status
		want   error
	}{
		{u.ID, identity.Disabled, nil},
		{u.ID, identity.Disabled, nil},
		{u.ID, identity.Active, nil},
		{u.ID, "", accounts.ErrInvalid},
		{u.ID, "enabled", accounts.ErrInvalid},
		{"nobody", identity.Active, accounts.ErrNone},
	} {
		if _, err := r.SetStatus(t.Context(), row.id, row.status); !errors.Is(err, row.want) {
			t.Errorf("SetStatus(%s, %q) = %v, want %v", row.id, row.status, err, row.want)
		}
	}
	if got, err := r.User(t.Context(), u.ID); err != nil || got.Status != identity.Active || got.Generation != 3 {
		t.Errorf("User = %+v, %v; want active, generation 3", got, err)
	}
	if err := r.Delete(t.Context(), "nobody"); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("Delete of nobody = %v, want ErrNone", err)
	}
}

// No change is lost when several are made at once.
func TestConcurrentChanges(t *testing.T) {
	r := newRegister(t, newStore(t))
	u := add(t, r, "alice")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := r.SetGroups(t.Context(), u.ID, accounts.GroupEdit{Add: []string{fmt.Sprint(i)}}); err != nil {
				t.Errorf("SetGroups = %v", err)
			}
		})
	}
	all.Wait()
	got, err := r.User(t.Context(), u.ID)
	if err != nil || strings.Join(got.Groups, "") != "01234567ops" || got.Generation != 9 {
		t.Errorf("User = %+v, %v; want nine groups, generation 9", got, err)
	}
}
