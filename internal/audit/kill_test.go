package audit_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gateway/internal/audit"
)

// The test binary runs itself as the processes that it kills or starves.
const (
	asWriter = "AUDIT_TEST_WRITE_IN" // a folder to write to until killed
	asFull   = "AUDIT_TEST_FILL"     // a folder to write to until there is no space
	round    = "AUDIT_TEST_ROUND"    // part of every login
)

func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(asWriter) != "":
		err = writeUntilKilled(os.Getenv(asWriter), os.Getenv(round))
	case os.Getenv(asFull) != "":
		err = fillUp(os.Getenv(asFull))
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// myself returns the test binary as another process.
func myself(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeUntilKilled says each login once its line is on the disk.
func writeUntilKilled(dir, round string) error {
	b, err := audit.Open(dir, key, round == "0", audit.Options{FileSize: 3000, Files: 1 << 20})
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				login := fmt.Sprintf("r%s.w%d.%d", round, w, i)
				if _, err := b.Write(signIn(login)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				_, _ = fmt.Fprintln(os.Stdout, login)
				_, _ = b.Write(refusal)
			}
		})
	}
	all.Wait()
	return errors.New("the disk gave way")
}

// What was acknowledged is there after a kill at any moment, and the chain
// holds from the first line of the first process to the last of the last.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	written := map[string]bool{}
	for i := range 8 {
		cmd := myself(t, asWriter+"="+dir, fmt.Sprintf("%s=%d", round, i))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(out)
		for n := 0; n < 20+7*i && said.Scan(); n++ {
			written[said.Text()] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for said.Scan() {
			written[said.Text()] = true
		}
		_ = cmd.Wait() // it was killed
		whole(t, dir)
	}
	for _, line := range find(t, dir, audit.Filter{Kind: audit.SignIn}, 1<<20) {
		delete(written, strings.TrimPrefix(line, "sign-in "))
	}
	if len(written) > 0 {
		t.Errorf("%d lines were acknowledged and are gone: %v", len(written), written)
	}
}

// Half a line at the end is cut off, with a note, wherever it breaks off; so is
// a file that was only just begun.
func TestHalfALine(t *testing.T) {
	v := volume(t)
	full := v["00000003.jsonl"]
	line := strings.Split(string(full), "\n")[1]
	for _, cut := range []int{1, 10, len(line) - 3, len(line)} {
		v["00000003.jsonl"] = append(slices.Clip(full), line[:cut]...)
		dir := lay(t, v)
		whole(t, dir) // it may be one that is being written
		b := open(t, dir, false, audit.Options{})
		write(t, b, signIn("after"))
		closed(t, b)
		if r := whole(t, dir); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], fmt.Sprintf("half a line was cut off, %d bytes", cut)) {
			t.Errorf("%d bytes: notes %q", cut, r.Notes)
		}
		v["00000003.jsonl"] = full
	}
	for _, begun := range []string{"", `{"seq":99,"ti`} {
		v["00000004.jsonl"] = []byte(begun)
		dir := lay(t, v)
		b := open(t, dir, false, audit.Options{})
		write(t, b, signIn("after"))
		closed(t, b)
		if r := whole(t, dir); r.Lines < 24 || (len(r.Notes) == 1) != (begun != "") {
			t.Errorf("a file that begins with %q: %+v", begun, r)
		}
	}
}

// fillUp writes until the limit on the size of files stops it, then has space
// again.
func fillUp(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	b, err := audit.Open(dir, key, true, audit.Options{FileSize: 1 << 20})
	if err != nil {
		return err
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 3000, Max: was.Max}); err != nil {
		return err
	}
	for i := 0; ; i++ {
		login := fmt.Sprintf("u%d", i)
		_, err := b.Write(signIn(login))
		if err == nil {
			_, _ = fmt.Fprintln(os.Stdout, login)
			continue
		}
		if _, again := b.Write(signIn("refused")); again == nil || i == 0 {
			return fmt.Errorf("after %w: %w", err, again)
		}
		break
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if _, err := b.Write(signIn("space")); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, "space")
	return b.Close()
}

// A full disk is an error for whoever writes; nothing is there by half, and
// with space the book goes on.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	out, err := myself(t, asFull+"="+dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Fields(string(out))
	whole(t, dir)
	var there []string
	for _, line := range find(t, dir, audit.Filter{Kind: audit.SignIn}, 1<<20) {
		there = append(there, strings.TrimPrefix(line, "sign-in "))
	}
	if strings.Join(there, " ") != strings.Join(said, " ") || len(said) < 3 || said[len(said)-1] != "space" {
		t.Errorf("the book has %q, said were %q", there, said)
	}
}
