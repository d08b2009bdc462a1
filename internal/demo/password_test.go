package demo_test

import (
	"regexp"
	"testing"

	"gateway/internal/demo"
)

func TestPasswordsAreFreshAndReadable(t *testing.T) {
	form := regexp.MustCompile(`^[a-hjkmnp-z]{5}(-[a-hjkmnp-z]{5}){3}$`)
	seen := make(map[string]bool)
	letters := make(map[rune]int)
	for range 2000 {
		password := demo.Password()
		if !form.MatchString(password) {
			t.Fatalf("Password() = %q, want four groups of five letters", password)
		}
		if seen[password] {
			t.Fatalf("Password() = %q twice", password)
		}
		seen[password] = true
		for _, letter := range password {
			letters[letter]++
		}
	}
	delete(letters, '-')
	if len(letters) != 23 {
		t.Errorf("2000 passwords use %d letters, want 23", len(letters))
	}
	for letter, n := range letters { // 40,000 letters, 1739 of each on average, deviation 41
		if n < 1400 || n > 2100 {
			t.Errorf("%c came %d times, want about 1739", letter, n)
		}
	}
}
