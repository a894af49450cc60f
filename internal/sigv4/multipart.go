package sigv4

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode/utf8"
)

const (
	formWindow    = 64 << 10
	maxPartHeader = 8 << 10
)

// multipart reads multipart/form-data strictly and counts what it has read, so
// that the length of the file follows from that of the body: mime/multipart
// reads ahead and does not tell how far.
type multipart struct {
	body      *bufio.Reader
	delimiter []byte // CRLF, two hyphens, boundary
	taken     int64
	begun     bool
	bare      bool // no CRLF follows the closing delimiter
}

type part struct {
	name     string // lower case
	filename string
}

func newMultipart(body io.Reader, boundary string) *multipart {
	return &multipart{body: bufio.NewReaderSize(body, formWindow), delimiter: []byte("\r\n--" + boundary)}
}

func (m *multipart) discard(n int) {
	m.body.Discard(n)
	m.taken += int64(n)
}

// nextPart goes over a delimiter and reads the header of the part behind it.
// It returns io.EOF at the closing delimiter.
func (m *multipart) nextPart() (part, error) {
	delimiter := m.delimiter
	if !m.begun {
		m.begun = true
		// Before the first delimiter there may be no CRLF.
		if b, err := m.body.Peek(1); err == nil && b[0] == '-' {
			delimiter = delimiter[2:]
		}
	}
	b, err := m.body.Peek(len(delimiter) + 2)
	if err != nil {
		return part{}, truncated(err)
	}
	if !bytes.HasPrefix(b, delimiter) {
		return part{}, refuse(FailureFormMalformed)
	}
	after := string(b[len(delimiter):])
	m.discard(len(b))
	switch after {
	case "\r\n":
		return m.partHeader()
	case "--":
		return part{}, io.EOF
	}
	return part{}, refuse(FailureFormMalformed)
}

func (m *multipart) partHeader() (part, error) {
	var p part
	seen := false
	for left := maxPartHeader; ; {
		line, err := m.headerLine(left)
		if err != nil {
			return p, err
		}
		if left -= len(line) + 2; line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !headerName(strings.ToLower(name)) {
			return p, refuse(FailureFormMalformed)
		}
		switch strings.ToLower(name) {
		case "content-disposition":
			if seen || !p.disposition(value) {
				return p, refuse(FailureFormMalformed)
			}
			seen = true
		case "content-transfer-encoding":
			switch strings.ToLower(strings.TrimSpace(value)) {
			case "7bit", "8bit", "binary":
			default:
				return p, refuse(FailureFormMalformed)
			}
		}
	}
	if !seen {
		return p, refuse(FailureFormMalformed)
	}
	return p, nil
}

func (p *part) disposition(value string) bool {
	kind, params, err := mime.ParseMediaType(value)
	p.name, p.filename = strings.ToLower(params["name"]), params["filename"]
	return err == nil && kind == "form-data" && p.name != "" && len(p.name) <= maxFieldName &&
		utf8.ValidString(p.name) && utf8.ValidString(p.filename)
}

// headerLine returns a line without its CRLF.
func (m *multipart) headerLine(most int) (string, error) {
	raw, err := m.body.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return "", truncated(err)
	}
	m.taken += int64(len(raw))
	line, ok := bytes.CutSuffix(raw, []byte("\r\n"))
	if !ok || len(raw) > most {
		return "", refuse(FailureFormMalformed)
	}
	return string(line), nil
}

// value reads the content of a field, which ends before the next delimiter.
func (m *multipart) value(most int) (string, error) {
	b, err := m.body.Peek(max(most, 0) + len(m.delimiter))
	i := bytes.Index(b, m.delimiter)
	switch {
	case i >= 0:
		v := string(b[:i])
		m.discard(i)
		return v, nil
	case err != nil:
		return "", truncated(err)
	}
	return "", refuse(FailureFormTooLarge)
}

// promised is the length of the file that begins here, from that of the whole
// body. A form ends in CRLF; one that does not is understood only if the rest
// fits into the window, because otherwise its end is not yet known.
func (m *multipart) promised(contentLength int64) (int64, error) {
	rest := contentLength - m.taken
	end := int64(len(m.delimiter) + len("--\r\n"))
	if rest > 0 && rest <= formWindow {
		b, err := m.body.Peek(int(rest))
		if err != nil {
			return 0, truncated(err)
		}
		if m.bare = !bytes.HasSuffix(b, []byte("\r\n")); m.bare {
			end -= 2
		}
	}
	if rest < end {
		return 0, refuse(FailureIncompleteBody)
	}
	return rest - end, nil
}

// formFile is the content of the file.
type formFile struct {
	m      *multipart
	length int64
	total  int64
	clean  int // bytes in the window that no delimiter begins in
	err    error
}

// Read implements io.Reader.
func (f *formFile) Read(p []byte) (int, error) {
	if f.err != nil || len(p) == 0 {
		return 0, f.err
	}
	n, err := f.read(p)
	f.err = err
	return n, err
}

func (f *formFile) read(p []byte) (int, error) {
	if f.clean == 0 {
		last, err := f.scan()
		if err != nil {
			return 0, err
		}
		if last {
			return 0, f.finish()
		}
	}
	b, _ := f.m.body.Peek(min(f.clean, len(p)))
	n := copy(p, b)
	f.m.discard(n)
	f.total += int64(n)
	f.clean -= n
	if f.total < f.length {
		return n, nil
	}
	// These bytes complete what was promised.
	if err := f.finish(); !errors.Is(err, io.EOF) {
		return 0, err
	}
	return n, io.EOF
}

// scan looks for the delimiter in a window of at least two bytes more than it
// has, and reports whether it is what comes next.
func (f *formFile) scan() (bool, error) {
	d := f.m.delimiter
	_, err := f.m.body.Peek(len(d) + 2)
	b, _ := f.m.body.Peek(f.m.body.Buffered())
	i := bytes.Index(b, d)
	switch {
	case i >= 0:
		f.clean = i
	case err != nil:
		return false, truncated(err)
	default:
		f.clean = len(b) - len(d) + 1
	}
	return i == 0, nil
}

// finish demands the closing delimiter and the end of the body, exactly where
// they were promised. It returns io.EOF if all is right.
func (f *formFile) finish() error {
	if f.total != f.length {
		// Behind the early delimiter stands another part, or rubbish.
		if _, err := f.m.nextPart(); err == nil {
			return refuse(FailureFormFiles)
		}
		return refuse(FailureFormMalformed)
	}
	_, err := f.m.nextPart()
	switch {
	case err == nil:
		return refuse(FailureFormFiles)
	case !errors.Is(err, io.EOF):
		return err
	}
	if !f.m.bare {
		b, err := f.m.body.Peek(2)
		if err != nil {
			return truncated(err)
		}
		if string(b) != "\r\n" {
			return refuse(FailureFormMalformed)
		}
		f.m.discard(2)
	}
	if err := drained(f.m.body); err != nil {
		if FailureOf(err) != "" {
			return refuse(FailureFormMalformed)
		}
		return err
	}
	return io.EOF
}
