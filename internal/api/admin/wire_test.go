package admin

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// fill sets every exported field below v to something.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`1`))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.String:
		v.SetString("text")
	default:
		panic("a kind of field that no site had: " + v.Kind().String())
	}
}

// TestWireFormOmitsNothing sends a site that says something everywhere, and one
// whose lists are empty, which is not the same as none.
func TestWireFormOmitsNothing(t *testing.T) {
	t.Parallel()
	var full directory.SiteSpec
	fill(reflect.ValueOf(&full).Elem())
	empty := directory.SiteSpec{
		Realms:        []directory.RealmSpec{{UserPool: &directory.UserPoolSpec{Clients: []directory.PoolClientSpec{{Secrets: []identity.Secret{}}, {}}}}},
		Users:         []directory.UserSpec{{PoolGroups: []string{}, Attributes: map[string]string{}}, {}},
		IdentityPools: []directory.IdentityPoolSpec{{Tags: map[string]string{}}, {}},
	}
	for name, spec := range map[string]directory.SiteSpec{"full": full, "empty": empty} {
		text, err := json.Marshal(encodeSpec(spec))
		if err != nil {
			t.Fatal(err)
		}
		var w wireSpec
		if err := json.Unmarshal(text, &w); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(spec, w.decode(), cmp.Transformer("reveal", identity.Secret.Reveal)); d != "" {
			t.Errorf("%s (-sent +received)\n%s", name, d)
		}
	}
}
