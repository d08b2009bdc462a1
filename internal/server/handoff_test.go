package server_test

import (
	"net/http"
)

// begin goes to an app's sign-in and returns where it leads at the portal.
func (b *browser) begin(address string) string {
	b.Helper()
	return b.navigate(address).wants(http.StatusSeeOther).location()
}
