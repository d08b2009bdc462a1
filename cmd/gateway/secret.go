package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gateway/internal/secret"
)

// readSecret reads one line: from standard input where that is asked for, else
// from the terminal, unseen. The line's end is not part of it.
func readSecret(c *cobra.Command, fromStdin bool, prompt string) (secret.Text, error) {
	if !fromStdin {
		return askSecret(c, prompt)
	}
	line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return secret.Text{}, fmt.Errorf("read standard input: %w", err)
	}
	return notEmpty(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
}

// newSecret is readSecret of a password that is set: on a terminal it is asked
// for twice, since nobody sees what they type.
func newSecret(c *cobra.Command, fromStdin bool) (secret.Text, error) {
	first, err := readSecret(c, fromStdin, "Password: ")
	if err != nil || fromStdin {
		return first, err
	}
	again, err := askSecret(c, "Once more: ")
	switch {
	case err != nil:
		return secret.Text{}, err
	case !first.Equal(again):
		return secret.Text{}, errors.New("the two differ: nothing was added")
	}
	return first, nil
}

// askPassphrase asks for what opens the file of keys.
const askPassphrase = "Passphrase: "

func askSecret(c *cobra.Command, prompt string) (secret.Text, error) {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		flag := "--password-stdin"
		if prompt == askPassphrase {
			flag = "--passphrase-stdin"
		}
		return secret.Text{}, badUsage{errors.New("there is no terminal to ask on: use " + flag)}
	}
	_, _ = fmt.Fprint(c.ErrOrStderr(), prompt)
	line, err := readUnseen(c.Context(), int(in.Fd()))
	_, _ = fmt.Fprintln(c.ErrOrStderr())
	if err != nil {
		return secret.Text{}, fmt.Errorf("read terminal: %w", err)
	}
	return notEmpty(line)
}

// readUnseen reads a line from a terminal that does not show it. Whoever
// interrupts gets back a terminal that shows what is typed.
func readUnseen(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	type typed struct {
		line []byte
		err  error
	}
	answer := make(chan typed, 1)
	go func() { // a read cannot be called off: where nobody answers it ends with the program
		line, err := term.ReadPassword(terminal)
		answer <- typed{line, err}
	}()
	select {
	case t := <-answer:
		return string(t.line), t.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(terminal, before))
	}
}

func notEmpty(line string) (secret.Text, error) {
	if line == "" {
		return secret.Text{}, errors.New("nothing was entered")
	}
	return secret.New(line), nil
}
