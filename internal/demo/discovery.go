package demo

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
)

// metadata is what the provider says of itself (OpenID Connect Discovery 1.0,
// section 3; RFC 9207, section 3).
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgs           []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	Claims                []string `json:"claims_supported"`
	NamesItself           bool     `json:"authorization_response_iss_parameter_supported"`
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, metadata{
		Issuer:                p.issuer,
		AuthorizationEndpoint: p.issuer + "/authorize",
		TokenEndpoint:         p.issuer + "/token",
		UserinfoEndpoint:      p.issuer + "/userinfo",
		EndSessionEndpoint:    p.issuer + "/end-session",
		JWKSURI:               p.issuer + "/jwks",
		Scopes:                []string{"openid", "profile", "email", "groups"},
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		GrantTypes:            []string{"authorization_code"},
		SubjectTypes:          []string{"public"},
		SigningAlgs:           []string{"ES256"},
		AuthMethods:           []string{"client_secret_basic", "client_secret_post"},
		ChallengeMethods:      []string{"S256"},
		Claims: []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash",
			"name", "preferred_username", "email", "email_verified", "groups",
		},
		NamesItself: true,
	})
}

// webKey is a public key on P-256 (RFC 7517; RFC 7518, section 6.2.1).
type webKey struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	ID    string `json:"kid"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	point, err := p.key.PublicKey.Bytes() // 4, then both coordinates
	if err != nil {
		answer(w, http.StatusInternalServerError, refusal{Code: "server_error"})
		return
	}
	half := len(point) / 2
	encode := base64.RawURLEncoding.EncodeToString
	answer(w, http.StatusOK, map[string][]webKey{"keys": {{
		Type: "EC", Curve: "P-256", Use: "sig", Alg: "ES256", ID: p.kid,
		X: encode(point[1 : 1+half]), Y: encode(point[1+half:]),
	}}})
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // what fails here is the connection
}
