package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

var (
	//go:embed pages/*.html
	files embed.FS
	//go:embed pages/style.css
	style string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // G203: our own file
	}).ParseFS(files, "pages/*.html"))

	// The one style sheet, by its hash, and nothing else. There is no
	// form-action: browsers apply it to all redirects that follow a form, and a
	// sign-in goes on to the portal and from there to any app.
	contentSecurity = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-" + hash(style) + "'"
)

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// bar is what stands above every page of an app.
type bar struct {
	App, Portal string
	Path        string // of this page
	Visitor     visitor
}

// render writes the named page.
func render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name+".html", data); err != nil {
		http.Error(w, "this page cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurity)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // what fails here is the connection
}

// trouble writes the provider's page that says in a sentence what is wrong.
func trouble(w http.ResponseWriter, status int, sentence string) {
	render(w, status, "trouble", sentence)
}
