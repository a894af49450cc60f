package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"daypass/internal/identity"
	"daypass/internal/operate"
)

// checkLine is one line of the answer to a check: exactly one member is there.
type checkLine struct {
	Bucket  string                `json:"bucket,omitempty"`
	Finding *operate.CheckFinding `json:"finding,omitempty"`
	Report  *operate.CheckReport  `json:"report,omitempty"`
}

// checkLineTimeout bounds the time between two lines, both ways.
const checkLineTimeout = 2 * time.Minute

// checkUpstream answers line by line, so that people see it work. Should they
// hang up, the check ends and cleans up.
func (h *Handler) checkUpstream(s Stores) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller := h.config.Operator(identity.RequestOf(r.Context()))
		control := http.NewResponseController(w)
		line := func(l checkLine) {
			control.SetWriteDeadline(time.Now().Add(checkLineTimeout))
			json.NewEncoder(w).Encode(l)
			control.Flush()
		}
		watch := operate.CheckWatch{
			Began: func(bucket string) {
				w.Header().Set("Content-Type", "application/x-ndjson")
				w.Header().Set("Cache-Control", "no-store")
				line(checkLine{Bucket: bucket})
			},
			Found: func(f operate.CheckFinding) {
				control.SetReadDeadline(time.Now().Add(checkLineTimeout))
				line(checkLine{Finding: &f})
			},
		}
		report, err := s.CheckUpstream(r.Context(), &caller, r.PathValue("name"), watch)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		if len(report.Left) > 0 {
			h.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "a check left buckets behind", slog.String("upstream", report.Upstream), slog.Any("buckets", report.Left))
		}
		line(checkLine{Report: &report})
	}
}

// CheckUpstream tries what the gate needs of a store; w is told of it as it
// goes on. Ending ctx breaks it off, and the server still removes what the
// check made.
func (c *Client) CheckUpstream(ctx context.Context, name string, w operate.CheckWatch) (operate.CheckReport, error) {
	var report operate.CheckReport
	body, err := c.open(ctx, http.MethodPost, "/v1/upstreams/"+url.PathEscape(name)+"/check", nil)
	if err != nil {
		return report, err
	}
	defer body.Close()
	lines := bufio.NewScanner(io.LimitReader(body, MaxBody))
	lines.Buffer(nil, MaxBody)
	for lines.Scan() {
		var l checkLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return report, notUnderstood(err)
		}
		switch {
		case l.Report != nil:
			return *l.Report, nil
		case l.Finding != nil && w.Found != nil:
			w.Found(*l.Finding)
		case l.Bucket != "" && w.Began != nil:
			w.Began(l.Bucket)
		}
	}
	return report, brokeOff(lines.Err())
}
