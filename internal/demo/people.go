package demo

// Person is somebody the provider knows.
type Person struct {
	Subject string   // stable, opaque: the claim sub
	Name    string   // full name
	Login   string   // the claim preferred_username
	Email   string   // always verified
	Groups  []string // the claim groups
}

// People are those whom the demo's provider knows: one with a group, one without.
func People() []Person {
	return []Person{
		{Subject: "c4r01", Name: "Carol Demo", Login: "carol", Email: "carol@corp.example", Groups: []string{"engineering"}},
		{Subject: "d4v3", Name: "Dave Demo", Login: "dave", Email: "dave@corp.example"},
	}
}
