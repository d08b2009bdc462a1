package pages

import "time"

// Origin is a foreign provider on the sign-in page.
type Origin struct {
	ID    string
	Name  string // shown
	Start string // path that begins the sign-in: /.gateway/start/{origin}?rd=…
	Down  bool   // shown, but not to be chosen
}

// SignIn is the sign-in of the portal: the foreign providers, then the
// password form.
type SignIn struct {
	Origins  []Origin
	Local    bool   // show the password form
	ReturnTo string // where the person was going: a host, only shown
	App      string // that app's name, only shown
	Notice   string // what happened before, one sentence, or empty
	Portal   string // URL of the portal; its host is shown where there is no App
	Confirm  string // login of who is signed in and has to prove it again; empty: whoever comes
}

// App is one app that a person may open.
type App struct {
	Name string
	Host string
	URL  string // absolute http or https
}

// Apps is the portal's front page for somebody who is signed in.
type Apps struct {
	Name  string // how the person is called; empty: Login
	Login string
	Apps  []App
}

// SignOut asks whether to end the session. Its form posts no fields to
// /.gateway/logout.
type SignOut struct {
	Login string // empty: nobody in particular
}

// SignedOut follows a sign-out.
type SignedOut struct {
	EndSession string // logout page of the provider, absolute, or empty
}

// Switch asks before a sign-in changes who is signed in. Its form posts the
// ticket to /.gateway/sign-in.
type Switch struct {
	Current, Next string // logins
	Back          string // where whoever stays goes on: path and query on this host
	Ticket        string // sealed; good once
}

// Continue answers a form where the way on leads to another host: browsers
// apply form-action to every redirect that follows a form, but not to this
// page's own step.
type Continue struct {
	Target   string // path and query on this host; anything else becomes "/"
	Provider string // where the way leads, shown; empty: the person is signed in
}

// Invited is what the link of an invitation opens. Its form posts the ticket to
// /.gateway/enrol.
type Invited struct {
	Provider string // the name of the provider to come by
	Email    string // the address that the provider has to vouch for; empty: any
	Portal   string // URL of the portal
	Ticket   string // the secret of the link
}

// Choose lets a person choose a password, the first one or another. Its script
// posts the verifier to /.gateway/enrol or /.gateway/reset, and signs in.
type Choose struct {
	Login      string
	Reset      bool   // another password, not the first
	Other      string // login of somebody else who is signed in here: there is no form then
	Portal     string // URL of the portal
	Code       string // the secret of the link
	Least      int    // characters of a password
	Iterations int    // PBKDF2 rounds
}

// Guest asks somebody who has opened a guest link whether to go on. Its form
// posts the ticket to /.gateway/guest.
type Guest struct {
	Name    string // whom the link was made for
	Host    string
	Paths   []string // as patterns
	Expires time.Time
	Ticket  string
}

// Waiting is shown to somebody whom an admin has yet to approve. It moves on
// by itself.
type Waiting struct {
	Login string // what the person is known by here
	Name  string // empty: not shown
}

// Refusal is a no of the policy (403).
type Refusal struct {
	Login      string
	Host, Path string // what was asked for
	DecisionID string
	Portal     string // URL of the portal
	SignedIn   bool
	Elsewhere  bool      // a page of another site asked for it
	TooLongAgo bool      // the proof is not recent enough, or nobody knows when it was
	Again      string    // URL of another try to sign in, or empty
	Doors      []string  // names of the ways to sign in that the app takes, where the person came by another; empty name: by password
	FewFactors bool      // another factor would help
	Because    *Because  // for administrators; nil: not shown
	At         time.Time // when it was decided; zero: not shown
}

// Because is why the policy said no.
type Because struct {
	Rule, Reason string
	Needs        []string
	Findings     []Finding
}

// Finding is one thing that a rule asks.
type Finding struct {
	Rule, About, Wants, Has string
	Holds                   bool
}

// Failure is every other error page.
type Failure struct {
	Status    int
	Title     string // empty: the sentence for Status
	Detail    string
	RequestID string
	Retry     string    // path or absolute URL to try again, or empty
	At        time.Time // when it happened; zero: not shown
}
