package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gateway/internal/identity"
)

// later are the keys that other pages already name and this version does not
// know. Each is refused rather than ignored, and says so.
var later = map[string]string{
	"store": notYet, "cache": notYet,
	"tls.acme":   notYet,
	"authz.grpc": notYet,
}

const notYet = "not supported by this version"

// unknown says what is wrong with a key that an object does not have.
func (s *shape) unknown(key string) string {
	if why := later[join(s.ref, key)]; why != "" {
		return why
	}
	best, least := "", len(key)
	for _, f := range s.fields {
		if d := distance(key, f.key); d < least && d <= max(2, len(f.key)/4) {
			best, least = f.key, d
		}
	}
	if best == "" {
		return "unknown key"
	}
	return fmt.Sprintf("unknown key (did you mean %q?)", best)
}

// distance counts the letters to insert, delete or replace (Levenshtein); what
// is longer than any key is just far.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// ids says how the keys of a table are named. Other tables take any text.
var ids = map[string]*regexp.Regexp{
	"providers": regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`),
	"apps":      regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`),
}

// checkID refuses ids that cannot name what the table holds.
func checkID(table, id string) error {
	switch {
	case table == "providers" && id == identity.Local:
		return errors.New("local is the name of the password door")
	case table == "providers" && !ids[table].MatchString(id):
		return errors.New("must be named by lower-case letters, digits and hyphens, begin with a letter and have at most 63 of them")
	case table == "apps" && !ids[table].MatchString(id):
		return errors.New("must be named by lower-case letters, digits, hyphens and underscores, begin with a letter and have at most 63 of them")
	case id == "" || strings.ContainsFunc(id, control):
		return errors.New("a key that is empty or holds a control character")
	case strings.Contains(id, "${"):
		return errors.New("a variable in a key: only values may hold one")
	}
	return nil
}
