package daypass_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// passwordChecks are the functions of package authn that look at a password.
var passwordChecks = []string{
	"Password", "CheckOldPassword", "SamePassword", "UsedBefore", "CheckNewPassword", "SameAPISecret",
	"BeginSRP", "FinishSRP", "verifyStored", "verifyPHC", "verifyAPISecret",
}

// passwordPaths are all who call those. One through which a person proves itself
// names the rows of e2e/hostile/mfa_test.go that show what it says to who owes a
// second factor; any other says, after a colon, what it is.
var passwordPaths = map[string]string{
	"issue.password Password":                   "realm realm-wrong",
	"issue.poolPassword Password":               "pool pool-wrong pool-skip admin",
	"issue.poolSRP BeginSRP":                    "srp",
	"issue.poolVerifier FinishSRP":              "srp",
	"issue.ibmPassword Password":                "ibm ibm-wrong ibm-cli ibm-question",
	"issue.provePerson Password":                "console console-wrong again again-wrong cookie-again",
	"directory.proved Password":                 "renew renew-wrong setup-wrong",
	"directory.ChangePassword CheckOldPassword": "change change-wrong cookie-change pool-change",

	"oidc.password Password":                  ": issue.password by the wire",
	"issue.poolNewPassword SamePassword":      ": the new password, in a log-in that goes on to what it owes",
	"issue.poolNewPassword CheckNewPassword":  ": likewise",
	"directory.makePassword CheckNewPassword": ": a new password",
	"directory.prepareUser SamePassword":      ": the site file's, for what need not be written",
	"directory.prepareToken SameAPISecret":    ": likewise",
	"authn.Password verifyStored":             ": within",
	"authn.verifyStored verifyAPISecret":      ": within",
	"authn.verifyStored verifyPHC":            ": within",
	"authn.SamePassword verifyPHC":            ": within",
	"authn.CheckOldPassword SamePassword":     ": within",
	"authn.UsedBefore verifyPHC":              ": within",
	"authn.CheckNewPassword UsedBefore":       ": within",
}

// TestPasswordChecks: no way to log in by a password is there without a row that
// shows that it asks for the second factor.
func TestPasswordChecks(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("e2e/hostile/mfa_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		if name, _, found := strings.Cut(line, " "); found {
			rows[name] = true
		}
	}
	found := map[string]bool{}
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.path, "_test.go") || strings.HasPrefix(f.path, "internal/stacktest/") {
			continue
		}
		for _, call := range passwordCalls(t, f.path) {
			found[call] = true
			if _, known := passwordPaths[call]; !known {
				t.Errorf("%s: %s looks at a password, and no row of e2e/hostile/mfa_test.go shows that it asks for the second factor", f.path, call)
			}
		}
	}
	for call, shown := range passwordPaths {
		if !found[call] {
			t.Errorf("the list of passwords names %s, which does not exist", call)
		}
		if strings.HasPrefix(shown, ":") {
			continue
		}
		for row := range strings.FieldsSeq(shown) {
			if !rows[row] {
				t.Errorf("%s: e2e/hostile/mfa_test.go has no row %s", call, row)
			}
		}
	}
}

// passwordCalls are the uses of passwordChecks in a file, as "package.function
// check".
func passwordCalls(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range f.Decls {
		within := path.Base(path.Dir(file)) + "."
		if fn, ok := d.(*ast.FuncDecl); ok {
			within += fn.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			var used *ast.SelectorExpr
			switch n := n.(type) {
			case *ast.CallExpr:
				used, _ = n.Fun.(*ast.SelectorExpr)
			case *ast.SelectorExpr: // a method that is handed on; a Password elsewhere is a field
				if of, ok := n.X.(*ast.SelectorExpr); n.Sel.Name != "Password" || ok && of.Sel.Name == "authn" {
					used = n
				}
			}
			if used != nil && slices.Contains(passwordChecks, used.Sel.Name) && !slices.Contains(out, within+" "+used.Sel.Name) {
				out = append(out, within+" "+used.Sel.Name)
			}
			return true
		})
	}
	return out
}
