package main

import (
	"bufio"
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

func askSecret(c *cobra.Command, prompt string) (secret.Text, error) {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return secret.Text{}, badUsage{errors.New("there is no terminal to ask on: use --password-stdin")}
	}
	_, _ = fmt.Fprint(c.ErrOrStderr(), prompt)
	line, err := term.ReadPassword(int(in.Fd()))
	_, _ = fmt.Fprintln(c.ErrOrStderr())
	if err != nil {
		return secret.Text{}, fmt.Errorf("read terminal: %w", err)
	}
	return notEmpty(string(line))
}

func notEmpty(line string) (secret.Text, error) {
	if line == "" {
		return secret.Text{}, errors.New("nothing was entered")
	}
	return secret.New(line), nil
}
