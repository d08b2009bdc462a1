package server

import (
	"errors"
	"net/http"

	"gateway/internal/accounts"
	"gateway/internal/canonical"
	"gateway/internal/proxy"
	"gateway/internal/strictjson"
	"gateway/localauth"
	"gateway/providers"
	"gateway/sessions"
)

// Refusals of the front itself.
var (
	errMethod      = errors.New("method not allowed here")
	errNoPage      = errors.New("no such page")
	errBad         = errors.New("bad request")
	errMediaType   = errors.New("not application/json")
	errCrossSite   = errors.New("unsafe request from another site")
	errTwoTokens   = errors.New("more than one session token")
	errSignedIn    = errors.New("somebody else is signed in")
	errHost        = errors.New("no such host")
	errPeer        = errors.New("peer is not a trusted proxy")
	errSession     = errors.New("not a session of this site")
	errEnded       = errors.New("session ended")
	errUnavailable = errors.New("cannot tell")
	errNoUpstream  = errors.New("app has no upstream")
	errUpstream    = errors.New("upstream does not answer")
	errFlow        = errors.New("sign-in could not be finished")
	errForbidden   = errors.New("policy does not allow it")
)

// answer is what a stranger gets to see of an error: product.md's word, the
// status, and a sentence that says what to do next.
type answer struct {
	is     error
	status int
	code   string
	detail string
}

// answers is searched in order; the first that errors.Is decides. What is not
// here is 503 Unavailable: cannot tell is never yes, nor a lie about whose
// fault it is.
var answers = []answer{
	{localauth.ErrBadCredentials, http.StatusUnauthorized, "BadUserOrPassword", "The user name or the password is wrong."},
	{localauth.ErrNoChallenge, http.StatusUnauthorized, "ChallengeNotFoundOrExpired", "The challenge is unknown, used or too old. Connect again."},
	{localauth.ErrMalformed, http.StatusBadRequest, "BadRequest", "This is not a SCRAM-SHA-256 message as RFC 5802 has it."},
	{accounts.ErrNoGuest, http.StatusNotFound, "BadRequest", "This link was used already, is too old or was ended. Ask for another one."},
	{accounts.ErrNoInvitation, http.StatusNotFound, "BadRequest", "This link was used already, is too old or was withdrawn. Ask for another one."},
	{accounts.ErrOtherEmail, http.StatusForbidden, "UserNotRegistered", "The invitation is for another e-mail address, or your provider has not verified yours. Sign in with the account that was invited."},
	{accounts.ErrFull, http.StatusForbidden, "UserNotRegistered", "You are not registered here, and too many people wait to be let in already. Ask an administrator."},
	{accounts.ErrNotRegistered, http.StatusForbidden, "UserNotRegistered", "You are not registered here. Ask an administrator to add you."},
	{accounts.ErrDisabled, http.StatusForbidden, "UserNotRegistered", "You are not registered here. Ask an administrator to add you."},
	{accounts.ErrWaiting, http.StatusForbidden, "UserNotRegistered", "An administrator has to approve you first."}, // where nobody can wait
	{accounts.ErrUnverified, http.StatusForbidden, "UnverifiedUser", "Your e-mail address is not confirmed yet. Confirm it at your provider and sign in again, or ask an administrator."},
	{providers.ErrUnknownOrigin, http.StatusBadRequest, "OriginUnknown", "There is no such sign-in provider."},
	{providers.ErrUnavailable, http.StatusServiceUnavailable, "Unavailable", "The sign-in provider does not answer. Try again in a moment, or choose another way to sign in."},
	{providers.ErrNoRequest, http.StatusUnauthorized, "ChallengeNotFoundOrExpired", "This sign-in was not begun here, is finished already or took too long. Begin again."},
	{providers.ErrDenied, http.StatusBadRequest, "InvalidSession", "The provider did not sign you in. Begin again, or choose another way."},
	{providers.ErrRefused, http.StatusBadRequest, "InvalidSession", "What the provider said could not be accepted. The log of the gateway tells why."},
	{errSession, http.StatusBadRequest, "InvalidSession", "This is no session of this site."},
	{sessions.ErrMalformed, http.StatusBadRequest, "InvalidSession", "This is no session of this site."},
	{sessions.ErrTooLongAgo, http.StatusForbidden, "FactorNeeded", "This app asks for a more recent sign-in. Sign in again."},
	{sessions.ErrNone, http.StatusUnauthorized, "SessionExpired", "Your session is over. Sign in again."},
	{errEnded, http.StatusUnauthorized, "SessionExpired", "Your session is over. Sign in again."},
	{sessions.ErrNoCode, http.StatusBadRequest, "BadRequest", "This sign-in link was used already or is too old. Open the app again."},
	{errFlow, http.StatusBadRequest, "BadRequest", "The sign-in could not be finished. Allow cookies for this site and open the app again."},
	{errTwoTokens, http.StatusBadRequest, "BadRequest", "The request carries more than one session. Remove the cookie or the Authorization header."},
	{errSignedIn, http.StatusBadRequest, "BadRequest", "Somebody else is signed in here. Sign out first."},
	{errMediaType, http.StatusUnsupportedMediaType, "BadRequest", "Send application/json, not encoded."},
	{strictjson.ErrTooLarge, http.StatusRequestEntityTooLarge, "BadRequest", "The request is too large."},
	{errMethod, http.StatusMethodNotAllowed, "BadRequest", "This method is not allowed here."},
	{errForbidden, http.StatusForbidden, "Forbidden", "The policy does not allow this."},
	{errCrossSite, http.StatusForbidden, "Forbidden", "This request came from another site."},
	{errPeer, http.StatusForbidden, "Forbidden", "Only proxies named in trusted_proxies are answered here."},
	{errNoPage, http.StatusNotFound, "BadRequest", "There is nothing here."},
	{errHost, http.StatusMisdirectedRequest, "BadRequest", "No app is known under this host name. Add it to the configuration, or correct the address."},
	{proxy.ErrBody, http.StatusBadRequest, "BadRequest", "The body of the request did not come whole."},
	{proxy.ErrLate, http.StatusGatewayTimeout, "Unavailable", "The app takes too long to answer. Try again in a moment. If it stays so, tell whoever runs this site, with the number of the request."},
	{errUpstream, http.StatusBadGateway, "Unavailable", "The app cannot be reached. Try again in a moment. If it stays so, tell whoever runs this site, with the number of the request."},
	{errNoUpstream, http.StatusNotFound, "BadRequest", "This app has no upstream: it is served by the proxy in front of the gateway, which must send only /.gateway/ here."},
	{canonical.ErrTarget, http.StatusBadRequest, "BadRequest", "The address can be read in more than one way, so it is refused."},
	{canonical.ErrMethod, http.StatusMethodNotAllowed, "BadRequest", "This method is not let through."},
	{canonical.ErrHost, http.StatusMisdirectedRequest, "BadRequest", "This is no host name."},
	{strictjson.ErrSyntax, http.StatusBadRequest, "BadRequest", "The request is malformed."},
	{errBad, http.StatusBadRequest, "BadRequest", "The request is malformed."},
}

// cannotTell answers everything that is not in the table.
var cannotTell = answer{nil, http.StatusServiceUnavailable, "Unavailable", "The gateway cannot tell right now. Try again in a moment."}

func answerFor(err error) answer {
	for _, a := range answers {
		if errors.Is(err, a.is) {
			return a
		}
	}
	return cannotTell
}

// explained is an error of the table with a sentence of its own, written by
// us, fit for strangers.
type explained struct {
	error
	detail string
}

// Error is for the log: the chain, and what the stranger was told.
func (e explained) Error() string { return e.error.Error() + ": " + e.detail }

func (e explained) Unwrap() error { return e.error }

// explain gives err a better sentence than the table has.
func explain(err error, detail string) error { return explained{err, detail} }
