// Package returnto keeps redirects at home. A return address is a path and a
// query of the site that answers, never a URL: host and scheme of a redirect
// come from the configuration.
package returnto

import (
	"errors"
	"fmt"

	"gateway/internal/canonical"
)

const maxAddress = 4096 // bytes

// ErrAddress says that a text cannot be a return address.
var ErrAddress = errors.New("returnto: not a path of this site")

// Address is a path and query of the site itself, in canonical form. The zero
// Address is the site's root. Addresses can be compared.
type Address struct{ value string }

// Parse reads a return address: a request target (canonical.ParseTarget) of at
// most 4096 bytes. Whatever a browser or a server could take for another site,
// or for another path, is ErrAddress, the empty text too; the caller then goes
// to its default page.
func Parse(raw string) (Address, error) {
	if len(raw) > maxAddress {
		return Address{}, fmt.Errorf("%w: longer than %d bytes", ErrAddress, maxAddress)
	}
	target, err := canonical.ParseTarget(raw)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return Address{target.String()}, nil
}

// String returns the address, fit for a Location header (RFC 9110, section
// 10.2.2). It begins with "/", its second byte is neither "/" nor "\", and it
// has only printable ASCII characters.
func (a Address) String() string {
	if a.value == "" {
		return "/"
	}
	return a.value
}
