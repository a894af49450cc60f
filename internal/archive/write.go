package archive

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"strings"

	"filippo.io/age"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxRecipients is far more than a site has people who keep its backups.
const maxRecipients = 32

// Recipients reads age recipients (age1…), as age itself does: each a line, empty
// lines and those that begin with # left out. KindValidation.
func Recipients(lines []string) ([]age.Recipient, error) {
	to, err := age.ParseRecipients(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return nil, invalid("The recipients of a backup are age recipients, such as age1…: %v.", err)
	}
	if len(to) > maxRecipients {
		return nil, invalid("A backup has at most %d recipients.", maxRecipients)
	}
	return to, nil
}

// Writer writes an archive.
type Writer struct {
	sealed io.WriteCloser // age
	packed *gzip.Writer
	out    *bufio.Writer
	sum    hash.Hash
	tables map[string]bool
	end    Closing
}

// NewWriter begins an archive with its header, whose format and version it sets.
func NewWriter(w io.Writer, to []age.Recipient, h Header) (*Writer, error) {
	h.Format, h.Version = format, Version
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, err
	}
	out := &Writer{sealed: sealed, packed: gzip.NewWriter(sealed), sum: sha256.New(), tables: map[string]bool{}, end: Closing{Counts: map[string]int{}}}
	for _, t := range h.Tables {
		out.tables[t] = true
	}
	out.out = bufio.NewWriterSize(io.MultiWriter(out.packed, out.sum), 64<<10)
	return out, out.line(h)
}

func (w *Writer) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) >= maxLine {
		return errors.New("archive: a row is too long")
	}
	_, err = w.out.Write(append(b, '\n'))
	return err
}

// Row adds a row of one of the tables that the header names.
func (w *Writer) Row(row store.Row) error {
	if !w.tables[row.Table] {
		return errors.New("archive: table " + row.Table + " is not in the header")
	}
	w.end.Rows++
	w.end.Counts[row.Table]++
	return w.line(line{Row: &rowLine{row.Table, row.Key, row.Value}})
}

// Close ends the archive; seal makes the seal of Closing.Sealed. Without Close it
// is no archive.
func (w *Writer) Close(at identity.Position, seal func([]byte) (string, error)) (Closing, error) {
	err := w.out.Flush()
	if err != nil {
		return Closing{}, err
	}
	w.end.Position, w.end.SHA256 = at, hex.EncodeToString(w.sum.Sum(nil))
	if w.end.Seal, err = seal(w.end.Sealed()); err != nil {
		return Closing{}, err
	}
	if err := w.line(line{End: &w.end}); err != nil {
		return Closing{}, err
	}
	return w.end, errors.Join(w.out.Flush(), w.packed.Close(), w.sealed.Close())
}
