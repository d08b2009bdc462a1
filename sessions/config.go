package sessions

import (
	"errors"
	"fmt"
	"time"
)

// The bounds of Config.
const (
	MinIdle     = time.Minute
	MaxLifetime = 90 * 24 * time.Hour
)

// The defaults of Config.
const (
	defaultIdle     = time.Hour
	defaultLifetime = 24 * time.Hour
)

// Config is the operator's say about sessions.
type Config struct {
	// Idle ends a session that was not used for so long. At least 1m, at most lifetime.
	Idle time.Duration `yaml:"idle"`
	// Lifetime ends a session however much it is used. At most 2160h (90 days).
	Lifetime time.Duration `yaml:"lifetime"`
}

// DefaultConfig is what holds where the operator says nothing: idle 1h,
// lifetime 24h. Decode the file over it, so that an explicit 0 is seen as such
// and refused.
func DefaultConfig() Config { return Config{Idle: defaultIdle, Lifetime: defaultLifetime} }

// Validate returns all complaints, joined, each beginning with its key.
func (c Config) Validate() error {
	var complaints []error
	if c.Idle < MinIdle {
		complaints = append(complaints, fmt.Errorf("idle: %v is less than %v; write a unit, as in 1h", c.Idle, MinIdle))
	}
	if c.Lifetime > MaxLifetime {
		complaints = append(complaints, fmt.Errorf("lifetime: %v is more than %v", c.Lifetime, MaxLifetime))
	}
	if c.Lifetime < c.Idle || c.Lifetime < MinIdle {
		complaints = append(complaints, fmt.Errorf("lifetime: %v is less than %v, so sessions would end before they are idle", c.Lifetime, max(c.Idle, MinIdle)))
	}
	return errors.Join(complaints...)
}
