package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

func TestNewUser(t *testing.T) {
	r := newRegister(t, newStore(t))
	id := from("google", "123", "alice")
	u := resolve(t, r, id)
	want := identity.User{
		ID: u.ID, Login: "google:123", Name: id.Name, Email: id.Email, EmailVerified: true,
		Status: identity.Active, Created: noon, Generation: 1,
	}
	if fmt.Sprint(u) != fmt.Sprint(want) || len(u.ID) < 26 {
		t.Errorf("Resolve = %+v, want %+v", u, want)
	}
	if again := resolve(t, r, id); again.ID != u.ID {
		t.Errorf("the second sign-in is user %s, want %s", again.ID, u.ID)
	}
	_, links, err := r.Show(t.Context(), u.ID)
	if err != nil || len(links) != 1 {
		t.Fatalf("Show = %v, %v; want one link", links, err)
	}
	if l := links[0]; l.Key != id.Key || l.Provider != "google" || l.Username != "alice" || l.Email != id.Email || !l.LastSignIn.Equal(noon) {
		t.Errorf("link = %+v", l)
	}
}

// Who is known by which login.
func TestLogins(t *testing.T) {
	long := strings.Repeat("s", 255)
	for _, row := range []struct {
		name, provider, subject, username string
		want                              string
	}{
		{"a claim", "corp", "1", "alice", "alice"},
		{"a claim in capitals", "corp", "1", "ALICE", "alice"},
		{"no claim is configured", "google", "1", "alice", "google:1"},
		{"the claim is empty", "corp", "1", "", "corp:1"},
		{"the claim can be no login", "corp", "1", "al ice", "corp:1"},
		{"the claim is an address", "corp", "1", "alice@example.com", "corp:1"},
		{"the claim looks like a foreign login", "corp", "1", "google:2", "corp:1"},
		{"the claim is reserved", "corp", "1", "Admin", "corp:1"},
		{"the claim is taken", "corp", "1", "bob", "corp:1"},
		{"the claim was taken by one who is gone", "corp", "1", "carol", "corp:1"},
		{"subjects keep their case", "google", "aBc", "", "google:aBc"},
		{"subjects are told apart in headers", "google", " a b\x01\n~%", "", "google:%20a%20b%01%0A%7E%25"},
		{"a subject with a colon", "google", "a:b", "", "google:a:b"},
		{"a long subject", "google", long, "", "google:" + long},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRegister(t, newStore(t))
			add(t, r, "bob")
			if err := r.Delete(t.Context(), add(t, r, "carol").ID); err != nil {
				t.Fatal(err)
			}
			if got := resolve(t, r, from(row.provider, row.subject, row.username)).Login; got != row.want {
				t.Errorf("login = %q, want %q", got, row.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	mallory := from("google", "1", "")
	mallory.Name = "Mallory"
	change := func(f func(*identity.Identity)) identity.Identity {
		id := from("google", "1", "")
		f(&id)
		return id
	}
	for _, row := range []struct {
		name string
		id   identity.Identity
	}{
		{"registration is closed", from("closed", "1", "")},
		{"the door is not configured", from("github", "1", "")},
		{"no rule could ever admit the person", mallory},
		{"nobody", identity.Identity{}},
		{"no issuer", change(func(id *identity.Identity) { id.Issuer = "" })},
		{"no subject", change(func(id *identity.Identity) { id.Subject = "" })},
		{"no door", change(func(id *identity.Identity) { id.Provider = "" })},
		{"a long subject", change(func(id *identity.Identity) { id.Subject = strings.Repeat("s", 256) })},
		{"a long issuer", change(func(id *identity.Identity) { id.Issuer = strings.Repeat("s", 2049) })},
		{"a foreign door with our issuer", change(func(id *identity.Identity) { id.Issuer = identity.Local })},
		{"the password door with a foreign issuer", change(func(id *identity.Identity) { id.Provider = identity.Local })},
		{"a password of nobody", local(identity.User{ID: "nobody"})},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRegister(t, newStore(t))
			r.Origins[identity.Local] = accounts.Origin{Registration: accounts.Open} // counts for nothing
			if u, err := r.Resolve(t.Context(), row.id); !errors.Is(err, accounts.ErrNotRegistered) || u.ID != "" {
				t.Errorf("Resolve = %v, %v; want ErrNotRegistered", u, err)
			}
			if all, err := r.List(t.Context()); len(all) != 0 || err != nil {
				t.Errorf("List = %v, %v; want nobody", all, err)
			}
		})
	}
	zero := &accounts.Register{Store: newStore(t), Origins: map[string]accounts.Origin{"google": {Registration: accounts.Open}}}
	if _, err := zero.Resolve(t.Context(), from("google", "1", "")); !errors.Is(err, accounts.ErrNotRegistered) {
		t.Errorf("Resolve without Admit = %v, want ErrNotRegistered", err)
	}
}

// What the policy is asked before a record is made.
func TestAdmitSeesThePerson(t *testing.T) {
	r := newRegister(t, newStore(t))
	add(t, r, "alice")
	var asked []identity.Principal
	r.Admit = func(p identity.Principal) bool {
		asked = append(asked, p)
		return p.Login == "corp:1"
	}
	id := from("corp", "1", "Alice")
	if u := resolve(t, r, id); u.Login != "corp:1" {
		t.Errorf("login = %s, want corp:1, the one that a rule names", u.Login)
	}
	if len(asked) != 2 || asked[0].Login != "alice" || asked[1].Login != "corp:1" {
		t.Fatalf("asked for %v, want alice, then corp:1", asked)
	}
	p := asked[1]
	if p.Email != id.Email || !p.EmailVerified || p.Origin != "corp" || !slices.Equal(p.Groups, []string{"corp:staff"}) || p.UserID != "" {
		t.Errorf("asked for %+v", p)
	}
}

func TestStatuses(t *testing.T) {
	for _, row := range []struct {
		status identity.Status
		want   error
		user   bool // is told who it is
	}{
		{identity.Active, nil, true},
		{identity.Disabled, accounts.ErrDisabled, false},
		{identity.Waiting, accounts.ErrWaiting, true},
		{identity.Unverified, accounts.ErrUnverified, true},
	} {
		t.Run(string(row.status), func(t *testing.T) {
			r := newRegister(t, newStore(t))
			a, b := resolve(t, r, from("google", "1", "")), add(t, r, "alice")
			r.Origins["google"] = accounts.Origin{Registration: accounts.Open, RequireVerified: true}
			doubtful := from("google", "1", "")
			doubtful.EmailVerified = false // who is active stays so
			for u, id := range map[string]identity.Identity{a.ID: doubtful, b.ID: local(b)} {
				if _, err := r.SetStatus(t.Context(), u, row.status); err != nil {
					t.Fatal(err)
				}
				got, err := r.Resolve(t.Context(), id)
				if !errors.Is(err, row.want) || (got.ID == u) != row.user {
					t.Errorf("Resolve = %v, %v; want %v", got, err, row.want)
				}
			}
		})
	}
	store := newStore(t)
	r := newRegister(t, store)
	u := resolve(t, r, from("google", "1", ""))
	future := accounts.Account{User: u}
	future.Status = "a status of the future"
	if err := store.UpdateUser(t.Context(), future); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), from("google", "1", "")); !errors.Is(err, accounts.ErrDisabled) {
		t.Errorf("Resolve with a status that means nothing = %v, want ErrDisabled", err)
	}
}

// A sign-in brings name and address up to what the provider says now.
func TestRefresh(t *testing.T) {
	for _, row := range []struct {
		name              string
		nameSet, emailSet bool // by an admin
		says              func(*identity.Identity)
		wantName          string
		wantEmail         string
		wantVerified      bool
		wantGeneration    int64
	}{
		{"nothing new", false, false, func(*identity.Identity) {}, "Name of 1", "1@example.com", true, 2},
		{"other name", false, false, func(id *identity.Identity) { id.Name = "New" }, "New", "1@example.com", true, 3},
		{"other address", false, false, func(id *identity.Identity) { id.Email = "new@example.com" }, "Name of 1", "new@example.com", true, 3},
		{"no longer verified", false, false, func(id *identity.Identity) { id.EmailVerified = false }, "Name of 1", "1@example.com", false, 3},
		{"no address any more", false, false, func(id *identity.Identity) { id.Email = "" }, "Name of 1", "", false, 3},
		{"what is no address", false, false, func(id *identity.Identity) { id.Email = "a b@example.com" }, "Name of 1", "", false, 3},
		{"a name that breaks lines", false, false, func(id *identity.Identity) { id.Name = " a\r\nRemote-User: root\x00" }, "aRemote-User: root", "1@example.com", true, 3},
		{"name set by an admin", true, false, func(id *identity.Identity) { id.Name, id.Email = "New", "new@example.com" }, "Name of 1", "new@example.com", true, 3},
		{"address set by an admin", false, true, func(id *identity.Identity) { id.Email, id.EmailVerified = "new@example.com", false }, "Name of 1", "1@example.com", true, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			store := newStore(t)
			r := newRegister(t, store)
			id := from("google", "1", "")
			set := accounts.Account{User: resolve(t, r, id), NameSet: row.nameSet, EmailSet: row.emailSet}
			if err := store.UpdateUser(t.Context(), set); err != nil {
				t.Fatal(err)
			}
			row.says(&id)
			u := resolve(t, r, id)
			if u.Name != row.wantName || u.Email != row.wantEmail || u.EmailVerified != row.wantVerified || u.Generation != row.wantGeneration {
				t.Errorf("Resolve = %+v", u)
			}
			if kept, err := r.User(t.Context(), u.ID); err != nil || fmt.Sprint(kept) != fmt.Sprint(u) {
				t.Errorf("User = %+v, %v; want %+v", kept, err, u)
			}
		})
	}
}

func TestLocalKeepsWhatTheAdminSaid(t *testing.T) {
	r := newRegister(t, newStore(t))
	nameless := person("bob")
	nameless.Name, nameless.Email = "", ""
	bob, err := r.Add(t.Context(), nameless)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []identity.User{add(t, r, "alice"), bob} {
		if got := resolve(t, r, local(u)); fmt.Sprint(got) != fmt.Sprint(u) {
			t.Errorf("Resolve = %+v, want %+v", got, u)
		}
	}
}

// The last sign-in is kept to the minute.
func TestLastSignIn(t *testing.T) {
	r := newRegister(t, newStore(t))
	now := noon
	r.Now = func() time.Time { return now }
	for door, id := range map[string]identity.Identity{"google": from("google", "1", ""), "local": local(add(t, r, "alice"))} {
		now = noon
		u := resolve(t, r, id)
		for _, row := range []struct{ after, want time.Duration }{
			{0, 0},
			{59 * time.Second, 0},
			{time.Minute, time.Minute},
			{-time.Hour, -time.Hour}, // the clock was set back
		} {
			now = noon.Add(row.after)
			resolve(t, r, id)
			_, links, err := r.Show(t.Context(), u.ID)
			if err != nil || !links[0].LastSignIn.Equal(noon.Add(row.want)) {
				t.Errorf("%s: after %v the last sign-in is %v, %v; want %v later", door, row.after, links[0].LastSignIn, err, row.want)
			}
		}
	}
}

// Nobody comes in by a way that is not recorded, or no more.
func TestNoWayInByPassword(t *testing.T) {
	r := newRegister(t, newStore(t))
	foreign := resolve(t, r, from("google", "1", ""))
	deleted := add(t, r, "alice")
	resolve(t, r, local(deleted))
	if err := r.Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	for _, u := range []identity.User{foreign, deleted} {
		if got, err := r.Resolve(t.Context(), local(u)); !errors.Is(err, accounts.ErrNotRegistered) || got.ID != "" {
			t.Errorf("Resolve(%s) = %v, %v; want ErrNotRegistered", u.Login, got, err)
		}
	}
}

// One who was deleted comes back as somebody else.
func TestDeletedComesBack(t *testing.T) {
	r := newRegister(t, newStore(t))
	id := from("google", "1", "")
	ids := make(map[string]bool)
	for _, want := range []string{"google:1", "google:1~2", "google:1~3"} {
		u := resolve(t, r, id)
		if u.Login != want || ids[u.ID] {
			t.Errorf("came back as %s %q, want a new user %q", u.ID, u.Login, want)
		}
		ids[u.ID] = true
		if err := r.Delete(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := r.User(t.Context(), u.ID); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("User of one deleted = %v, want ErrNone", err)
		}
	}
	for range 6 {
		if err := r.Delete(t.Context(), resolve(t, r, id).ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Resolve(t.Context(), id); !errors.Is(err, accounts.ErrNotRegistered) || !errors.Is(err, accounts.ErrLoginTaken) {
		t.Errorf("the tenth time Resolve = %v, want ErrNotRegistered for ErrLoginTaken", err)
	}
}

// However many sign in at once for the first time, each person is one user and
// each login one person's.
func TestConcurrentFirstSignIns(t *testing.T) {
	r := newRegister(t, newStore(t))
	const people, tabs = 4, 8
	var mu sync.Mutex
	users := make(map[string]map[string]bool) // by subject: ids
	logins := make(map[string]int)
	var all sync.WaitGroup
	for i := range people * tabs {
		all.Go(func() {
			subject := fmt.Sprint(i % people)
			u, err := r.Resolve(t.Context(), from("corp", subject, "everybody-wants-it"))
			if err != nil {
				t.Errorf("Resolve = %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if users[subject] == nil {
				users[subject] = make(map[string]bool)
			}
			users[subject][u.ID] = true
			logins[u.Login]++
		})
	}
	all.Wait()
	for subject, ids := range users {
		if len(ids) != 1 {
			t.Errorf("person %s became %d users", subject, len(ids))
		}
	}
	if len(logins) != people || logins["everybody-wants-it"] != tabs {
		t.Errorf("logins = %v, want %d of which one is the claimed one", logins, people)
	}
}

// A store that is down is no answer.
func TestCannotTell(t *testing.T) {
	down := errors.New("disk is gone")
	w := &watched{Store: newStore(t), err: down}
	r := newRegister(t, w)
	for _, err := range []error{
		func() error { _, err := r.Resolve(t.Context(), from("google", "1", "")); return err }(),
		func() error { _, err := r.Resolve(t.Context(), local(identity.User{ID: "x"})); return err }(),
		func() error { _, err := r.User(t.Context(), "x"); return err }(),
	} {
		if !errors.Is(err, down) || errors.Is(err, accounts.ErrNotRegistered) {
			t.Errorf("got %v, want %v alone", err, down)
		}
	}
}
