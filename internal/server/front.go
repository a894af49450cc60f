package server

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"daypass/internal/identity"
)

const (
	// maxHeaderBytes is the limit of all control APIs and of S3. net/http adds
	// 4 KiB of slop before it answers 431 by itself; in between the service
	// answers in its own envelope.
	maxHeaderBytes = 16 << 10
	maxHeaderCount = 128
)

// Front is the handler of the main listeners: it gives every request an ID,
// its facts, limits, a log line and a place in the metrics, and hands it to the
// dialect that Router picks.
type Front struct {
	Router   *Router
	Dialects map[string]http.Handler // by service
	Proxies  proxies
	Log      *slog.Logger
	// Access gets a line per request; nil for none.
	Access  *accessLog
	Metrics *Metrics
	Clock   identity.Clock
}

// ServeHTTP serves one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := f.Clock.Now()
	facts := f.Proxies.facts(r, newRequestID())
	rec := recorder{ResponseWriter: w, control: http.NewResponseController(w)}
	rec.conn, _ = r.Context().Value(answerConnKey{}).(*answerConn)
	defer rec.finish()
	f.Metrics.inFlight.Inc()
	defer f.Metrics.inFlight.Dec()
	route := f.route(&rec, r, &facts)
	took := f.Clock.Now().Sub(began)
	f.Metrics.observe(&route, r, rec.code(), took)
	f.Access.write(&accessLine{at: began.Add(took), took: took, facts: &facts, route: &route, r: r, status: rec.code(), bytes: rec.written})
}

// route refuses what is beyond a limit, picks the dialect and calls it. A panic
// becomes the dialect's internal error, if nothing was sent yet.
func (f *Front) route(rec *recorder, r *http.Request, facts *identity.RequestFacts) (route Route) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		f.Metrics.panics.Inc()
		f.Log.Error("panic", "id", facts.ID, "service", route.Service, "value", v, "stack", string(debug.Stack()))
		if rec.status != 0 {
			// Half an answer is out; only a broken connection tells the client.
			panic(http.ErrAbortHandler)
		}
		refuse(rec, r, route.Service, facts.ID, &identity.Error{Kind: identity.KindInternal, Op: "server.route"})
	}()
	form := r.Method == http.MethodPost && len(r.RequestURI) > 0 && isForm(r)
	if form {
		rec.control.SetReadDeadline(time.Now().Add(peekTimeout))
	}
	route = f.Router.Route(r)
	if form {
		rec.control.SetReadDeadline(time.Time{})
	}
	facts.Dialect = route.Service
	if tooManyHeaders(r) {
		route.Err = identity.NewError(identity.KindTooLarge, "server.route", "Your request header section exceeds the maximum allowed size.")
	}
	handler, served := f.Dialects[route.Service]
	if !served && route.Err == nil {
		route.Err = identity.NewError(identity.KindNotImplemented, "server.route", "")
	}
	if route.Err != nil {
		f.Log.Info("request refused", "id", facts.ID, "service", route.Service, "cause", route.Err)
		refuse(rec, r, route.Service, facts.ID, route.Err)
		return route
	}
	// net/http must find its own body in r: it then lingers after a refusal
	// whose body was not read, or the reset that follows eats the answer.
	inner := r.WithContext(identity.WithRequest(r.Context(), *facts))
	if _, peeked := r.Body.(*rejoined); !peeked && r.Body != nil && r.Body != http.NoBody {
		inner.Body = &steadyBody{ReadCloser: r.Body, control: rec.control}
	}
	if route.Service == serviceOIDC || route.Service == serviceCray { // the AWS dialects have headers of their own for it
		rec.Header().Set("X-Request-Id", facts.ID)
	}
	handler.ServeHTTP(rec, inner)
	return route
}

func tooManyHeaders(r *http.Request) bool {
	bytes, count := len(r.RequestURI)+len(r.Host), 0
	for name, values := range r.Header {
		for _, v := range values {
			bytes += len(name) + len(v) + len(": \r\n")
			count++
		}
	}
	return bytes > maxHeaderBytes || count > maxHeaderCount
}
