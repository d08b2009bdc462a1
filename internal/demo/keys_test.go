package demo_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"slices"
)

// publishedKey returns the key of that id from the provider's JWKS.
func publishedKey(r rig, kid any) *ecdsa.PublicKey {
	r.Helper()
	keys, _ := body(r, r.get("/jwks", nil))["keys"].([]any)
	for _, k := range keys {
		key, _ := k.(map[string]any)
		if key["kid"] != kid {
			continue
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, decoded(r, key["x"]), decoded(r, key["y"])))
		if err != nil {
			r.Fatal(err)
		}
		return public
	}
	r.Fatalf("no key %v among %v", kid, keys)
	return nil
}

func decoded(r rig, value any) []byte {
	r.Helper()
	text, _ := value.(string)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		r.Fatal(err)
	}
	return raw
}
