package pages_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gateway/internal/server/pages"
)

var (
	assetURL = regexp.MustCompile(regexp.QuoteMeta(pages.AssetPath) + `([a-z-]+\.[0-9a-f]{16}\.[a-z]+)`)
	imported = regexp.MustCompile(`from "\./([^"]+)"`)
)

// needs returns every asset that a page makes a browser load.
func needs(t *testing.T, page string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	var load func(name string)
	load = func(name string) {
		content, contentType, ok := pages.Asset(name)
		if !ok {
			t.Fatalf("Asset(%q): not there", name)
		}
		if contentType == "" {
			t.Errorf("Asset(%q) has no type", name)
		}
		found[name] = content
		for _, m := range imported.FindAllStringSubmatch(string(content), -1) {
			load(m[1])
		}
	}
	for _, m := range assetURL.FindAllStringSubmatch(page, -1) {
		load(m[1])
	}
	return found
}

func TestPagesAreSmall(t *testing.T) {
	for _, s := range samples {
		page := render(t, s.value)
		size := len(page)
		for _, content := range needs(t, page) {
			size += len(content)
		}
		if size > 60_000 {
			t.Errorf("%s needs %d bytes with its assets, want less than 60,000", s.name, size)
		}
	}
}

func TestAssetTypes(t *testing.T) {
	page := render(t, pages.SignIn{Local: true}) + render(t, pages.Failure{At: noon})
	var files []string
	for name := range needs(t, page) {
		_, got, _ := pages.Asset(name)
		file := hash.ReplaceAllString(name, "$1")
		files = append(files, file)
		want := map[string]string{"css": "text/css; charset=utf-8", "mjs": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}[file[strings.LastIndexByte(file, '.')+1:]]
		if got != want {
			t.Errorf("Asset(%q) is %q, want %q", name, got, want)
		}
	}
	slices.Sort(files)
	if want := []string{"conversation.mjs", "form.mjs", "gateway.css", "mark.svg", "scram.mjs", "sign-in.mjs", "times.mjs"}; !slices.Equal(files, want) {
		t.Errorf("assets = %v, want %v", files, want)
	}
}

func TestOnlyHashedNamesAreServed(t *testing.T) {
	for _, name := range []string{"", "gateway.css", "gateway.0000000000000000.css", "../pages.go", "scram.mjs", "assets/scram.mjs", "/"} {
		if _, _, ok := pages.Asset(name); ok {
			t.Errorf("Asset(%q) is there", name)
		}
	}
}

// TestAssetsKeepToThePolicy looks for what the content policy would block, or
// should never be needed.
func TestAssetsKeepToThePolicy(t *testing.T) {
	page := render(t, pages.SignIn{Local: true}) + render(t, pages.Failure{At: noon})
	for name, content := range needs(t, page) {
		for _, never := range []string{
			"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setTimeout(\"", "location.href", "location.assign", "location.replace",
			"location =", "location.search", "URLSearchParams", "localStorage", "sessionStorage", "document.cookie", "console.", "@import", "http://", "https://", "url(", "<style", "<script", "style=",
		} {
			text := strings.ReplaceAll(string(content), `xmlns="http://www.w3.org/2000/svg"`, "")
			if strings.Contains(text, never) {
				t.Errorf("%s has %q", name, never)
			}
		}
	}
}

func TestStyleSheetIsSmall(t *testing.T) {
	css, err := os.ReadFile("assets/gateway.css")
	if err != nil {
		t.Fatal(err)
	}
	if len(css) >= 10_000 {
		t.Errorf("gateway.css has %d bytes, want less than 10,000", len(css))
	}
}
