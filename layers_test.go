package daypass_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers is the house: a package imports strictly lower layers, never a
// sibling. Change this table together with docs/adr.
var layers = map[string]int{
	"internal/identity":         0,
	"internal/sigv4":            0,
	"internal/awswire":          1, // reads identity's error kinds: ADR 0005
	"internal/policy":           1,
	"internal/store":            1,
	"internal/egress":           1,
	"internal/yamldoc":          1,
	"internal/strictwire":       1,
	"internal/store/storetest":  2,
	"internal/store/sqlite":     2,
	"internal/keyring":          2,
	"internal/audit":            2,
	"internal/upstream":         2,
	"internal/archive":          2,
	"internal/token":            3,
	"internal/probe":            3,
	"internal/authn":            4,
	"internal/access":           5,
	"internal/directory":        6,
	"internal/issue":            6,
	"internal/operate":          6,
	"internal/kms":              6,
	"internal/api/oidc":         7,
	"internal/api/sts":          7,
	"internal/api/iam":          7,
	"internal/api/admin":        7,
	"internal/api/cognito":      7,
	"internal/api/stax":         7,
	"internal/api/cray":         7,
	"internal/api/ibm":          7,
	"internal/api/keyprotect":   7,
	"internal/gateway/s3":       7,
	"internal/gateway/embedded": 7,
	"internal/console":          7,
	"internal/site":             7,
	"internal/server":           8,
	"internal/client":           8,
	"cmd/daypass":               9,
	"internal/wiretest":         1, // for tests only
	"internal/passkeytest":      1, // for tests only
	"internal/stacktest":        7, // for tests only: the core wired up
}

// testOnly packages are imported by tests and by each other, never by the product.
var testOnly = []string{"internal/wiretest", "internal/passkeytest", "internal/stacktest", "internal/store/storetest"}

// doors are what dialects, gateway, console and site may see.
var doors = []string{
	"internal/identity", "internal/awswire", "internal/strictwire", "internal/access", "internal/directory", "internal/issue", "internal/kms", "internal/operate",
}

// further is what single packages of the top may see besides.
var further = map[string][]string{
	"internal/gateway/s3":       {"internal/sigv4", "internal/upstream"},
	"internal/gateway/embedded": {"internal/upstream"},
	"internal/site":             {"internal/yamldoc"},
}

// only closes what a package may see of this module: the command line's client
// speaks to servers over the public wire.
var only = map[string][]string{
	"internal/client": {"internal/identity", "internal/sigv4", "internal/yamldoc"},
}

const module = "daypass/"

func TestLayers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range goFiles(t) {
		pkg := path.Dir(f.path)
		if f.file.Name.Name == "daypass_test" || pkg == "." {
			continue
		}
		level, ok := layers[pkg]
		if !ok {
			t.Errorf("%s: package %s has no row in the table of layers", f.path, pkg)
			continue
		}
		seen[pkg] = true
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, imp := range f.imports() {
			to, own := strings.CutPrefix(imp, module)
			if !own {
				continue
			}
			if slices.Contains(testOnly, to) && !slices.Contains(testOnly, pkg) {
				t.Errorf("%s imports %s, which is for tests", f.path, to)
			}
			if l, ok := layers[to]; !ok || l >= level {
				t.Errorf("%s (layer %d) imports %s (layer %d): only strictly lower layers", f.path, level, to, l)
			}
			if list, closed := only[pkg]; closed && !slices.Contains(list, to) {
				t.Errorf("%s imports %s, and package %s sees only %v", f.path, to, pkg, list)
			}
			if level == 7 && !slices.Contains(testOnly, pkg) && !slices.Contains(doors, to) && !slices.Contains(further[pkg], to) {
				t.Errorf("%s imports %s, which lies behind the doors %v", f.path, to, doors)
			}
		}
	}
	for pkg := range layers {
		if !seen[pkg] {
			t.Errorf("the table of layers names %s, which does not exist", pkg)
		}
	}
}

// TestPackageDocs demands one package comment per package.
func TestPackageDocs(t *testing.T) {
	t.Parallel()
	docs, all := map[string][]string{}, map[string]bool{}
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.path, "_test.go") || path.Dir(f.path) == "." {
			continue
		}
		all[path.Dir(f.path)] = true
		if f.file.Doc != nil {
			docs[path.Dir(f.path)] = append(docs[path.Dir(f.path)], f.path)
		}
	}
	for pkg := range all {
		if len(docs[pkg]) != 1 {
			t.Errorf("package %s has %d package comments (%v), want one", pkg, len(docs[pkg]), docs[pkg])
		}
	}
}

// forbidden are modules that must never be linked into the credential server.
var forbidden = map[string]string{
	"github.com/versity/versitygw": "the object store is a process of its own",
	"github.com/aws/aws-sdk-go-v2": "SDKs are for tests, in e2e/",
	"github.com/golang-jwt/jwt/v5": "go-jose is the one JOSE library",
	"math/rand":                    "crypto/rand",
	"math/rand/v2":                 "crypto/rand",
	"github.com/mattn/go-sqlite3":  "builds are without cgo",
	"github.com/stretchr/testify":  "plain tests",
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, imp := range f.imports() {
			for bad, why := range forbidden {
				if imp == bad || strings.HasPrefix(imp, bad+"/") {
					t.Errorf("%s imports %s: %s", f.path, imp, why)
				}
			}
		}
	}
}

type goFile struct {
	path string
	file *ast.File
}

func (f goFile) imports() []string {
	var out []string
	for _, i := range f.file.Imports {
		s, _ := strconv.Unquote(i.Path.Value)
		out = append(out, s)
	}
	return out
}

// goFiles parses the imports of every Go file of the root module.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var out []goFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (n == "e2e" || n == "objectstore" || n == "testdata" || strings.HasPrefix(n, ".") || n == "daypass-data" || n == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ImportsOnly|parser.ParseComments)
		out = append(out, goFile{filepath.ToSlash(p), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
