package demo

import (
	"net/http"
	"strings"
)

// Wiki is an app with three kinds of pages: /public/ for everyone, /admin for
// few, and the rest for members. It asks nobody who they are; that is what the
// gateway in front of it is for.
type Wiki struct {
	Portal string // URL of the portal
}

// article is a page of the wiki.
type article struct {
	Title, Who, Text string
}

// ServeHTTP answers below /, /public/ and /admin; what else there is not, is 404.
func (a Wiki) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, page := http.StatusOK, find(r.URL.Path)
	if page.Title == "" {
		status, page = http.StatusNotFound, article{"No such page", "Members", "The wiki has no page of that name."}
	}
	render(w, status, "wiki", struct {
		bar
		article
	}{bar{"Wiki", a.Portal, r.URL.Path, visitorOf(r)}, page})
}

// find returns the article at the path, or one without a title.
func find(path string) article {
	switch {
	case path == "/":
		return article{
			"Members' page", "Members",
			"Whoever reads this has signed in: the policy lets members in here, and the wiki itself knows no password.",
		}
	case strings.HasPrefix(path, "/public/"):
		return article{
			"Public page", "Everyone",
			"Everyone may read this page. Who is signed in is greeted by name all the same.",
		}
	case path == "/admin" || strings.HasPrefix(path, "/admin/"):
		return article{
			"Administration", "Administrators",
			"Only administrators get here. Everybody else is refused before a request reaches the wiki.",
		}
	default:
		return article{}
	}
}
