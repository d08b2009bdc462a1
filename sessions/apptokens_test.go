package sessions_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/hostiletest"
	"gateway/internal/secret"
	"gateway/sessions"
)

// drawer keeps app tokens in memory. before may fail a call.
type drawer struct {
	mu      sync.Mutex
	tokens  []sessions.AppToken
	reads   int
	touched int
	before  func(call string) error
	after   func(call string)
}

func (d *drawer) call(name string) (func(), error) {
	if d.before != nil {
		if err := d.before(name); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	return func() {
		d.mu.Unlock()
		if d.after != nil {
			d.after(name)
		}
	}, nil
}

func (d *drawer) CreateAppToken(_ context.Context, t sessions.AppToken) error {
	done, err := d.call("create")
	if err != nil {
		return err
	}
	defer done()
	d.tokens = append(d.tokens, t)
	return nil
}

func (d *drawer) AppToken(_ context.Context, hash [32]byte) (sessions.AppToken, error) {
	done, err := d.call("read")
	if err != nil {
		return sessions.AppToken{}, err
	}
	defer done()
	d.reads++
	if i := slices.IndexFunc(d.tokens, func(t sessions.AppToken) bool { return t.Hash == hash }); i >= 0 {
		return d.tokens[i], nil
	}
	return sessions.AppToken{}, sessions.ErrNoToken
}

func (d *drawer) AppTokens(context.Context, sessions.AppTokenFilter) ([]sessions.AppToken, error) {
	done, err := d.call("list")
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.Clone(d.tokens), nil
}

func (d *drawer) TouchAppToken(_ context.Context, hash [32]byte, seen time.Time) error {
	done, err := d.call("touch")
	if err != nil {
		return err
	}
	defer done()
	i := slices.IndexFunc(d.tokens, func(t sessions.AppToken) bool { return t.Hash == hash && t.Ended.IsZero() })
	if i < 0 {
		return sessions.ErrNoToken
	}
	d.touched++
	d.tokens[i].Seen = seen
	return nil
}

func (d *drawer) EndAppTokens(_ context.Context, f sessions.AppTokenFilter, at time.Time) (n int, err error) {
	done, err := d.call("end")
	if err != nil {
		return 0, err
	}
	defer done()
	for i := range d.tokens {
		t := &d.tokens[i]
		if t.Ended.IsZero() && (f.ID == "" || f.ID == t.ID) && (f.UserID == "" || f.UserID == t.UserID) && (f.App == "" || f.App == t.App) {
			t.Ended = at
			n++
		}
	}
	return n, nil
}

func issue(t testing.TB, a *sessions.AppTokens, life time.Duration) (sessions.AppToken, secret.Text) {
	t.Helper()
	record, text, err := a.Issue(t.Context(), sessions.AppToken{UserID: "u-alice", App: "wiki", Name: "backup", Provider: "local"}, life)
	if err != nil {
		t.Fatal(err)
	}
	return record, text
}

// A token counts at its app alone, until it expires or is revoked, whatever the
// clock says afterwards.
func TestAppTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &drawer{}
		back := time.Duration(0)
		a := &sessions.AppTokens{Store: store, Now: func() time.Time { return time.Now().Add(-back) }}
		record, text := issue(t, a, time.Hour)
		if !regexp.MustCompile(`^gw_[A-Z2-7]{56}$`).MatchString(text.Reveal()) || !sessions.IsAppToken(text.Reveal()) {
			t.Errorf("a token looks like %q", text.Reveal())
		}
		if record.ID == "" || strings.Contains(text.Reveal(), record.ID) || record.Expires.Sub(record.Created) != time.Hour || record.Hash == [32]byte{} {
			t.Errorf("record %+v", record)
		}
		verify := func(what, app string, want error) {
			t.Helper()
			got, err := a.Verify(t.Context(), text, app)
			peeked, peekErr := a.Peek(t.Context(), text, app)
			if !errors.Is(err, want) || !errors.Is(peekErr, want) || want == nil && err != nil {
				t.Errorf("%s: Verify %v, Peek %v, want %v", what, err, peekErr, want)
			}
			if got.ID != record.ID || peeked.ID != record.ID {
				t.Errorf("%s: the record is %+v, %+v", what, got, peeked)
			}
		}
		verify("fresh", "wiki", nil)
		verify("at another app", "board", sessions.ErrTokenElsewhere)
		verify("nowhere", "", sessions.ErrTokenElsewhere)
		time.Sleep(time.Hour - time.Microsecond)
		verify("at its last moment", "wiki", nil)
		time.Sleep(time.Microsecond)
		verify("expired", "wiki", sessions.ErrTokenOver)
		back = 30 * time.Minute
		verify("the clock set back", "wiki", sessions.ErrTokenOver)
		verify("at another app, after its end", "board", sessions.ErrTokenOver)
		back = 0

		record, text = issue(t, a, time.Hour)
		verify("another one", "wiki", nil)
		if n, err := a.Revoke(t.Context(), sessions.AppTokenFilter{ID: record.ID}); n != 1 || err != nil {
			t.Errorf("Revoke = %d, %v", n, err)
		}
		verify("revoked", "wiki", sessions.ErrTokenOver)
		if all, err := a.List(t.Context(), sessions.AppTokenFilter{}); len(all) != 0 || err != nil {
			t.Errorf("List = %v, %v; want none that counts", all, err)
		}
		if n, err := a.Revoke(t.Context(), sessions.AppTokenFilter{}); n != 0 || !errors.Is(err, sessions.ErrUnsound) {
			t.Errorf("Revoke of everything = %d, %v", n, err)
		}
	})
}

// What is no token asks no store; what might be one, once.
func TestAppTokensOfStrangers(t *testing.T) {
	store := &drawer{}
	a := &sessions.AppTokens{Store: store}
	_, text := issue(t, a, time.Hour)
	good := text.Reveal()
	for _, bad := range append([]string{
		"", "gw_", "gw_A", good[3:], "GW_" + good[3:], strings.ToLower(good), good + "A", good[:58], good + "=", good + "\n", good[:30] + "\n" + good[30:], " " + good,
		good[:30] + "\x00" + good[31:], good[:58] + "1", "gw_" + strings.Repeat("A", 56)[:55] + "B", strings.Repeat(good, 1000), "gw_" + good,
	}, hostiletest.Lines(t, "tokens")...) {
		if _, err := a.Verify(t.Context(), secret.New(bad), "wiki"); !errors.Is(err, sessions.ErrMalformed) {
			t.Errorf("Verify(%.80q) = %v, want ErrMalformed", bad, err)
		}
	}
	for i := range len(good) { // one letter wrong
		for _, letter := range "A7" {
			if bent := good[:i] + string(letter) + good[i+1:]; bent != good {
				if _, err := a.Verify(t.Context(), secret.New(bent), "wiki"); !errors.Is(err, sessions.ErrMalformed) {
					t.Errorf("letter %d is %c: %v, want ErrMalformed", i, letter, err)
				}
			}
		}
	}
	if store.reads != 0 {
		t.Errorf("%d reads of the store", store.reads)
	}
	elsewhere := &sessions.AppTokens{Store: &drawer{}}
	if _, err := elsewhere.Verify(t.Context(), text, "wiki"); !errors.Is(err, sessions.ErrNoToken) || !errors.Is(err, sessions.ErrNone) {
		t.Errorf("at a gateway that never made it: %v, want ErrNoToken", err)
	}
	for range 100 {
		if _, err := a.Peek(t.Context(), text, "wiki"); err != nil {
			t.Fatal(err)
		}
	}
	if store.reads != 1 {
		t.Errorf("%d reads for a hundred checks, want 1", store.reads)
	}
}

// A whole token is found wherever it stands, and nothing else is taken for one.
func TestHoldsAppToken(t *testing.T) {
	_, text := issue(t, &sessions.AppTokens{Store: &drawer{}}, time.Hour)
	good := text.Reveal()
	for _, row := range []struct {
		text string
		want bool
	}{
		{good, true},
		{"x" + good + "x", true},
		{"gw_" + good, true},
		{"gw_gw_" + strings.Repeat("A", 56) + "." + good, true},
		{"", false},
		{"gw_", false},
		{good[:58], false},
		{good[:10] + " " + good[10:], false},
		{strings.ToLower(good), false},
		{"gw_" + strings.Repeat("A", 55) + "B", false},
		{strings.Repeat("gw_", 1000), false},
	} {
		if got := sessions.HoldsAppToken(row.text); got != row.want {
			t.Errorf("HoldsAppToken(%.80q) = %v, want %v", row.text, got, row.want)
		}
	}
}

// The last use is written once an hour, whatever the clock does, and none that
// cannot be written changes an answer, but for an end that came in between.
func TestAppTokensLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &drawer{}
		var told []error
		a := &sessions.AppTokens{Store: store, OnTouchError: func(err error) { told = append(told, err) }}
		_, text := issue(t, a, 100*time.Hour)
		use := func(want int) {
			t.Helper()
			got, err := a.Verify(t.Context(), text, "wiki")
			if err != nil || store.touched != want || !got.Seen.Equal(store.tokens[0].Seen) {
				t.Errorf("Verify = %+v, %v; %d writes, want %d", got, err, store.touched, want)
			}
		}
		use(1)
		time.Sleep(time.Hour - time.Second)
		use(1)
		time.Sleep(time.Second)
		use(2)
		use(2)
		store.before = func(call string) error {
			if call == "touch" {
				return errDown
			}
			return nil
		}
		time.Sleep(time.Hour)
		use(2)
		use(2)
		if len(told) != 1 || !errors.Is(told[0], errDown) {
			t.Errorf("told %v, want it once", told)
		}
		store.before = nil
		time.Sleep(5 * time.Second)
		use(3)
		time.Sleep(2 * time.Hour)
		store.before = func(call string) error {
			if call == "touch" {
				store.before = nil
				_, err := store.EndAppTokens(context.Background(), sessions.AppTokenFilter{UserID: "u-alice"}, time.Now())
				return err
			}
			return nil
		}
		if _, err := a.Verify(t.Context(), text, "wiki"); !errors.Is(err, sessions.ErrNone) {
			t.Errorf("ended while its use was written: %v, want ErrNone", err)
		}
		if _, err := a.Verify(t.Context(), text, "wiki"); !errors.Is(err, sessions.ErrTokenOver) {
			t.Errorf("and after it: %v, want ErrTokenOver", err)
		}
	})
}

// Cannot tell is neither yes nor no, and an end that could not be told about is
// looked up again.
func TestAppTokensWhenTheStoreIsDown(t *testing.T) {
	store := &drawer{}
	a := &sessions.AppTokens{Store: store}
	record, text := issue(t, a, time.Hour)
	down := func(which string) func(string) error {
		return func(call string) error {
			if call == which {
				return errDown
			}
			return nil
		}
	}
	store.before = down("read")
	if _, err := a.Verify(t.Context(), text, "wiki"); !errors.Is(err, errDown) || errors.Is(err, sessions.ErrNone) {
		t.Errorf("Verify = %v, want %v", err, errDown)
	}
	store.before = nil
	if _, err := a.Verify(t.Context(), text, "wiki"); err != nil {
		t.Fatal(err)
	}
	store.before = func(call string) error {
		if call == "end" { // written, then lost
			store.tokens[0].Ended = time.Now()
			return errDown
		}
		return nil
	}
	if _, err := a.Revoke(t.Context(), sessions.AppTokenFilter{ID: record.ID}); !errors.Is(err, errDown) {
		t.Errorf("Revoke = %v, want %v", err, errDown)
	}
	if _, err := a.Verify(t.Context(), text, "wiki"); !errors.Is(err, sessions.ErrTokenOver) {
		t.Errorf("after it: %v, want ErrTokenOver", err)
	}
	for _, call := range []string{"create", "list"} {
		store.before = down(call)
		_, _, err1 := a.Issue(t.Context(), sessions.AppToken{UserID: "u", App: "wiki", Name: "x"}, time.Hour)
		_, err2 := a.List(t.Context(), sessions.AppTokenFilter{})
		if (call == "create") != errors.Is(err1, errDown) || (call == "list") != errors.Is(err2, errDown) {
			t.Errorf("%s: %v, %v", call, err1, err2)
		}
	}
}

// A reader has read the record and not yet returned when the token is ended:
// the next one does not find it alive.
func TestAppTokensLateReader(t *testing.T) {
	store := &drawer{}
	a := &sessions.AppTokens{Store: store}
	_, text := issue(t, a, time.Hour)
	store.after = func(call string) {
		if call == "read" {
			store.after = nil
			if _, err := a.Revoke(context.Background(), sessions.AppTokenFilter{App: "wiki"}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := a.Peek(t.Context(), text, "wiki"); err != nil {
		t.Errorf("the late reader: %v", err)
	}
	if _, err := a.Peek(t.Context(), text, "wiki"); !errors.Is(err, sessions.ErrTokenOver) {
		t.Errorf("the next reader: %v, want ErrTokenOver", err)
	}
}

func TestAppTokensThatAreNone(t *testing.T) {
	a := &sessions.AppTokens{Store: &drawer{}}
	good := sessions.AppToken{UserID: "u", App: "wiki", Name: "Jürgen's backup"}
	for story, row := range map[string]struct {
		change func(*sessions.AppToken)
		life   time.Duration
		want   error
	}{
		"sound":         {func(*sessions.AppToken) {}, time.Hour, nil},
		"a minute":      {func(*sessions.AppToken) {}, sessions.MinTokenLife, nil},
		"a year":        {func(*sessions.AppToken) {}, sessions.MaxTokenLife, nil},
		"of nobody":     {func(t *sessions.AppToken) { t.UserID = "" }, time.Hour, sessions.ErrUnsound},
		"for nothing":   {func(t *sessions.AppToken) { t.App = "" }, time.Hour, sessions.ErrUnsound},
		"without name":  {func(t *sessions.AppToken) { t.Name = "" }, time.Hour, sessions.ErrUnsound},
		"the longest":   {func(t *sessions.AppToken) { t.Name = strings.Repeat("a", 64) }, time.Hour, nil},
		"a long name":   {func(t *sessions.AppToken) { t.Name = strings.Repeat("a", 65) }, time.Hour, sessions.ErrUnsound},
		"a line feed":   {func(t *sessions.AppToken) { t.Name = "a\nb" }, time.Hour, sessions.ErrUnsound},
		"no text":       {func(t *sessions.AppToken) { t.Name = "a\xff" }, time.Hour, sessions.ErrUnsound},
		"a blank":       {func(t *sessions.AppToken) { t.Name = " " }, time.Hour, sessions.ErrUnsound},
		"no life":       {func(*sessions.AppToken) {}, 0, sessions.ErrUnsound},
		"backwards":     {func(*sessions.AppToken) {}, -time.Hour, sessions.ErrUnsound},
		"too short":     {func(*sessions.AppToken) {}, time.Minute - 1, sessions.ErrUnsound},
		"too long":      {func(*sessions.AppToken) {}, sessions.MaxTokenLife + 1, sessions.ErrUnsound},
		"ended already": {func(t *sessions.AppToken) { t.Ended, t.Seen, t.ID = at(1), at(1), "mine" }, time.Hour, nil},
	} {
		asked := good
		row.change(&asked)
		made, text, err := a.Issue(t.Context(), asked, row.life)
		if !errors.Is(err, row.want) || (err == nil) == text.Empty() {
			t.Errorf("%s: Issue = %v, %v; want %v", story, made, err, row.want)
		}
		if err == nil && (!made.Ended.IsZero() || !made.Seen.IsZero() || made.ID == "mine") {
			t.Errorf("%s: made %+v", story, made)
		}
	}
}

// bent is a drawer whose records are not what was put in.
type bent struct {
	*drawer

	bend func(*sessions.AppToken)
}

func (b bent) AppToken(ctx context.Context, hash [32]byte) (sessions.AppToken, error) {
	t, err := b.drawer.AppToken(ctx, hash)
	b.bend(&t)
	return t, err
}

// A record that is not the token's own, or of nobody, or for nothing, opens nothing.
func TestAppTokensOfOtherRecords(t *testing.T) {
	for story, row := range map[string]struct {
		bend func(*sessions.AppToken)
		app  string
		want error
	}{
		"its own":     {func(*sessions.AppToken) {}, "wiki", nil},
		"of another":  {func(t *sessions.AppToken) { t.Hash[31]++ }, "wiki", sessions.ErrNoToken},
		"of nobody":   {func(t *sessions.AppToken) { t.UserID = "" }, "wiki", sessions.ErrNoToken},
		"for nothing": {func(t *sessions.AppToken) { t.App = "" }, "", sessions.ErrNoToken},
	} {
		a := &sessions.AppTokens{Store: bent{&drawer{}, row.bend}}
		_, text := issue(t, a, time.Hour)
		if got, err := a.Peek(t.Context(), text, row.app); !errors.Is(err, row.want) || err != nil && got.ID != "" {
			t.Errorf("%s: Peek = %+v, %v; want %v", story, got, err, row.want)
		}
	}
}

// What is held in memory goes with what a filter ends, and nothing else does.
func TestAppTokensEndByFilter(t *testing.T) {
	for _, row := range []struct {
		filter sessions.AppTokenFilter
		ends   bool
	}{
		{sessions.AppTokenFilter{ID: "this"}, true},
		{sessions.AppTokenFilter{ID: "other"}, false},
		{sessions.AppTokenFilter{UserID: "u-alice"}, true},
		{sessions.AppTokenFilter{UserID: "u-bob"}, false},
		{sessions.AppTokenFilter{App: "wiki"}, true},
		{sessions.AppTokenFilter{App: "board"}, false},
		{sessions.AppTokenFilter{UserID: "u-alice", App: "wiki"}, true},
		{sessions.AppTokenFilter{UserID: "u-alice", App: "board"}, false},
		{sessions.AppTokenFilter{UserID: "u-bob", App: "wiki"}, false},
		{sessions.AppTokenFilter{ID: "this", UserID: "u-bob"}, false},
	} {
		store := &drawer{}
		a := &sessions.AppTokens{Store: store}
		record, text := issue(t, a, time.Hour)
		if row.filter.ID == "this" {
			row.filter.ID = record.ID
		}
		if _, err := a.Peek(t.Context(), text, "wiki"); err != nil || store.reads != 1 {
			t.Fatalf("Peek: %v, %d reads", err, store.reads)
		}
		n, err := a.Revoke(t.Context(), row.filter)
		_, peeked := a.Peek(t.Context(), text, "wiki")
		if err != nil || (n == 1) != row.ends || errors.Is(peeked, sessions.ErrTokenOver) != row.ends || (store.reads == 2) != row.ends {
			t.Errorf("%+v: %d ended, %v; then %v after %d reads", row.filter, n, err, peeked, store.reads)
		}
	}
}

// Those that count are listed, and made by the clock that was given.
func TestAppTokensListed(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	store := &drawer{}
	a := &sessions.AppTokens{Store: store, Now: func() time.Time { return now }}
	long, _ := issue(t, a, 2*time.Hour)
	issue(t, a, time.Hour)
	gone, _ := issue(t, a, 2*time.Hour)
	if want := now.UTC().Truncate(time.Microsecond); long.Created != want {
		t.Errorf("made at %v, want %v", long.Created, want)
	}
	if _, err := a.Revoke(t.Context(), sessions.AppTokenFilter{ID: gone.ID}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		passes time.Duration
		want   int
	}{{time.Hour - time.Second, 2}, {time.Second, 1}, {time.Hour, 0}} {
		now = now.Add(row.passes)
		all, err := a.List(t.Context(), sessions.AppTokenFilter{})
		if err != nil || len(all) != row.want || len(all) > 0 && all[0].ID != long.ID {
			t.Errorf("List = %+v, %v; want %d", all, err, row.want)
		}
	}
}

// Of many uses at a time one is written, and whoever comes late sees it.
func TestAppTokensUsedAtOnce(t *testing.T) {
	store := &drawer{}
	a := &sessions.AppTokens{Store: store}
	_, text := issue(t, a, time.Hour)
	again := func() {
		if _, err := a.Verify(context.Background(), text, "wiki"); err != nil {
			t.Error(err)
		}
	}
	writes := 0
	store.before = func(call string) error {
		if call == "touch" {
			if writes++; writes == 1 {
				again()
			}
		}
		return nil
	}
	again()
	if writes != 1 {
		t.Errorf("%d writes while one was under way, want 1", writes)
	}

	late := &sessions.AppTokens{Store: store} // has nothing in memory
	a, store.before, store.touched, store.tokens[0].Seen = late, nil, 0, time.Time{}
	store.after = func(call string) {
		if call == "read" {
			store.after = nil
			again()
		}
	}
	again()
	if store.touched != 1 {
		t.Errorf("%d writes, one of them late, want 1", store.touched)
	}
}

// What is said of a last use, or of an end, that could not be written is told to
// whoever listens, and changes no answer; what the store has is looked up anew.
func TestAppTokensThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, listens := range []bool{true, false} {
			store := &drawer{}
			var told []error
			a := &sessions.AppTokens{Store: store}
			if listens {
				a.OnTouchError = func(err error) { told = append(told, err) }
			}
			wants := func(story string, text secret.Text, want error, many int) {
				t.Helper()
				if _, err := a.Verify(t.Context(), text, "wiki"); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", story, err, want)
				}
				if listens && len(told) != many {
					t.Errorf("%s: told %v, want %d", story, told, many)
				}
			}
			_, text := issue(t, a, time.Hour)
			time.Sleep(time.Hour)
			store.before = func(call string) error {
				if call == "end" {
					return errDown
				}
				return nil
			}
			wants("an end", text, sessions.ErrTokenOver, 1)
			store.before = nil
			wants("an end that is written", text, sessions.ErrTokenOver, 1)

			store.tokens = nil
			_, text = issue(t, a, time.Hour)
			store.before = func(call string) error {
				if call == "touch" { // written, and more, then lost
					store.tokens[0].Ended = time.Now()
					return errDown
				}
				return nil
			}
			wants("a last use", text, nil, 2)
			wants("what has come of it", text, sessions.ErrTokenOver, 2)

			store.tokens = nil
			time.Sleep(time.Minute)
			_, text = issue(t, a, time.Hour)
			store.before = nil
			store.after = func(call string) {
				if call == "read" {
					store.after = nil
					_, _ = a.Revoke(context.Background(), sessions.AppTokenFilter{App: "wiki"})
					store.before = func(call string) error {
						if call == "read" {
							return errDown
						}
						return nil
					}
				}
			}
			wants("ended while it was read, and the store goes down", text, sessions.ErrNoToken, 2)
		}
	})
}
