package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

var (
	chromium     context.Context
	chromiumOnce sync.Once
)

// tab is one tab of a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browser opens a fresh profile with one tab: no cookie is shared with any
// other test.
func browser(t *testing.T) *tab {
	t.Helper()
	need(t, "chromium")
	pin := vouches(t).pin
	chromiumOnce.Do(func() {
		allocator, _ := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath("/usr/bin/chromium"), chromedp.Headless, chromedp.NoSandbox,
			chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true),
			chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
			chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.Flag("ignore-certificate-errors-spki-list", pin))
		chromium, _ = chromedp.NewContext(allocator)
		if err := chromedp.Do(chromium); err != nil {
			t.Fatalf("start chromium: %v", err)
		}
	})
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	return attach(ctx, t)
}

// another opens one more tab of the same profile.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	return attach(ctx, b.t)
}

// attach opens the tab of a context. The tab lives as long as this very
// context, so no deadline may be put on it here.
func attach(ctx context.Context, t *testing.T) *tab {
	t.Helper()
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return &tab{t, ctx}
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail("%s: %v", what, err)
	}
}

// open goes to an address.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// await waits until a JavaScript expression is true on the page that is there
// then, over whatever navigations happen in between.
func (b *tab) await(what, expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			b.fail("never happened at %s: %s (%v)", b.address(), what, err)
		}
	}
}

// awaitAddress waits until the tab is at an address that begins so.
func (b *tab) awaitAddress(prefix string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !strings.HasPrefix(b.address(), prefix); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.fail("never came to %s, is at %s", prefix, b.address())
		}
	}
	b.await("page loaded", `document.readyState === "complete"`)
}

func (b *tab) address() string {
	address, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return "nowhere: " + err.Error()
	}
	return address
}

// cookie returns a cookie that the browser has for an address.
func (b *tab) cookie(address, name string) *network.Cookie {
	b.t.Helper()
	has, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
	if err != nil {
		b.fail("read cookies: %v", err)
	}
	for _, c := range has.Cookies {
		if c.Name == name {
			return c
		}
	}
	b.fail("no cookie %s for %s: %v", name, address, has.Cookies)
	return nil
}

// text returns what the page says.
func (b *tab) text() string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		b.fail("read page: %v", err)
	}
	return text
}

// click clicks what a CSS selector finds, as a person would.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// enter types into a field.
func (b *tab) enter(selector, value string) {
	b.t.Helper()
	b.do("type into "+selector, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), value))
}

// signIn fills in the portal's password form.
func (b *tab) signIn(user, password string) {
	b.t.Helper()
	b.enter(`input[autocomplete="username"]`, user)
	b.enter(`input[autocomplete="current-password"]`, password)
	b.click(`form button[type="submit"]`)
}

// fail ends the test with a picture of what the browser showed.
func (b *tab) fail(format string, args ...any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		name := filepath.Join("testdata", "screenshots", strings.ReplaceAll(b.t.Name(), "/", "_")+".png")
		if os.MkdirAll(filepath.Dir(name), 0o755) == nil && os.WriteFile(name, picture, 0o644) == nil {
			b.t.Logf("screenshot: e2e/%s", name)
		}
	}
	b.t.Fatalf(format, args...)
}
