package hostile

import (
	"strings"
	"time"
)

// badTokenCalls are requests to the token service that get no keys.
func badTokenCalls(r *rig, root keys) []badRequest {
	good := "Bearer " + r.shastaTokens().Access
	cut := good[:strings.LastIndexByte(good, '.')+5]
	put := func(authorization string, change ...func(*call)) call {
		c := call{method: "PUT", target: "/apis/sts/token", header: header("Authorization", authorization)}
		for _, fn := range change {
			fn(&c)
		}
		return c
	}
	at := func(target string) func(*call) { return func(c *call) { c.target = target } }
	by := func(method string) func(*call) { return func(c *call) { c.method = method } }
	with := func(name, value string) func(*call) {
		return func(c *call) { c.header = append(c.header, [2]string{name, value}) }
	}
	const forwarded = "X-Forwarded-Access-Token"
	out := []badRequest{
		{name: "nothing", call: call{method: "PUT", target: "/apis/sts/token"}, status: 401},
		{name: "garbage", call: put("Bearer garbage"), status: 401},
		{name: "three parts of it", call: put("Bearer a.b.c"), status: 401},
		{name: "a signature cut off", call: put(cut), status: 401},
		{name: "no signature", call: put(good[:strings.LastIndexByte(good, '.')+1]), status: 401},
		{name: "lower case", call: put(strings.Replace(good, "B", "b", 1)), status: 401},
		{name: "two spaces", call: put(strings.Replace(good, " ", "  ", 1)), status: 401},
		{name: "two tokens", call: put(good, with("Authorization", good)), status: 401},
		{name: "two that differ", call: put(good, with(forwarded, "a.b.c")), status: 401},
		{name: "a token that is too long", call: put("Bearer " + strings.Repeat("a", 15<<10)), status: 401},
		{name: "headers that are too long", call: put(good, with("X-Long", strings.Repeat("a", 16<<10))), status: 413},
		{name: "a body of more than 1 MiB", call: put(good, func(c *call) { c.body = strings.Repeat("x", 1<<20+1) }), status: 413},
		{name: "signed", call: call{method: "PUT", target: "/apis/sts/token", keys: root}, status: 400},
		{name: "signed for sts", call: call{method: "PUT", target: "/apis/sts/token", keys: root, service: "sts"}, status: 400},
		{name: "presigned, with a bearer", call: put(good, func(c *call) { c.keys, c.presign = root, time.Minute }), status: 400},
		{name: "a target of no service", call: put(good, with("X-Amz-Target", "Foo.Bar")), status: 400},
		{name: "POST", call: put(good, by("POST")), status: 405},
		{name: "GET", call: put(good, by("GET")), status: 405},
		{name: "DELETE of health", call: put(good, at("/apis/sts/healthz"), by("DELETE")), status: 405},
		{name: "a slash at the end", call: put(good, at("/apis/sts/token/")), status: 404},
		{name: "dots", call: put(good, at("/apis/sts/x/../token")), status: 404},
		{name: "two slashes", call: put(good, at("/apis/sts//token")), status: 404},
		{name: "an escape", call: put(good, at("/apis/sts/%74oken")), status: 404},
		{name: "the prefix", call: put(good, at("/apis/sts/")), status: 404},
	}
	for i := range out {
		out[i].name, out[i].envelope = "token service: "+out[i].name, "problem"
	}
	return out
}
