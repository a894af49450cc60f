package oidc_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/wiretest"
)

func TestBadRequests(t *testing.T) {
	t.Parallel()
	const good = "grant_type=password&client_id=root-client&username=root%40example.com&password=pass+word%261"
	head := func(line, headers string) string { return line + " HTTP/1.1\nHost: x\n" + headers + "\n" }
	form := "Content-Type: application/x-www-form-urlencoded\n"
	token := "POST /auth/realms/root-accounts/protocol/openid-connect/token"
	userinfo := "GET /auth/realms/root-accounts/protocol/openid-connect/userinfo"
	for name, tt := range map[string]struct {
		raw    string
		status int
		code   string
	}{
		"no body":                     {head(token, form), 400, "invalid_request"},
		"parameters in the URL":       {head(token+"?"+good, form), 400, "invalid_request"},
		"JSON":                        {head(token, "Content-Type: application/json\n") + `{"grant_type":"password"}`, 400, "invalid_request"},
		"multipart":                   {head(token, "Content-Type: multipart/form-data; boundary=x\n") + good, 400, "invalid_request"},
		"bad content type":            {head(token, "Content-Type: ;;\n") + good, 400, "invalid_request"},
		"two content types":           {head(token, form+form) + good, 400, "invalid_request"},
		"bad escape":                  {post("token", good+"&a=%zz"), 400, "invalid_request"},
		"cut escape":                  {post("token", good+"&a=%2"), 400, "invalid_request"},
		"bad escape in a name":        {post("token", good+"&%zz=a"), 400, "invalid_request"},
		"not UTF-8":                   {post("token", "grant_type=password&client_id=root-client&username=%ff&password=x"), 400, "invalid_request"},
		"repeated grant_type":         {post("token", good+"&grant_type=password"), 400, "invalid_request"},
		"repeated password":           {post("token", good+"&password=other"), 400, "invalid_request"},
		"repeated unknown":            {post("token", good+"&x=1&x=1"), 400, "invalid_request"},
		"too many parameters":         {post("token", good+"&"+manyParameters()), 400, "invalid_request"},
		"too large":                   {post("token", good+"&x="+strings.Repeat("a", 64<<10)), 413, "invalid_request"},
		"cut body":                    {head(token, form+"Content-Length: 500\n") + good, 400, "invalid_request"},
		"grant_type missing":          {post("token", "client_id=root-client"), 400, "invalid_request"},
		"grant_type empty":            {post("token", "client_id=root-client&grant_type="), 400, "invalid_request"},
		"grant_type in capitals":      {post("token", "client_id=root-client&grant_type=PASSWORD"), 400, "unsupported_grant_type"},
		"authorization_code":          {post("token", "client_id=root-client&grant_type=authorization_code&code=x"), 400, "unsupported_grant_type"},
		"client_id missing":           {post("token", "grant_type=password&username=a&password=b"), 400, "invalid_request"},
		"username missing":            {post("token", "grant_type=password&client_id=root-client&password=b"), 400, "invalid_request"},
		"password missing":            {post("token", "grant_type=password&client_id=root-client&username=a"), 400, "invalid_request"},
		"password empty":              {post("token", "grant_type=password&client_id=root-client&username=a&password="), 400, "invalid_request"},
		"refresh_token missing":       {post("token", "grant_type=refresh_token&client_id=root-client"), 400, "invalid_request"},
		"wrong password":              {post("token", "grant_type=password&client_id=root-client&username=root%40example.com&password=x"), 401, "invalid_grant"},
		"unknown user":                {post("token", "grant_type=password&client_id=root-client&username=who&password=x"), 401, "invalid_grant"},
		"unknown client":              {post("token", "grant_type=password&client_id=who&username=who&password=x"), 401, "invalid_client"},
		"secret for a public client":  {post("token", good+"&client_secret=x"), 401, "invalid_client"},
		"public client alone":         {post("token", "grant_type=client_credentials&client_id=root-client"), 400, "unauthorized_client"},
		"Bearer at the token":         {head(token, form+"Authorization: Bearer x\n") + good, 400, "invalid_request"},
		"Basic without colon":         {head(token, form+"Authorization: Basic YWJj\n") + good, 400, "invalid_request"},
		"Basic not base64":            {head(token, form+"Authorization: Basic *\n") + good, 400, "invalid_request"},
		"Basic without ID":            {head(token, form+"Authorization: Basic OnNlY3JldA==\n") + good, 400, "invalid_request"},
		"Basic with a bad escape":     {head(token, form+"Authorization: Basic YTolJQ==\n") + "grant_type=client_credentials", 400, "invalid_request"},
		"Basic of another client":     {head(token, form+"Authorization: Basic YTpi\n") + good, 400, "invalid_request"},
		"Basic and client_secret":     {head(token, form+"Authorization: Basic YTpi\n") + "grant_type=client_credentials&client_secret=b", 400, "invalid_request"},
		"two Authorization headers":   {head(token, form+"Authorization: Basic YTpi\nAuthorization: Basic YTpi\n") + "grant_type=client_credentials", 400, "invalid_request"},
		"refresh token unknown":       {post("token", "grant_type=refresh_token&client_id=root-client&refresh_token=x"), 400, "invalid_grant"},
		"throttled":                   {post("token", "grant_type=password&client_id=root-client&username=fail-throttled&password=x"), 429, "temporarily_unavailable"},
		"unavailable":                 {post("token", "grant_type=password&client_id=root-client&username=fail-unavailable&password=x"), 503, "temporarily_unavailable"},
		"GET token":                   {head("GET /realms/root-accounts/protocol/openid-connect/token", ""), 405, "invalid_request"},
		"OPTIONS token":               {head("OPTIONS /realms/root-accounts/protocol/openid-connect/token", ""), 405, "invalid_request"},
		"PUT certs":                   {head("PUT /realms/root-accounts/protocol/openid-connect/certs", ""), 405, "invalid_request"},
		"unknown realm":               {head("GET /auth/realms/nowhere/protocol/openid-connect/certs", ""), 404, "Realm does not exist"},
		"realm in other case":         {head("GET /auth/realms/ROOT-ACCOUNTS/protocol/openid-connect/certs", ""), 404, "Realm does not exist"},
		"realm with a slash":          {head("GET /auth/realms/root-accounts%2Fx/protocol/openid-connect/certs", ""), 404, "Realm does not exist"},
		"unknown endpoint":            {head("GET /auth/realms/root-accounts/protocol/openid-connect/auth", ""), 404, "not_found"},
		"empty realm":                 {head("GET /auth/realms//protocol/openid-connect/certs", ""), 404, "not_found"},
		"realm only":                  {head("GET /auth/realms/root-accounts", ""), 404, "not_found"},
		"dot segments":                {head("GET /auth/realms/root-accounts/x/../protocol/openid-connect/certs", ""), 404, "not_found"},
		"doubled slash":               {head("GET /auth/realms/root-accounts//protocol/openid-connect/certs", ""), 404, "not_found"},
		"slash at the end":            {head("GET /auth/realms/root-accounts/protocol/openid-connect/certs/", ""), 404, "not_found"},
		"another prefix":              {head("GET /admin/realms/root-accounts/protocol/openid-connect/certs", ""), 404, "not_found"},
		"keys away":                   {head("GET /auth/realms/broken/protocol/openid-connect/certs", ""), 503, "temporarily_unavailable"},
		"userinfo without token":      {head(userinfo, ""), 401, "invalid_token"},
		"userinfo with Basic":         {head(userinfo, "Authorization: Basic YTpi\n"), 401, "invalid_token"},
		"userinfo with empty Bearer":  {head(userinfo, "Authorization: Bearer \n"), 401, "invalid_token"},
		"userinfo with a bad token":   {head(userinfo, "Authorization: Bearer x\n"), 401, "invalid_token"},
		"userinfo by the URL":         {head(userinfo+"?access_token=eyJ.access.token", ""), 401, "invalid_token"},
		"userinfo with two tokens":    {head("POST /realms/root-accounts/protocol/openid-connect/userinfo", form+"Authorization: Bearer x\n") + "access_token=x", 400, "invalid_request"},
		"introspect without client":   {post("token/introspect", "token=x"), 400, "invalid_request"},
		"introspect without token":    {post("token/introspect", "client_id=root-client"), 400, "invalid_request"},
		"introspect, unknown client":  {post("token/introspect", "client_id=who&token=x"), 401, "invalid_client"},
		"revoke without token":        {post("revoke", "client_id=root-client"), 400, "invalid_request"},
		"revoke, unknown client":      {post("revoke", "client_id=who&token=x"), 401, "invalid_client"},
		"logout without token":        {post("logout", "client_id=root-client&token=x"), 400, "invalid_request"},
		"logout with another's token": {post("logout", "client_id=root-client&refresh_token=fail-invalid-grant"), 400, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			quietHandler().ServeHTTP(w, wiretest.Request(t, tt.raw))
			var body struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			dec := json.NewDecoder(w.Body)
			dec.DisallowUnknownFields()
			if err := dec.Decode(&body); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || body.Error != tt.code {
				t.Errorf("got %d %q, want %d %q", w.Code, body.Error, tt.status, tt.code)
			}
			for header, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("got %s %q, want %q", header, got, want)
				}
			}
			if got, want := w.Header().Get("Allow") != "", tt.status == 405; got != want {
				t.Errorf("got Allow %v, want %v", got, want)
			}
			if got, want := w.Header().Get("Retry-After") != "", tt.status == 429 || tt.status == 503; got != want {
				t.Errorf("got Retry-After %v, want %v", got, want)
			}
		})
	}
}

func manyParameters() string {
	var b strings.Builder
	for i := range 100 {
		b.WriteString("x")
		b.WriteString(strings.Repeat("y", i))
		b.WriteString("=&")
	}
	return b.String()
}

func TestHeadIsAllowedWhereGetIs(t *testing.T) {
	t.Parallel()
	got := wiretest.Exchange(t, quietHandler(), "HEAD /realms/root-accounts/protocol/openid-connect/certs HTTP/1.1\nHost: x\n\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\n") {
		t.Errorf("got %s", got)
	}
}
