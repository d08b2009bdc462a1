package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// part decodes one part of a JWT (RFC 7519).
func part(h *house, text string) map[string]any {
	h.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	h.must(err)
	var all map[string]any
	h.must(json.Unmarshal(raw, &all))
	return all
}

// header returns the header of a JWT.
func header(h *house, token string) map[string]any {
	h.Helper()
	first, _, _ := strings.Cut(token, ".")
	return part(h, first)
}

// verified returns the claims of an assertion whose ES256 signature holds
// against the published keys, as an app would.
func verified(h *house, keys, token string) map[string]any {
	h.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		h.Fatalf("%q is no JWT", token)
	}
	head := header(h, token)
	if head["alg"] != "ES256" || head["typ"] != "gateway-assertion+jwt" {
		h.Errorf("header %v", head)
	}
	var set struct {
		Keys []struct{ Kid, X, Y string }
	}
	h.must(json.Unmarshal([]byte(keys), &set))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	h.must(err)
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		h.must(err)
		y, err := base64.RawURLEncoding.DecodeString(k.Y)
		h.must(err)
		point := slices.Concat([]byte{4}, x, y)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		h.must(err)
		if k.Kid == head["kid"] && len(signature) == 64 && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return part(h, parts[1])
		}
	}
	h.Fatalf("no published key has signed %v", head)
	return nil
}
