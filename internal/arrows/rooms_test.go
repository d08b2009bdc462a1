package arrows_test

// module is the prefix of our own import paths.
const module = "gateway/"

// tools are the small tools without a word of the domain, and identity, the
// words that every room shares. They import each other and the standard
// library.
var tools = []string{
	"internal/canonical",
	"internal/datadir",
	"internal/identity",
	"internal/keepalive",
	"internal/once",
	"internal/returnto",
	"internal/seal",
	"internal/secret",
	"internal/strictjson",
	"internal/throttle",
}

// rooms says what each room may import of our own besides tools. What is not
// listed may not be imported; a room that is not listed may not exist.
var rooms = map[string][]string{
	"policy":            nil,
	"localauth":         nil,
	"localauth/scram":   {"localauth"},
	"providers":         nil,
	"providers/oidc":    {"providers"},
	"client":            {"localauth/scram"},
	"sessions":          nil,
	"internal/accounts": nil,
	"internal/audit":    nil,
	"internal/backup":   nil,
	"internal/cases":    {"policy"},
	"internal/demo":     nil,

	"internal/store/sqlite": {"sessions", "localauth", "internal/accounts"},

	"internal/proxy":        {"sessions", "policy"},
	"internal/server/pages": nil,
	"internal/telemetry":    nil,
	"internal/server": {
		"sessions", "localauth", "providers", "policy",
		"internal/accounts", "internal/audit", "internal/proxy", "internal/server/pages",
		"internal/telemetry",
	},
	"internal/config": {
		"sessions", "localauth", "providers", "providers/oidc", "policy",
		"internal/accounts", "internal/audit", "internal/proxy", "internal/server",
	},
	"cmd/gateway": {everything},

	"internal/arrows":          nil,
	"internal/hostiletest":     nil,
	"internal/store/storetest": {"sessions", "localauth", "internal/accounts"},
	"providers/providertest":   {"providers"},
}

// everything is what the program alone may import.
const everything = "..."

// libraries says through which doors a library comes into the program.
// Libraries that only tests use stand in no line: they come through no door.
var libraries = map[string][]string{
	"cel.dev/cel-go":                 {"policy"},
	"github.com/coreos/go-oidc/v3":   {"providers/oidc", "providers/providertest"},
	"github.com/gin-gonic/gin":       {"internal/server"},
	"github.com/google/go-cmp":       {"internal/store/storetest"},
	"github.com/go-jose/go-jose/v4":  {"providers/oidc", "providers/providertest"},
	"github.com/goccy/go-yaml":       {"internal/config", "cmd/gateway"},
	"github.com/golang-jwt/jwt/v5":   {"sessions", "internal/demo", "providers/providertest"},
	"github.com/invopop/jsonschema":  {"internal/config"},
	"github.com/prometheus":          {"internal/telemetry"},
	"github.com/spf13/cobra":         {"cmd/gateway"},
	"go.opentelemetry.io":            {"internal/telemetry"},
	"google.golang.org/protobuf":     {"internal/telemetry"},
	"golang.org/x/net/http/httpguts": {"internal/keepalive"},
	"golang.org/x/net/idna":          {"internal/canonical"},
	"golang.org/x/oauth2":            {"providers/oidc"},
	"golang.org/x/term":              {"cmd/gateway"},
	"golang.org/x/text":              {"localauth"},
	"modernc.org/sqlite":             {"internal/store/sqlite"},
}
