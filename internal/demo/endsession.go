package demo

import (
	"net/http"
	"net/url"

	"github.com/golang-jwt/jwt/v5"
)

// endSession leads back to the client after a logout (OpenID Connect
// RP-Initiated Logout 1.0, section 3). The provider keeps nobody signed in, so
// there is nothing to end.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		trouble(w, http.StatusBadRequest, "This form cannot be read.")
		return
	}
	to := r.Form.Get("post_logout_redirect_uri")
	if to == "" {
		render(w, http.StatusOK, "ended", nil)
		return
	}
	if !p.fromClient(r.Form) || to != p.client.LogoutURI {
		trouble(w, http.StatusBadRequest, "You are signed out. The app that sent you here wants you back at an address that is not its own.")
		return
	}
	p.redirect(w, r, to, url.Values{"state": {r.Form.Get("state")}})
}

// fromClient reports whether the request names our client: by an ID token that
// it was given, however old, or by its id. Our key signs for no other client.
func (p *Provider) fromClient(values url.Values) bool {
	hint := values.Get("id_token_hint")
	if hint == "" {
		return values.Get("client_id") == p.client.ID
	}
	_, err := jwt.Parse(hint, func(*jwt.Token) (any, error) { return &p.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation())
	return err == nil && (!values.Has("client_id") || values.Get("client_id") == p.client.ID)
}
