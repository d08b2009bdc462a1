package sessions_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/secret"
	"gateway/sessions"
)

var (
	mine   = [32]byte{1} // the nonce of the browser that began
	theirs = [32]byte{2}
)

func TestHandoff(t *testing.T) {
	for _, row := range []struct {
		what     string
		audience string
		nonce    [32]byte
		after    time.Duration
		bend     func(code string) string
		want     error
	}{
		{"the browser that began", wiki, mine, 0, nil, nil},
		{"just in time", wiki, mine, 59 * time.Second, nil, nil},
		{"too late", wiki, mine, 60 * time.Second, nil, sessions.ErrNoCode},
		{"another app", mail, mine, 0, nil, sessions.ErrNoCode},
		{"the portal", portal, mine, 0, nil, sessions.ErrNoCode},
		{"no app", "", mine, 0, nil, sessions.ErrNoCode},
		{"another browser", wiki, theirs, 0, nil, sessions.ErrNoCode},
		{"no nonce", wiki, [32]byte{}, 0, nil, sessions.ErrNoCode},
		{"flipped bit", wiki, mine, 0, func(c string) string { return c[:len(c)-1] + string(c[len(c)-1]^1) }, sessions.ErrNoCode},
		{"another flow", wiki, mine, 0, func(c string) string { return "other" + c[len("flow1"):] }, sessions.ErrNoCode},
		{"no flow", wiki, mine, 0, func(c string) string { return c[len("flow1"):] }, sessions.ErrNoCode},
		{"flow alone", wiki, mine, 0, func(string) string { return "flow1." }, sessions.ErrNoCode},
		{"secret alone", wiki, mine, 0, func(c string) string { return c[len("flow1."):] }, sessions.ErrNoCode},
		{"cut", wiki, mine, 0, func(c string) string { return c[:len(c)-1] }, sessions.ErrNoCode},
		{"longer", wiki, mine, 0, func(c string) string { return c + "A" }, sessions.ErrNoCode},
		{"newline", wiki, mine, 0, func(c string) string { return c + "\n" }, sessions.ErrNoCode},
		{"lower case", wiki, mine, 0, strings.ToLower, sessions.ErrNoCode},
		{"nothing", wiki, mine, 0, func(string) string { return "" }, sessions.ErrNoCode},
		{"a megabyte", wiki, mine, 0, func(string) string { return "f." + strings.Repeat("A", 1<<20) }, sessions.ErrNoCode},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				root, _ := h.signIn(t)
				code, err := h.Grant(t.Context(), root.ID, wiki, "flow1", mine, "/page?x=y")
				if err != nil {
					t.Fatal(err)
				}
				if flow, ok := sessions.Flow(code); flow != "flow1" || !ok {
					t.Errorf("Flow = %q, %v; want flow1", flow, ok)
				}
				time.Sleep(row.after)
				sent := code
				if row.bend != nil {
					sent = secret.New(row.bend(code.Reveal()))
				}
				s, token, target, err := h.Redeem(t.Context(), sent, row.audience, row.nonce)
				if !errors.Is(err, row.want) {
					t.Fatalf("Redeem: %v, want %v", err, row.want)
				}
				if row.want == nil {
					if target != "/page?x=y" || s.Parent != root.ID || s.Audience != wiki {
						t.Errorf("Redeem = %+v, %q", s, target)
					}
					h.verify(t, token, wiki, s.ID, nil)
					_, _, _, err = h.Redeem(t.Context(), code, wiki, mine)
					if !errors.Is(err, sessions.ErrNoCode) {
						t.Errorf("a second time: %v, want ErrNoCode", err)
					}
					return
				}
				if len(h.store.sessions) != 1 || !token.Empty() {
					t.Errorf("a child for nothing: %v", h.store.sessions)
				}
				if row.after == 0 { // who it was made for is not disturbed
					if _, _, _, err := h.Redeem(t.Context(), code, wiki, mine); err != nil {
						t.Errorf("afterwards, the browser that began: %v", err)
					}
				}
			})
		})
	}
}

func TestRedeemOnce(t *testing.T) {
	h := newHouse(t)
	h.Store = sessions.Cached(h.store, 0)
	root, _ := h.signIn(t)
	code, err := h.Grant(t.Context(), root.ID, wiki, "flow", mine, "/")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var won atomic.Int32
	for range 50 {
		all.Go(func() {
			switch _, _, _, err := h.Redeem(t.Context(), code, wiki, mine); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, sessions.ErrNoCode):
				t.Errorf("got %v, want ErrNoCode", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || len(h.store.sessions) != 2 {
		t.Errorf("%d of 50 succeeded, %d sessions; want 1 and 2", won.Load(), len(h.store.sessions))
	}
}

// The portal session ends between Grant and Redeem.
func TestRedeemAfterEnd(t *testing.T) {
	h := newHouse(t)
	root, _ := h.signIn(t)
	code, err := h.Grant(t.Context(), root.ID, wiki, "flow", mine, "/")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Revoke(t.Context(), root.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := h.Redeem(t.Context(), code, wiki, mine); !errors.Is(err, sessions.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
	if len(h.store.sessions) != 0 || len(h.store.codes) != 0 {
		t.Errorf("left over: %v, %v", h.store.sessions, h.store.codes)
	}
}

func TestGrantRefuses(t *testing.T) {
	h := newHouse(t)
	root, _ := h.signIn(t)
	child, _ := h.enter(t, root, mail)
	for _, row := range []struct {
		what, parent, audience, flow string
		nonce                        [32]byte
		target                       string
		none                         bool
	}{
		{"unknown parent", "nosuch", wiki, "f", mine, "/", true},
		{"no parent", "", wiki, "f", mine, "/", true},
		{"a child's", child.ID, wiki, "f", mine, "/", true},
		{"for the portal", root.ID, portal, "f", mine, "/", false},
		{"for nobody", root.ID, "", "f", mine, "/", false},
		{"no flow", root.ID, wiki, "", mine, "/", false},
		{"a flow with a stop", root.ID, wiki, "f.g", mine, "/", false},
		{"no nonce", root.ID, wiki, "f", [32]byte{}, "/", false},
		{"a long target", root.ID, wiki, "f", mine, strings.Repeat("/", 8<<10+1), false},
	} {
		code, err := h.Grant(t.Context(), row.parent, row.audience, row.flow, row.nonce, row.target)
		if err == nil || errors.Is(err, sessions.ErrNone) != row.none || !code.Empty() {
			t.Errorf("%s: Grant: %v", row.what, err)
		}
	}
	if len(h.store.codes) != 0 {
		t.Errorf("%d codes stored", len(h.store.codes))
	}
}

// Codes are of one form; targets may be as long as any.
func TestFlow(t *testing.T) {
	h := newHouse(t)
	root, _ := h.signIn(t)
	code, err := h.Grant(t.Context(), root.ID, wiki, "FLOW", mine, strings.Repeat("/", 8<<10))
	if err != nil {
		t.Fatal(err)
	}
	if flow, ok := sessions.Flow(code); !ok || flow != "FLOW" {
		t.Errorf("Flow = %q, %v, want FLOW", flow, ok)
	}
	for _, text := range []string{"", ".", "FLOW", "FLOW.", ".SECRET", "FLOW.SECRET.", "FL OW.SECRET", "FLOW.SECRET\n", "FLOW." + strings.Repeat("A", 300)} {
		if flow, ok := sessions.Flow(secret.New(text)); ok || flow != "" {
			t.Errorf("Flow(%.40q) = %q, %v, want none", text, flow, ok)
		}
	}
	h.store.before = func(call string) error {
		if call == "put code" {
			return errDown
		}
		return nil
	}
	if code, err := h.Grant(t.Context(), root.ID, wiki, "FLOW", mine, "/"); !errors.Is(err, errDown) || !code.Empty() {
		t.Errorf("Grant with the store down = %v, want %v and no code", err, errDown)
	}
}

// A store that answers with another's code is not believed.
func TestRedeemRecordDisagrees(t *testing.T) {
	for what, bend := range map[string]func(*sessions.Code){
		"flow":     func(c *sessions.Code) { c.Flow = "other" },
		"audience": func(c *sessions.Code) { c.Audience = mail },
		"nonce":    func(c *sessions.Code) { c.Nonce = theirs },
		"expired":  func(c *sessions.Code) { c.Expires = time.Now().Add(-time.Second) },
		"zero":     func(c *sessions.Code) { *c = sessions.Code{} },
	} {
		h := newHouse(t)
		root, _ := h.signIn(t)
		code, err := h.Grant(t.Context(), root.ID, wiki, "flow", mine, "/")
		if err != nil {
			t.Fatal(err)
		}
		h.Codes = liar{h.store, bend}
		if _, _, _, err := h.Redeem(t.Context(), code, wiki, mine); !errors.Is(err, sessions.ErrNoCode) {
			t.Errorf("%s: got %v, want ErrNoCode", what, err)
		}
	}
}

// liar bends the codes that it returns.
type liar struct {
	*memory

	bend func(*sessions.Code)
}

func (l liar) TakeCode(ctx context.Context, hash [32]byte, audience string, nonce [32]byte, now time.Time) (sessions.Code, error) {
	c, err := l.memory.TakeCode(ctx, hash, audience, nonce, now)
	l.bend(&c)
	return c, err
}
