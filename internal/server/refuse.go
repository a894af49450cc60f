package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"daypass/internal/api/cray"
	"daypass/internal/api/ibm"
	"daypass/internal/api/keyprotect"
	"daypass/internal/api/stax"
	"daypass/internal/awswire"
	"daypass/internal/identity"
)

// hostID is S3's x-amz-id-2.
const hostID = "daypass"

// refuse answers a request that no dialect gets to see, in the envelope of the
// service it was for.
func refuse(w http.ResponseWriter, r *http.Request, service, requestID string, err error) {
	// What was not read of the body must not be taken for the next request.
	w.Header().Set("Connection", "close")
	switch service {
	case serviceSTS:
		awswire.WriteQueryError(w, awswire.STS, requestID, err)
	case serviceIAM:
		awswire.WriteQueryError(w, awswire.IAM, requestID, err)
	case serviceOIDC, servicePool:
		refuseJSON(w, requestID, err)
	case serviceCognitoIDP, serviceCognitoIdentity:
		w.Header().Set("Access-Control-Allow-Origin", "*")
		awswire.WriteJSONError(w, requestID, err)
	case serviceCray:
		w.Header().Set("X-Request-Id", requestID)
		cray.WriteError(w, err)
	case serviceAPI:
		stax.WriteError(w, requestID, err)
	case serviceIBM:
		ibm.WriteError(w, r, requestID, err)
	case serviceKMS:
		keyprotect.WriteError(w, r, requestID, err)
	default:
		path, _, _ := strings.Cut(r.RequestURI, "?")
		awswire.WriteS3Error(w, awswire.S3Request{Method: r.Method, ID: requestID, HostID: hostID, Resource: cut(path, 1024)}, err)
	}
}

// refuseJSON answers in the form of RFC 6749 §5.2.
func refuseJSON(w http.ResponseWriter, requestID string, err error) {
	e := identity.AsError(err)
	status, code, text := http.StatusBadRequest, "invalid_request", e.Public
	switch e.Kind {
	case identity.KindInternal:
		status, code, text = http.StatusInternalServerError, "server_error", ""
	case identity.KindAccessDenied:
		status, code = http.StatusForbidden, "access_denied"
	case identity.KindTooLarge:
		status = http.StatusRequestEntityTooLarge
	case identity.KindScopeService:
		text = "The request names more than one service; this path belongs to a realm."
	}
	if text == "" {
		text = "The request could not be processed; its ID is " + requestID + "."
	}
	body, _ := json.Marshal(map[string]string{"error": code, "error_description": text})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", requestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
