package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts run the program itself, as the command gateway.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gateway": main})
}

// TestScripts tells how the command line behaves, one story per file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // commands end without the second that the race detector takes
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":       await,
			"becomes":     becomes,
			"certificate": certificate,
			"cookies":     cookies,
			"exits":       exits,
			"field":       field,
			"get":         get,
			"hangup":      hangup,
			"keys":        keys,
			"occupied":    occupied,
			"place":       replace,
			"ports":       ports,
			"ready":       ready,
			"remember":    remember,
			"says":        says,
			"schema":      schema,
			"terminate":   terminate,
			"write":       write,
		},
	})
}
