package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"time"

	"daypass/internal/identity"
	"daypass/internal/operate"
)

// Backups makes backups: *operate.Operations.
//
// The answer is multipart/mixed: the files, each a part with its kind as
// Content-ID, as they come; then a part "report", or "error" when it broke off.
// Without a report what came is no backup.
type Backups interface {
	BackUp(ctx context.Context, c *identity.Caller, in operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error)
}

// Names of the parts that are no files.
const (
	partReport = "report"
	partError  = "error"
)

// partTimeout bounds the time that one write may take.
const partTimeout = 2 * time.Minute

// backUp answers in parts, so that neither end holds more of it than a buffer.
func (h *Handler) backUp(b Backups) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		caller := h.config.Operator(identity.RequestOf(r.Context()))
		var in operate.BackupRequest
		if err := decode(r, &in); err != nil {
			h.refuse(w, r, err)
			return
		}
		control := http.NewResponseController(w)
		control.SetReadDeadline(time.Time{})
		parts := &backupParts{w: w, control: control}
		report, err := b.BackUp(r.Context(), &caller, in, parts)
		switch {
		case err != nil && parts.mime == nil:
			h.refuse(w, r, err)
		case err != nil:
			parts.value(partError, h.told(r, err))
		default:
			parts.value(partReport, report)
		}
	}
}

// backupParts are the parts of the answer.
type backupParts struct {
	w       http.ResponseWriter
	control *http.ResponseController
	mime    *multipart.Writer // nil until the first part begins
}

// Begin is operate.BackupFiles'.
func (p *backupParts) Begin(kind operate.BackupKind) (io.Writer, error) {
	return p.part(string(kind), "application/octet-stream")
}

func (p *backupParts) part(name, contentType string) (io.Writer, error) {
	if p.mime == nil {
		p.mime = multipart.NewWriter(p)
		p.w.Header().Set("Content-Type", mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": p.mime.Boundary()}))
		p.w.Header().Set("Cache-Control", "no-store")
	}
	return p.mime.CreatePart(textproto.MIMEHeader{"Content-Id": {name}, "Content-Type": {contentType}})
}

// Write gives every write its own time.
func (p *backupParts) Write(b []byte) (int, error) {
	p.control.SetWriteDeadline(time.Now().Add(partTimeout))
	return p.w.Write(b)
}

// value ends the answer. Should it fail, the other end sees that it broke off.
func (p *backupParts) value(name string, v any) {
	to, err := p.part(name, "application/json")
	if err != nil || json.NewEncoder(to).Encode(v) != nil {
		return
	}
	p.mime.Close()
}

// BackUp makes a backup. begin is told the kind of each file as it comes, and
// returns what takes it; only when BackUp returns without an error is it whole.
func (c *Client) BackUp(ctx context.Context, in operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error) {
	var report operate.Backup
	response, err := c.send(ctx, http.MethodPost, "/v1/backup", in)
	if err != nil {
		return report, err
	}
	defer response.Body.Close()
	_, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		return report, notUnderstood(err)
	}
	parts := multipart.NewReader(response.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return report, brokeOff(err)
		}
		switch name := part.Header.Get("Content-Id"); name {
		case partReport:
			if err := json.NewDecoder(io.LimitReader(part, MaxBody)).Decode(&report); err != nil {
				return report, notUnderstood(err)
			}
			return report, nil
		case partError:
			answer, err := io.ReadAll(io.LimitReader(part, MaxBody))
			return report, errors.Join(err, refusal(answer))
		default:
			if err := take(part, operate.BackupKind(name), files); err != nil {
				return report, err
			}
		}
	}
}

// take writes a part where it belongs; an error of the file is told as it is.
func take(part io.Reader, kind operate.BackupKind, files operate.BackupFiles) error {
	to, err := files.Begin(kind)
	if err != nil {
		return err
	}
	in := &readError{Reader: part}
	if _, err := io.Copy(to, in); in.err != nil {
		return brokeOff(in.err)
	} else if err != nil {
		return err
	}
	return nil
}

// readError remembers whether it was the reading that failed.
type readError struct {
	io.Reader
	err error
}

func (r *readError) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
