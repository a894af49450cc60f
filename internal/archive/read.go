package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"maps"
	"slices"

	"filippo.io/age"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Read reads an archive to its end and calls fn (which may be nil) for each row.
// Only what it returns without an error was whole: rows come before that is
// known. KindValidation, with what is wrong, for everything that is no whole
// archive of this version for one of the identities; errors of fn as they are.
func Read(r io.Reader, as []age.Identity, fn func(Header, store.Row) error) (Facts, error) {
	in, err := open(r, as)
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{Header: in.header}
	for {
		l, err := in.next()
		switch {
		case err != nil:
			return facts, err
		case l.End != nil:
			facts.Closing = *l.End
			return facts, in.closed(l.End)
		case fn != nil:
			if err := fn(in.header, l.Row.row()); err != nil {
				return facts, err
			}
		}
	}
}

// ReadHeader reads only how an archive begins, and says nothing of the rest.
func ReadHeader(r io.Reader, as []age.Identity) (Header, error) {
	in, err := open(r, as)
	if err != nil {
		return Header{}, err
	}
	return in.header, nil
}

// reader is an archive that is being read.
type reader struct {
	header Header
	tables map[string]bool
	in     *bufio.Reader
	sum    hash.Hash // of the lines before the last one
	rows   int
	counts map[string]int
}

var errCut = invalid("The archive is damaged or was cut short; it is of no use. Take another one.")

func open(r io.Reader, as []age.Identity) (*reader, error) {
	plain, err := age.Decrypt(r, as...)
	if noMatch := (*age.NoIdentityMatchError)(nil); errors.As(err, &noMatch) {
		return nil, invalid("The archive was made for other recipients: none of the identities opens it.")
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindValidation, Op: "archive", Public: "The file is no archive of a backup, or it is damaged.", Err: err}
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		return nil, cut(err)
	}
	in := &reader{in: bufio.NewReaderSize(unpacked, 64<<10), sum: sha256.New(), tables: map[string]bool{}, counts: map[string]int{}}
	first, err := in.line()
	if err != nil {
		return nil, err
	}
	if err := in.begin(first); err != nil {
		return nil, err
	}
	in.sum.Write(first)
	return in, nil
}

// begin judges the header. What a newer version wrote is not looked into.
func (in *reader) begin(first []byte) error {
	h := &in.header
	if json.Unmarshal(first, h) != nil || h.Format != format || h.Version < 1 {
		return invalid("The file is no archive of a backup.")
	}
	if h.Version > Version {
		return invalid("The archive has format %d, made by a newer version of Daypass (%s); this one knows %d. Restore it with that version.", h.Version, h.MadeBy, Version)
	}
	if h.Kind != KindSite && h.Kind != KindSlots {
		return invalid("The archive is of a kind that this version does not know: %q.", h.Kind)
	}
	known := store.TableNames()
	for _, t := range h.Tables {
		if _, ok := slices.BinarySearch(known, t); !ok {
			return invalid("The archive has a table %q, made by a newer version of Daypass (%s). Restore it with that version.", t, h.MadeBy)
		}
		in.tables[t] = true
	}
	return nil
}

// line is the next line with its end, at most maxLine of it.
func (in *reader) line() ([]byte, error) {
	var out []byte
	for {
		part, err := in.in.ReadSlice('\n')
		out = append(out, part...)
		switch {
		case err == nil:
			return out, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, cut(err)
		case len(out) > maxLine:
			return nil, invalid("The archive has a line that is too long.")
		}
	}
}

func (in *reader) next() (line, error) {
	text, err := in.line()
	if err != nil {
		return line{}, err
	}
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&l) != nil || (l.Row == nil) == (l.End == nil) {
		return line{}, errCut
	}
	if l.Row != nil {
		if !in.tables[l.Row.Table] || l.Row.Key == "" || len(l.Row.Value) == 0 {
			return line{}, errCut
		}
		in.rows++
		in.counts[l.Row.Table]++
		in.sum.Write(text)
	}
	return l, nil
}

// closed judges the last line, and that nothing comes after it.
func (in *reader) closed(end *Closing) error {
	if end.Rows != in.rows || !maps.Equal(end.Counts, in.counts) || end.SHA256 != hex.EncodeToString(in.sum.Sum(nil)) {
		return errCut
	}
	switch _, err := in.in.ReadByte(); {
	case err == nil:
		return errCut
	case !errors.Is(err, io.EOF):
		return cut(err)
	}
	return nil
}

// cut keeps the cause for the log.
func cut(err error) error {
	e := *identity.AsError(errCut)
	e.Err = err
	return &e
}
