package cases

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gateway/policy"
)

// Diff is what another policy says differently, to the same requests.
type Diff struct {
	Asked  int      `json:"asked"`
	Gains  []Change `json:"gains"`  // would pass
	Losses []Change `json:"losses"` // would pass no more
	Others []Change `json:"others"` // would be refused in another way
}

// Change is one request to which the answers differ.
type Change struct {
	Title string          `json:"title"`
	Who   string          `json:"who"`
	Old   policy.Decision `json:"old"`
	New   policy.Decision `json:"new"`
}

// Asked is a request with a name.
type Asked struct {
	Title   string
	Who     string // nobody, or a login
	Request policy.Request
}

// Requests are those of all cases of all files. Cases that the gateway refuses
// before any policy is asked are left out.
func (r *Runner) Requests(files ...File) ([]Asked, error) {
	var all []Asked
	for _, f := range files {
		for _, c := range f.Cases {
			ask, err := c.ask()
			if err != nil || ask.Refuse != "" {
				continue
			}
			request, err := r.request(c, ask)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", f.Path, c.Line, err)
			}
			all = append(all, Asked{c.title(), c.As.String(), request})
		}
	}
	return all, nil
}

// Compare asks both policies.
func Compare(before, after *policy.Policy, all []Asked) Diff {
	d := Diff{Asked: len(all), Gains: []Change{}, Losses: []Change{}, Others: []Change{}}
	for _, one := range all {
		change := Change{one.Title, one.Who, before.Decide(one.Request), after.Decide(one.Request)}
		passed, passes := change.Old.Effect == policy.Allow, change.New.Effect == policy.Allow
		switch {
		case passes && !passed:
			d.Gains = append(d.Gains, change)
		case passed && !passes:
			d.Losses = append(d.Losses, change)
		case change.Old.Effect != change.New.Effect:
			d.Others = append(d.Others, change)
		}
	}
	return d
}

// Write writes who would gain and who would lose.
func (d *Diff) Write(out io.Writer) error {
	var b bytes.Buffer
	for _, kind := range []struct {
		sign    string
		changes []Change
	}{{"+", d.Gains}, {"-", d.Losses}, {"~", d.Others}} {
		for _, c := range kind.changes {
			fmt.Fprintf(&b, "%s %s: %s, was %s\n", kind.sign, printable(c.Title), printable(by(c.New)), printable(by(c.Old)))
		}
	}
	writePeople(&b, "gain", d.Gains)
	writePeople(&b, "lose", d.Losses)
	fmt.Fprintf(&b, "of %d requests %d gain, %d lose, %d are refused in another way\n", d.Asked, len(d.Gains), len(d.Losses), len(d.Others))
	_, err := out.Write(b.Bytes())
	return err
}

// writePeople names who gains or loses, those who are asked about most first;
// one line of it, however many requests there are.
func writePeople(b *bytes.Buffer, word string, changes []Change) {
	often := map[string]int{}
	for _, c := range changes {
		often[c.Who]++
	}
	names := slices.SortedFunc(maps.Keys(often), func(a, b string) int { return cmp.Or(often[b]-often[a], cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%d)", printable(name), often[name])
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "%s: %s\n", word, strings.Join(names, ", "))
	}
}
