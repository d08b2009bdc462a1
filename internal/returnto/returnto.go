// Package returnto keeps redirects at home. A return address is a path and a
// query of the site that answers, never a URL: host and scheme of a redirect
// come from the configuration.
package returnto

import "errors"

// ErrAddress says that a text cannot be a return address.
var ErrAddress = errors.New("returnto: not a path of this site")

// Address is a path and query of the site itself, in canonical form. The zero
// Address is the site's root.
type Address struct{ value string }

// Parse reads a return address.
func Parse(raw string) (Address, error) { return Address{}, ErrAddress }

// String returns the address.
func (a Address) String() string {
	if a.value == "" {
		return "/"
	}
	return a.value
}
