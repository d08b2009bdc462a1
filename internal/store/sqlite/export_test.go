package sqlite

import "slices"

// lasting are the tables that a restore keeps.
var lasting = []string{"users", "gone_logins", "links", "verifiers"}

// Keeps reports whether a restore keeps a table.
func Keeps(table string) bool { return slices.Contains(lasting, table) }

// Forgets reports whether a restore empties a table.
func Forgets(table string) bool { return slices.Contains(passing, table) }
