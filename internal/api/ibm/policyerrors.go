package ibm

import "strings"

// policyError is the error of the policy API.
type policyError struct {
	Trace      string         `json:"trace"`
	Errors     []policyDetail `json:"errors"`
	StatusCode int            `json:"status_code"`
}

type policyDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// isPolicyPath tells the paths of the policy API from those of the identity API.
func isPolicyPath(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	for _, prefix := range []string{policiesPath, policiesV2Path, rolesPath} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// policyCodes are the codes of the policy API, spelt as it spells them.
var policyCodes = map[int]string{
	400: "invalid_body", 401: "invalid_token", 403: "insufficent_permissions", 404: "not_found", 405: "unable_to_process",
	409: "policy_conflict_error", 413: "unable_to_process", 429: "too_many_requests",
}

func policyCode(f *failure, target string) string {
	if path, _, _ := strings.Cut(target, "?"); f.status == 404 && strings.Count(path, "/") == strings.Count(policiesPath, "/")+1 {
		return "policy_not_found"
	}
	if code, ok := policyCodes[f.status]; ok {
		return code
	}
	return "request_not_processed"
}
