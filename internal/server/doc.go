// Package server is the front: the only room that speaks HTTP to browsers,
// front proxies and the command line. It reads requests into values, asks the
// rooms, and answers; it decides nothing itself. Errors become answers in one
// place (errors.go), allow is said in one place (verdict.allowed).
//
// Routes of the portal's host:
//
//	GET  /                              the person's apps, or the sign-in
//	GET  /.well-known/jwks.json         public keys of assertions
//	GET  /.gateway/connect              who am I
//	POST /.gateway/connect              who am I, or a challenge
//	POST /.gateway/login                Local or Foreign
//	POST, PUT /.gateway/logout          ends the session everywhere
//	GET  /.gateway/sign-in?rd=          the chooser and the password form
//	POST /.gateway/sign-in              yes to a sign-in that changes who is signed in
//	GET  /.gateway/sign-out             asks, then posts to logout
//	GET  /.gateway/start/{origin}?rd=   begins the authorization code flow
//	GET  /.gateway/callback/{origin}    finishes it
//	GET  /.gateway/enrol?code=          opens an invitation, and uses nothing up
//	POST /.gateway/enrol                goes on to the provider, or sets the first password
//	GET  /.gateway/reset?code=          opens a link to choose another password
//	POST /.gateway/reset                sets it, and ends the person's sessions
//	GET  /.gateway/wait                 whether somebody who waits has been approved
//	GET  /.gateway/authorize?req=       an app host asks for its hand-off
//	GET  /.gateway/assets/{name}        hashed, cacheable
//
// Routes of every app host:
//
//	GET, POST /.gateway/connect         who am I
//	POST, PUT /.gateway/logout          ends the session everywhere
//	GET  /.gateway/sign-in?rd=          begins the hand-off
//	GET  /.gateway/sign-out             asks, then posts to logout
//	GET  /.gateway/handoff?code=        finishes it
//	GET  /.gateway/guest?code=          opens a guest link, and uses nothing up
//	POST /.gateway/guest                lets the guest in
//	ANY  /.gateway/refuse               what a front proxy shows when its check said no
//	GET  /.gateway/assets/{name}        hashed, cacheable
//	ANY  everything else                the app, by the own reverse proxy
//
// Routes for front proxies, on a listener of their own:
//
//	ANY  /.gateway/authz/forward-auth   Traefik, Caddy
//	ANY  /.gateway/authz/auth-request   nginx, HAProxy
//	ANY  /.gateway/authz/ext-authz/...  Envoy, for the path behind it
//
// A listener that speaks plain HTTP where the site is https: GET everything, to
// https on the same host.
//
// Routes for operators, on a listener of their own: GET /healthz, GET
// /readyz, GET /metrics.
// Routes for the command line, on a unix socket: admin.go.
package server
