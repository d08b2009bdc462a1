// Package arrows holds no code, only the test that keeps the house's arrows:
// which room may import which, which library has which door, and that every
// link in the documents leads somewhere. A new folder needs a line in the
// table rooms of arrows_test.go, and a word in the README's map.
//
// Imports are not among the inputs that go test caches by: run it with -count=1.
package arrows
