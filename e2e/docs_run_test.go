package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noWait lets commands end without the second that the race detector takes.
const noWait = "atexit_sleep_ms=0"

// example is the environment that makes an example of the documents run here:
// its files, listeners and data are the test's own.
type example struct {
	t             *testing.T
	listen, authz int
	portal        string // its host
}

// useExample sets the environment for the program: the example stays as it is.
func useExample(t *testing.T, path string) *example {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	folder, text := t.TempDir(), read(t, path)
	x := &example{t, freePort(t), freePort(t), "auth.example.com"}
	for _, m := range regexp.MustCompile(`/run/secrets/([a-z]+)`).FindAllStringSubmatch(text, -1) {
		t.Setenv("GATEWAY_PROVIDERS_"+strings.ToUpper(m[1])+"_CLIENT_SECRET_FILE", write(t, filepath.Join(folder, m[1]), "a secret\n"))
	}
	if strings.Contains(text, "\ntls: ") {
		cert, key := certificate(t)
		t.Setenv("GATEWAY_TLS_CERT", write(t, filepath.Join(folder, "cert.pem"), cert))
		t.Setenv("GATEWAY_TLS_KEY", write(t, filepath.Join(folder, "key.pem"), key))
	}
	if strings.Contains(text, "\nauthz: ") {
		t.Setenv("GATEWAY_AUTHZ_LISTEN", fmt.Sprintf("127.0.0.1:%d", x.authz))
	}
	t.Setenv("GATEWAY_LISTEN", fmt.Sprintf("127.0.0.1:%d", x.listen))
	t.Setenv("GATEWAY_MANAGEMENT", fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	t.Setenv("GATEWAY_DATA", filepath.Join(folder, "data"))
	if authority := regexp.MustCompile(`ca_file: ([^,\s}]+)`); authority.MatchString(text) { // no variable overrides an item of a list
		cert, _ := certificate(t)
		own := "ca_file: " + write(t, filepath.Join(folder, "authority.pem"), cert)
		path = write(t, filepath.Join(folder, filepath.Base(path)), authority.ReplaceAllLiteralString(text, own))
	}
	t.Setenv("GATEWAY_CONFIG", path)
	t.Setenv("GORACE", noWait)
	return x
}

// serve runs the gateway with the example and waits until it is ready.
func (x *example) serve() *process {
	x.t.Helper()
	p := start(x.t, program, "serve")
	eventually(x.t, "the gateway is ready", func() bool {
		_, err := cli(x.t, "", "healthcheck")
		return err == nil
	})
	return p
}

// certificate makes one for nobody in particular.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*.example.com", "*.example.org"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", raw)
}

// The program takes every example without a word of warning.
func TestDocsExamples(t *testing.T) {
	examples, err := filepath.Glob("../docs/examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range examples {
		if strings.HasSuffix(path, ".cases.yaml") { // tried by policy test, beside the configuration of that name
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			useExample(t, path)
			if out := mustCLI(t, "", "config", "check"); out != "configuration is good\n" {
				t.Errorf("config check says:\n%s", out)
			}
		})
	}
}

// Commands that a document marks so are run as they stand, in order, beside a
// running gateway: any that fails fails the test.
func TestDocsRun(t *testing.T) {
	for _, document := range written(t) {
		scripts := map[string]string{}
		for _, b := range blocks(t, document) {
			if b.run != "" {
				scripts[b.run] += b.text
			}
		}
		for config, script := range scripts {
			t.Run(filepath.Base(document), func(t *testing.T) {
				x := useExample(t, filepath.Join("..", config))
				t.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
				x.serve()
				folder := t.TempDir()
				write(t, filepath.Join(folder, "password.txt"), password+"\n")
				cmd := exec.CommandContext(t.Context(), "sh", "-ex")
				cmd.Dir, cmd.Stdin = folder, strings.NewReader(script)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// signInTo signs a person in for an app by the protocol alone, and returns the
// token.
func (x *example) signInTo(app, login string) string {
	x.t.Helper()
	nonce := rand.Text()
	bare := "n=" + login + ",r=" + nonce
	var needed struct {
		ID        string `json:"challenge_id"`
		Challenge string `json:"challenge"`
	}
	x.post("connect", map[string]string{"client_first": "n,," + bare, "want": "token"}, &needed)
	var got struct{ r, s, i string }
	for part := range strings.SplitSeq(needed.Challenge, ",") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "r":
			got.r = value
		case "s":
			got.s = value
		case "i":
			got.i = value
		}
	}
	salt, err := base64.StdEncoding.DecodeString(got.s)
	if err != nil || got.i != "600000" {
		x.t.Fatalf("challenge %q: %v", needed.Challenge, err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, 600_000, 32)
	if err != nil {
		x.t.Fatal(err)
	}
	client := mac(salted, "Client Key")
	stored := sha256.Sum256(client)
	final := "c=biws,r=" + got.r
	proof := make([]byte, len(client))
	subtle.XORBytes(proof, client, mac(stored[:], bare+","+needed.Challenge+","+final))
	var session struct {
		Token string `json:"token"`
	}
	x.post("login", map[string]string{
		"user": login, "challenge_id": needed.ID, "challenge_reply": final + ",p=" + base64.StdEncoding.EncodeToString(proof),
		"want": "token", "app": app,
	}, &session)
	return session.Token
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// post speaks to the portal of an example, whatever it is called.
func (x *example) post(path string, body map[string]string, answer any) {
	x.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/.gateway/%s", x.listen, path), bytes.NewReader(raw))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Host = x.portal
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(text, answer) != nil {
		x.t.Fatalf("%s: %s\n%s", path, resp.Status, text)
	}
}

var policyRow = regexp.MustCompile("(?m)^\\| `([A-Z]+) (https://[^`]+)` \\| (\\w+)(?: at (\\S+))? \\| (pass|refuse|sign in) \\| (?:`([^`]+)`|(no \\w+).*) \\|$")

// What docs/policy.md says of its example, the running gateway says too.
func TestDocsPolicy(t *testing.T) {
	x := useExample(t, "../docs/examples/policy.yaml")
	gateway := x.serve()
	mustCLI(t, password+"\n", "user", "add", "alice", "--group", "staff", "--group", "ops", "--password-stdin")
	mustCLI(t, password+"\n", "user", "add", "bob", "--group", "staff", "--password-stdin")
	rows := policyRow.FindAllStringSubmatch(read(t, "../docs/policy.md"), -1)
	if len(rows) != 16 {
		t.Fatalf("docs/policy.md has %d rows that can be asked, want 16", len(rows))
	}
	tokens := map[string]string{}
	for _, row := range rows {
		method, address, who, at, answer, rule, none := row[1], row[2], row[3], row[4], row[5], row[6], row[7]
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if at == "" {
			at = "192.0.2.1"
		}
		header := map[string]string{
			"X-Forwarded-Method": method, "X-Forwarded-Proto": u.Scheme, "X-Forwarded-Host": u.Host, "X-Forwarded-Uri": u.RequestURI(),
			"X-Forwarded-For": at, "Accept": "text/html",
		}
		if who != "nobody" && none != "no app" {
			key := who + " at " + u.Host
			if tokens[key] == "" {
				tokens[key] = x.signInTo(u.Host, who)
			}
			header["Authorization"] = "Bearer " + tokens[key]
		}
		resp, _ := visit(t, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/.gateway/authz/forward-auth", x.authz), header)
		want := map[string]int{"pass": 200, "refuse": 403, "sign in": 303}[answer]
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", row[0], resp.StatusCode, want)
		}
		if want != http.StatusForbidden {
			continue
		}
		line := lineWith(t, gateway, resp.Header.Get("X-Gateway-Decision"))
		reason := map[string]string{"no rule": `"reason":"no-rule"`, "no app": `"reason":"unknown-host"`, "": `"rule":"` + rule + `"`}[none]
		if !strings.Contains(line, reason) {
			t.Errorf("%s: the log says %s, want %s", row[0], line, reason)
		}
	}
}

// lineWith waits for the line of the log that has the word.
func lineWith(t *testing.T, p *process, word string) (found string) {
	t.Helper()
	eventually(t, "the log has the word "+word, func() bool {
		for line := range strings.Lines(p.out.String()) {
			if word != "" && strings.Contains(line, word) && strings.HasSuffix(line, "\n") {
				found = line
				return true
			}
		}
		return false
	})
	return found
}

// The app of docs/apps.md believes the gateway, and neither headers nor what
// was said to another app.
func TestDocsApp(t *testing.T) {
	t.Parallel()
	other, port := startEcho(t), freePort(t)
	s := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: \"http://127.0.0.1:%d\", allow: signed-in}\n  two: {host: two.localhost, upstream: %q, allow: signed-in}\n", port, other.URL))
	text := strings.Replace(read(t, s.config), "http://auth.localhost", "http://localhost", 1) // a name that the app can look up
	write(t, s.config, text)
	s.serve()
	s.addAlice("--group", "staff")
	app := filepath.Join(t.TempDir(), "app")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", app, "docs/examples/app.go")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the app: %v\n%s", err, out)
	}
	start(t, app, "-listen", fmt.Sprintf("127.0.0.1:%d", port), "-portal", s.at("localhost"), "-app", s.at("one.localhost"))
	answering(t, port)

	token := func(app string) string {
		return strings.TrimSpace(mustCLI(t, password+"\n", "login", "--portal", s.at("localhost"), "--app", app, "--password-stdin", "alice"))
	}
	bearer := map[string]string{"Authorization": "Bearer " + token("one")}
	if _, body := visit(t, "GET", s.at("one.localhost")+"/", bearer); !strings.Contains(body, "Hello alice") || !strings.Contains(body, "[staff]") {
		t.Errorf("the app says %q", body)
	}
	direct := fmt.Sprintf("http://127.0.0.1:%d/", port)
	if resp, _ := visit(t, "GET", direct, map[string]string{"Remote-User": "alice"}); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a forged header: %d", resp.StatusCode)
	}
	visit(t, "GET", s.at("two.localhost")+"/", map[string]string{"Authorization": "Bearer " + token("two")})
	forTwo := other.last(t).Header.Get("X-Gateway-Jwt-Assertion")
	if resp, _ := visit(t, "GET", direct, map[string]string{"X-Gateway-Jwt-Assertion": forTwo}); forTwo == "" || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an assertion for another app: %d", resp.StatusCode)
	}
}

// docs/operating.md: a copy of the data folder is a backup, and a removed key
// ends every session.
func TestDocsBackup(t *testing.T) {
	t.Parallel()
	s := newSite(t, false, twoApps).serve()
	s.addAlice()
	token := func() string {
		return strings.TrimSpace(mustCLI(t, password+"\n", "login", "--portal", s.at("auth.localhost"), "--password-stdin", "alice"))
	}
	status := func(token string) int {
		resp, _ := visit(t, "GET", s.at("auth.localhost")+"/.gateway/connect", map[string]string{"Authorization": "Bearer " + token})
		return resp.StatusCode
	}
	old, data, backup := token(), filepath.Join(s.folder, "data"), filepath.Join(s.folder, "backup")
	s.stop(syscall.SIGTERM)
	for _, c := range [][]string{{"cp", "-a", data, backup}, {"rm", "-r", data}, {"cp", "-a", backup, data}} {
		if out, err := exec.CommandContext(t.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	s.serve()
	if got := status(old); got != http.StatusOK {
		t.Errorf("a session after the restore: %d", got)
	}
	if got := status(token()); got != http.StatusOK {
		t.Errorf("a sign-in after the restore: %d", got)
	}
	s.stop(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(data, "keys", "session.pem")); err != nil {
		t.Fatal(err)
	}
	s.serve()
	if got := status(old); got == http.StatusOK {
		t.Error("a session outlived its key")
	}
	if got := status(token()); got != http.StatusOK {
		t.Errorf("a sign-in with a new key: %d", got)
	}
	s.stop(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(data, "keys", "pepper")); err != nil {
		t.Fatal(err)
	}
	if out, err := cli(t, "", "serve", "--config", s.config); err == nil || !strings.Contains(out, "pepper") {
		t.Errorf("serve without the pepper: %v\n%s", err, out)
	}
}

// docs/front-proxies.md: what changes its protocol, as WebSockets do, passes
// the gateway's own proxy.
func TestDocsUpgrades(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = both.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = both.Flush()
		_, _ = io.Copy(conn, both)
	}))
	t.Cleanup(app.Close)
	s := newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, allow: everyone}\n", app.URL)).serve()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.at("one.localhost")+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	resp, err := (&http.Transport{DialContext: onlyHere}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stream, ok := resp.Body.(io.ReadWriter)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("upgrade: %d", resp.StatusCode)
	}
	heard := make([]byte, 5)
	if _, err := stream.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stream, heard); err != nil || string(heard) != "hello" {
		t.Errorf("heard %q, %v", heard, err)
	}
}
