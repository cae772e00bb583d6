//go:build peers

package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"diresco/internal/test/dbtest"
)

// cardPage is the guide whose blocks are run here.
const cardPage = "docs/identity-card.md"

// cardsOn are a sandbox that takes cards, and where its authority is.
type cardsOn struct {
	sandbox
	dir, cards string
	// proxied is where a proxy sends logins with cards.
	proxied string
}

func startCards(t *testing.T, variables ...string) cardsOn {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	settings := append([]string{"DATA_DIR=" + filepath.Join(dir, "data"), "CNS_ADDR=127.0.0.1:" + port, "LOG_LEVEL=info"}, variables...)
	proxied := ""
	if len(variables) > 0 {
		proxied = freePort(t)
		settings = append(settings, "CNS_PROXY_ADDR=127.0.0.1:"+proxied)
	}
	return cardsOn{start(t, dbtest.SQLite(t), settings...), dir, port, proxied}
}

// shell runs a script beside the sandbox's data, as a tester would.
func (c cardsOn) shell(script string) string {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), "bash", "-c", "set -euo pipefail\n"+script)
	command.Dir = c.dir
	command.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestCard_TheGuideDoesWhatItSays runs the commands of the page.
func TestCard_TheGuideDoesWhatItSays(t *testing.T) {
	c := startCards(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(cardPage)))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		script.WriteString(block[1])
	}
	out := "\n" + c.shell(strings.NewReplacer("127.0.0.1:8443", "127.0.0.1:"+c.cards, "127.0.0.1:8080", "127.0.0.1:"+c.port).Replace(script.String()))
	for _, want := range []string{
		`{"login_method":"cns","login_level":3,"credential_level":"dispositive"}`, "\ninvalid-credentials: No certificate of a card came",
		"\ninvalid-credentials: The certificate of the card is not valid at this time", "\ninvalid-credentials: The certificate of the card was revoked",
		"Diresco sandbox", "\nlost.pem: revoked\n", "\n/account/consents\nMarco Bianchi\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %s:\n%s", want, out)
		}
	}
}

// TestCard_BehindNginx: the proxy asks for the certificate and hands it on; what a client writes
// into the header is replaced.
func TestCard_BehindNginx(t *testing.T) {
	c := startCards(t, "CNS_HEADER=nginx", "TRUSTED_PROXIES=127.0.0.1/32")
	port, api := freePort(t), freePort(t)
	dir := t.TempDir()
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "  %s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	c.serverPair()
	_, file := place(t, fmt.Sprintf(`daemon off;
worker_processes 1;
error_log stderr;
pid %s;
events { worker_connections 256; }
http {
  access_log off;
%s  server {
    listen 127.0.0.1:%s ssl;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_verify_client optional_no_ca;
    ssl_session_tickets off;
    ssl_session_cache off;
    location ~ ^/(v1/sessions/card|card-login)$ {
      proxy_pass http://127.0.0.1:%s;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
    }
  }
  server {
    listen 127.0.0.1:%s ssl;
    ssl_certificate %s;
    ssl_certificate_key %s;
    location / {
      proxy_pass http://127.0.0.1:%s;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`, filepath.Join(dir, "pid"), &temporary, port, filepath.Join(c.dir, "server.pem"), filepath.Join(c.dir, "server.key"), c.proxied,
		api, filepath.Join(c.dir, "server.pem"), filepath.Join(c.dir, "server.key"), c.port))
	command := exec.CommandContext(context.WithoutCancel(t.Context()), peer(t, "nginx"), "-p", dir, "-e", "stderr", "-c", file)
	c.readable()
	unprivileged(t, command, filepath.Dir(file))
	unprivileged(t, command, dir)
	run(t, command).listens(port)
	c.behind(port)
	// The API's host hands on what a client writes, and it means nothing there.
	out := c.shell(fmt.Sprintf(`curl -sS -X POST https://127.0.0.1:%s/v1/sessions/card --cacert server.pem \
		-H "X-SSL-Client-Cert: $(jq -sRr @uri < good.pem)" | jq -r .code`, api))
	if out != "invalid-credentials\n" {
		t.Errorf("a header written by a client at the API's host: %s", out)
	}
}

// TestCard_BehindHAProxy: the same by HAProxy, which writes DER.
func TestCard_BehindHAProxy(t *testing.T) {
	c := startCards(t, "CNS_HEADER=haproxy", "TRUSTED_PROXIES=127.0.0.1/32")
	port := freePort(t)
	c.serverPair()
	c.shell("cat server.pem server.key > both.pem")
	_, file := place(t, fmt.Sprintf(`global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend cards
  bind 127.0.0.1:%s ssl crt %s verify optional ca-file %s ca-ignore-err all crt-ignore-err all no-tls-tickets
  http-request deny unless { path /v1/sessions/card /card-login }
  http-request set-header X-SSL-Client-Cert %%[ssl_c_der,base64]
  option forwardfor
  default_backend diresco
backend diresco
  server one 127.0.0.1:%s
`, port, filepath.Join(c.dir, "both.pem"), filepath.Join(c.dir, "data", "cards", "authority.pem"), c.proxied))
	command := exec.CommandContext(context.WithoutCancel(t.Context()), peer(t, "haproxy"), "-db", "-f", file)
	c.readable()
	unprivileged(t, command, filepath.Dir(file))
	run(t, command).listens(port)
	c.behind(port)
}

// serverPair makes a certificate for a proxy on this machine.
func (c cardsOn) serverPair() {
	c.shell("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 " +
		"-keyout server.key -out server.pem 2>/dev/null")
}

// readable lets a proxy that runs as another user read the certificates.
func (c cardsOn) readable() {
	c.shell("chmod 755 . .. ../.. data data/cards; chmod 644 server.pem server.key data/cards/authority.pem; chmod -f 644 both.pem || true")
}

// behind logs in through a proxy at the port.
func (c cardsOn) behind(port string) {
	t := c.t
	t.Helper()
	const person = "BNCMRC71C14H501P"
	out := c.shell(fmt.Sprintf(`
diresco card %[1]s --given-name Marco --family-name Bianchi --authority data/cards --out good >/dev/null
diresco card %[1]s --authority data/cards --out lost --revoked >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=%[1]s\/1.x' -keyout own.key -out own.pem 2>/dev/null
forged=$(base64 -w0 < <(openssl x509 -in good.pem -outform DER))
escaped=$(jq -sRr @uri < good.pem)
enter() { curl -sS -X POST https://127.0.0.1:%[2]s/v1/sessions/card --cacert server.pem -H 'Accept-Language: en' "$@" | jq -c '{login_method, code, detail}'; }
enter --cert good.pem --key good.key
enter --cert lost.pem --key lost.key
enter --cert own.pem --key own.key
enter
enter -H "X-SSL-Client-Cert: $forged"
enter -H "X-SSL-Client-Cert: $escaped"
enter --cert own.pem --key own.key -H "X-SSL-Client-Cert: $escaped"
curl -sS --interface 127.0.0.2 -X POST http://127.0.0.1:%[3]s/v1/sessions/card -H "X-SSL-Client-Cert: $escaped" | jq -c '{code}'
to=$(curl -sS -c jar -o begun.html -w '%%{redirect_url}' 'http://127.0.0.1:%[4]s/oauth2/login/provider?provider=cns-card')
curl -sS -L -c jar -b jar --cacert server.pem --cert good.pem --key good.key -o page.html -w '%%{url_effective}\n' "https://127.0.0.1:%[2]s/${to#https://*/}"
`, person, port, c.proxied, c.port))
	missing := `{"login_method":null,"code":"invalid-credentials","detail":"No certificate of a card came with the request.`
	none := `{"login_method":null,"code":"invalid-credentials","detail":"The certificate is not one of a CNS or CIE that is let in here.`
	want := []string{
		`{"login_method":"cns","code":null,"detail":null}`,
		`{"login_method":null,"code":"invalid-credentials","detail":"The certificate of the card was revoked.`, none,
		missing, missing, missing, none, `{"code":"forbidden"}`,
		"http://127.0.0.1:" + c.port + "/account/consents",
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d answers:\n%s", len(lines), out)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("answer %d: %s, want %s", i+1, lines[i], want[i])
		}
	}
	// The table of test people comes before.
	_, log, _ := strings.Cut(c.log.String(), "\ntime=")
	if !strings.Contains(log, "no trusted proxy sent it") || strings.Contains(log, person) || strings.Contains(log, "BEGIN") {
		t.Errorf("the log says %s", log)
	}
}
