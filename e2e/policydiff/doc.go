// Package policydiff holds daypass/internal/policy against another engine of
// the same language, the one in versitygw, on random documents and requests.
//
// The two differ in places; docs/policy.md lists them. Each is written down
// here as a rule of translation (translate_test.go): it turns the document and
// the request into ones on which the other engine must give our answer. An
// answer that no rule accounts for fails the test.
//
// DAYPASS_POLICY_SEED repeats a run; DAYPASS_SOAK=1 makes it long.
package policydiff
