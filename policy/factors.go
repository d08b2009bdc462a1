package policy

// maxFactors is how many factors a session can have.
const maxFactors = 3

// Factors counts what a session was proved with (amr, RFC 8176): the door, be
// it a password or a provider, is one; a one-time password or a recovery code
// is one; a passkey with user verification is two. Each kind counts once, and
// what is not known counts nothing.
func Factors(amr []string) int {
	door, otp, passkey := 0, 0, 0
	for _, method := range amr {
		switch method {
		case "pwd", "fed":
			door = 1
		case "otp", "recovery":
			otp = 1
		case "passkey":
			passkey = 2
		}
	}
	return min(door+otp+passkey, maxFactors)
}
