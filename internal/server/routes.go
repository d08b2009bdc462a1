package server

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/canonical"
	"gateway/internal/returnto"
	"gateway/internal/server/pages"
)

// portalRoutes are those of the portal's host.
func (s *Server) portalRoutes() http.Handler {
	e := s.engine()
	e.Use(s.ownAnswer, s.plainPath, s.sameOrigin)
	e.GET("/", s.handle(s.home))
	e.GET("/.well-known/jwks.json", s.handle(s.jwks))

	g := e.Group("/.gateway")
	g.GET("/connect", s.handle(s.connectGet(s.atPortal)))
	g.POST("/connect", s.traced("connect", s.connect))
	g.POST("/login", s.traced("sign-in", s.login))
	g.POST("/logout", s.traced("sign-out", s.logout(s.atPortal)))
	g.PUT("/logout", s.handle(s.logout(s.atPortal)))
	g.GET("/sign-in", s.handle(s.signInPage))
	g.POST("/sign-in", s.traced("sign-in", s.switchUser))
	g.GET("/sign-out", s.handle(s.signOutPage(s.atPortal)))
	g.GET("/start/:origin", s.traced("start", s.start))
	g.GET("/callback/:origin", s.traced("callback", s.callback))
	g.GET("/enrol", s.handle(s.enrolPage))
	g.POST("/enrol", s.handle(s.enrol))
	g.GET("/reset", s.handle(s.choosePage(accounts.Reset)))
	g.POST("/reset", s.handle(s.choose(accounts.Reset)))
	g.GET("/wait", s.handle(s.waitPage))
	g.GET("/authorize", s.traced("authorize", s.authorize))
	g.GET("/assets/:name", s.handle(s.asset))
	return e
}

// appRoutes are ours of every app host, below /.gateway/.
func (s *Server) appRoutes() http.Handler {
	e := s.engine()
	e.Use(s.ownAnswer)
	e.Any("/.gateway/refuse", s.plainPath, s.handle(s.refusePage)) // of requests from anywhere
	g := e.Group("/.gateway", s.plainPath, s.sameOrigin)
	g.GET("/connect", s.handle(s.connectGet(s.atApp)))
	g.POST("/connect", s.handle(s.connectApp))
	g.POST("/logout", s.traced("sign-out", s.logout(s.atApp)))
	g.PUT("/logout", s.handle(s.logout(s.atApp)))
	g.GET("/sign-in", s.handle(s.appSignIn))
	g.GET("/sign-out", s.handle(s.signOutPage(s.atApp)))
	g.GET("/guest", s.handle(s.guestPage))
	g.POST("/guest", s.handle(s.guestEnters))
	g.GET("/handoff", s.traced("handoff", s.handoff))
	g.GET("/assets/:name", s.handle(s.asset))
	e.NoRoute(s.handle(func(c *gin.Context) error { return s.serveApp(c.Writer, c.Request) })) // which says why it is no app's
	return e
}

func (s *Server) ownAnswer(c *gin.Context) { s.own(c.Writer.Header()) }

// plainPath refuses our own paths in any other spelling than their own: a
// proxy in front sends us what begins with /.gateway/ to the letter. Queries
// may be longer than an app's, and whoever reads one judges it.
func (s *Server) plainPath(c *gin.Context) {
	path, _, _ := strings.Cut(c.Request.RequestURI, "?")
	target, err := canonical.ParseTarget(path)
	if err == nil && path != target.Raw {
		err = errNoPage
	}
	if err != nil {
		s.fail(c.Writer, c.Request, err)
		c.Abort()
	}
}

// sameOrigin refuses unsafe requests from other origins, siblings included, by
// Fetch Metadata and Origin.
func (s *Server) sameOrigin(c *gin.Context) {
	var protection http.CrossOriginProtection
	if err := protection.Check(c.Request); err != nil {
		s.fail(c.Writer, c.Request, errCrossSite)
		c.Abort()
	}
}

// home shows a person their apps, or the sign-in.
func (s *Server) home(c *gin.Context) error {
	v, err := s.portalVisitor(c.Request)
	if err != nil {
		return err
	}
	if v.who == nil {
		s.showSignIn(c, v, returnto.Address{})
		return nil
	}
	page := pages.Apps{Name: v.who.Name, Login: v.who.Login}
	for _, app := range s.Apps {
		for _, pattern := range app.Hosts {
			host, err := canonical.ParseHost(pattern)
			if err != nil || !s.mayOpen(v, c.Request, host) { // a wildcard is no place to go to
				continue
			}
			page.Apps = append(page.Apps, pages.App{Name: app.Name, Host: pattern, URL: s.Site.Origin(host) + "/"})
		}
	}
	slices.SortFunc(page.Apps, func(a, b pages.App) int { return strings.Compare(a.Name+a.Host, b.Name+b.Host) })
	s.page(c.Writer, http.StatusOK, page)
	return nil
}

// jwks publishes the keys of assertions, and of nothing else.
func (s *Server) jwks(c *gin.Context) error {
	c.Writer.Header().Set("Cache-Control", "public, max-age=300")
	c.Writer.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = c.Writer.Write(s.Asserter.Signer.JWKS())
	return nil
}

func (s *Server) asset(c *gin.Context) error {
	content, kind, ok := pages.Asset(c.Param("name"))
	if !ok {
		return errNoPage
	}
	h := c.Writer.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", kind)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = c.Writer.Write(content)
	return nil
}

// connectApp is who-am-I on an app host: passwords are taken at the portal only.
func (s *Server) connectApp(c *gin.Context) error {
	var nothing struct{}
	if err := readJSON(c.Request, &nothing); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return s.connectGet(s.atApp)(c)
}
