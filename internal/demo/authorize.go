package demo

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// refusal is an error as the protocol names it (RFC 6749, sections 4.1.2.1 and 5.2).
type refusal struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// ask is what an authorization request asks for (OpenID Connect Core 1.0,
// section 3.1.2.1), as far as the answer depends on it.
type ask struct{ state, nonce, challenge string }

// authorize shows the people to choose from.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	if !p.ours(w, values) {
		return
	}
	if _, no := parseAsk(values); no != nil {
		p.back(w, r, values, no)
		return
	}
	render(w, http.StatusOK, "authorize", chooser{p.base + "/authorize", p.issuer, p.client.ID, p.people, fields(values)})
}

// choose sends the browser back with a code for the chosen person.
func (p *Provider) choose(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		trouble(w, http.StatusForbidden, "This choice came from another site, so it does not count.")
		return
	}
	if err := r.ParseForm(); err != nil {
		trouble(w, http.StatusBadRequest, "This form cannot be read.")
		return
	}
	values := r.PostForm
	if !p.ours(w, values) {
		return
	}
	asked, no := parseAsk(values)
	if no != nil {
		p.back(w, r, values, no)
		return
	}
	person, ok := p.person(values.Get("person"))
	if !ok {
		p.back(w, r, values, &refusal{"access_denied", "nobody was chosen"})
		return
	}
	now := p.now()
	code := p.codes.put(grant{ask: asked, person: person, at: now}, now, now.Add(codeLifetime))
	p.redirect(w, r, p.client.RedirectURI, url.Values{"code": {code}, "state": {asked.state}, "iss": {p.issuer}})
}

// ours reports whether the request is our client's and may be answered by a
// redirect. If not, it has shown a page that says so: an answer to an address
// we do not know would be an open redirect (RFC 9700, section 4.11).
func (p *Provider) ours(w http.ResponseWriter, values url.Values) bool {
	switch {
	case !slices.Equal(values["client_id"], []string{p.client.ID}):
		trouble(w, http.StatusBadRequest, "An app that this provider does not know sent you here.")
	case !slices.Equal(values["redirect_uri"], []string{p.client.RedirectURI}):
		trouble(w, http.StatusBadRequest, "The app that sent you here wants you back at an address that is not its own.")
	default:
		return true
	}
	return false
}

// back answers no by a redirect to the client.
func (p *Provider) back(w http.ResponseWriter, r *http.Request, asked url.Values, no *refusal) {
	answer := url.Values{"error": {no.Code}, "error_description": {no.Description}, "iss": {p.issuer}}
	if state := asked["state"]; len(state) == 1 {
		answer.Set("state", state[0])
	}
	p.redirect(w, r, p.client.RedirectURI, answer)
}

// redirect sends the browser to an address of the client's with more in its query.
func (p *Provider) redirect(w http.ResponseWriter, r *http.Request, to string, more url.Values) {
	u, err := url.Parse(to)
	if err != nil {
		trouble(w, http.StatusInternalServerError, "The app's address is no URL.")
		return
	}
	query := u.Query()
	for name, values := range more {
		if values[0] != "" {
			query.Set(name, values[0])
		}
	}
	u.RawQuery = query.Encode()
	http.Redirect(w, r, u.String(), http.StatusSeeOther) //nolint:gosec // G710: to is the client's own address
}

func parseAsk(values url.Values) (ask, *refusal) {
	for name, all := range values {
		if len(all) > 1 {
			return ask{}, &refusal{"invalid_request", name + " is there twice"}
		}
	}
	asked := ask{values.Get("state"), values.Get("nonce"), values.Get("code_challenge")}
	mode := values.Get("response_mode")
	switch {
	case values.Has("request"):
		return ask{}, &refusal{Code: "request_not_supported"}
	case values.Has("request_uri"):
		return ask{}, &refusal{Code: "request_uri_not_supported"}
	case values.Get("response_type") != "code":
		return ask{}, &refusal{"unsupported_response_type", "response_type must be code"}
	case mode != "" && mode != "query":
		return ask{}, &refusal{"invalid_request", "response_mode must be query"}
	case !slices.Contains(strings.Fields(values.Get("scope")), "openid"):
		return ask{}, &refusal{"invalid_scope", "scope must contain openid"}
	case values.Get("code_challenge_method") != "S256" || len(asked.challenge) != challengeLength:
		return ask{}, &refusal{"invalid_request", "PKCE with S256 is required"}
	case slices.Contains(strings.Fields(values.Get("prompt")), "none"):
		return ask{}, &refusal{"login_required", "this provider always asks"}
	}
	return asked, nil
}

// chooser is what the authorize page shows.
type chooser struct {
	Action, Issuer, Client string
	People                 []Person
	Fields                 []field
}

type field struct{ Name, Value string }

// fields returns the request for the form to send again, in a stable order.
func fields(values url.Values) []field {
	var all []field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name != "person" {
			all = append(all, field{name, values.Get(name)})
		}
	}
	return all
}
