//go:build ignore

// An app behind the gateway that believes the signed assertion and nothing
// else, so that it does not matter who else can reach it:
//
//	go run docs/examples/app.go -portal https://auth.example.com -app https://wiki.example.com
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
)

// visitor is what the assertion says, besides the user id in its subject.
type visitor struct {
	Login  string   `json:"login"`
	Name   string   `json:"name"`
	Email  string   `json:"email"`
	Groups []string `json:"groups"`
}

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "where the gateway finds this app")
	portal := flag.String("portal", "https://auth.example.com", "the gateway's url")
	app := flag.String("app", "https://wiki.example.com", "this app's own scheme, host and port as browsers see them")
	flag.Parse()

	// Keys are fetched when they are first needed, and again when one is unknown.
	keys := oidc.NewRemoteKeySet(context.Background(), *portal+"/.well-known/jwks.json")
	// Signature, iss, aud and exp are checked.
	assertions := oidc.NewVerifier(*portal, keys, &oidc.Config{ClientID: *app, SupportedSigningAlgs: []string{oidc.ES256}})

	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		assertion, err := assertions.Verify(r.Context(), r.Header.Get("X-Gateway-Jwt-Assertion"))
		if err != nil {
			log.Print(err)
			http.Error(w, "come through the gateway", http.StatusUnauthorized)
			return
		}
		var who visitor
		if err := assertion.Claims(&who); err != nil {
			log.Print(err)
			http.Error(w, "come through the gateway", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "Hello %s, user %s, in the groups %v.\n", who.Login, assertion.Subject, who.Groups)
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
