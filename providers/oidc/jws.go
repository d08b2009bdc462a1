package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxToken bounds a token in bytes.
const maxToken = 16 << 10

// errToken says that a text is no token we would look at.
var errToken = errors.New("not a sound token")

// token is a compact JWS (RFC 7515, section 7.1) that has been taken apart but
// not verified.
type token struct {
	alg, typ string
	claims   object
}

// strict has one spelling for each text, but for line breaks: those are
// refused before.
var strict = base64.RawURLEncoding.Strict()

// addresses and keys in a header, and what changes how it is read, are the
// sender's word (RFC 8725, sections 3.1 and 3.10).
var refusedHeaders = []string{"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c"}

// parseToken takes a token apart: three parts in strict base64url, a header
// and claims that are sound JSON objects, one of the algorithms.
func parseToken(raw string, algorithms []string) (token, error) {
	if raw == "" || len(raw) > maxToken {
		return token{}, fmt.Errorf("%w: empty or longer than %d bytes", errToken, maxToken)
	}
	if strings.Count(raw, ".") != 2 {
		return token{}, fmt.Errorf("%w: not three parts", errToken)
	}
	if strings.ContainsAny(raw, "\r\n") { // encoding/base64 would skip them
		return token{}, fmt.Errorf("%w: line break", errToken)
	}
	var parts [3][]byte
	for i, part := range strings.Split(raw, ".") {
		decoded, err := strict.DecodeString(part)
		if err != nil || len(decoded) == 0 {
			return token{}, fmt.Errorf("%w: part %d is no base64url", errToken, i+1)
		}
		parts[i] = decoded
	}
	header, err := parseObject(parts[0])
	if err != nil {
		return token{}, fmt.Errorf("%w: header: %w", errToken, err)
	}
	t, err := parseHeader(header, algorithms)
	if err != nil {
		return token{}, fmt.Errorf("%w: header: %w", errToken, err)
	}
	if t.claims, err = parseObject(parts[1]); err != nil {
		return token{}, fmt.Errorf("%w: claims: %w", errToken, err)
	}
	return t, nil
}

func parseHeader(h object, algorithms []string) (token, error) {
	var t token
	for _, name := range refusedHeaders {
		if _, ok := h[name]; ok {
			return t, errors.New(name + " is not taken")
		}
	}
	alg, ok := h.text("alg")
	if !ok || !slices.Contains(algorithms, alg) {
		return t, errors.New("algorithm not allowed")
	}
	if _, ok := h["kid"]; ok {
		if kid, ok := h.text("kid"); !ok || kid == "" || len(kid) > maxKeyID {
			return t, errors.New("bad kid")
		}
	}
	var typ string
	if _, ok := h["typ"]; ok {
		if typ, ok = h.text("typ"); !ok {
			return t, errors.New("bad typ")
		}
	}
	// RFC 7515, section 4.1.9: case does not count and application/ may be left out.
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return token{alg: alg, typ: typ}, nil
}
