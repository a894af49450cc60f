package archive

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	format = "daypass-backup"
	// Version is that of the format; a reader refuses newer ones.
	Version = 1
	// maxLine bounds one row: the longest value that the keyring seals, in
	// base64, and room around it.
	maxLine = 32 << 20
)

// Kind says what a file holds.
type Kind string

// Kinds of files.
const (
	KindSite  Kind = "site"  // all tables but the slots
	KindSlots Kind = "slots" // the slots of key management alone
)

// Header begins an archive.
type Header struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Kind    Kind      `json:"kind"`
	MadeAt  time.Time `json:"made_at"`
	MadeBy  string    `json:"made_by,omitempty"` // version of the program
	// Installation is the ID of what was backed up; Origins are those of the
	// installations that it was restored from, the newest first.
	Installation string   `json:"installation"`
	Origins      []string `json:"origins,omitempty"`
	// Tables are those that the file may have rows of.
	Tables []string `json:"tables"`
}

// Closing ends an archive.
type Closing struct {
	// Position is where the state stands in the feed.
	Position identity.Position `json:"position"`
	Rows     int               `json:"rows"`
	Counts   map[string]int    `json:"counts"` // rows by table; tables without are left out
	SHA256   string            `json:"sha256"` // hex, of all lines before
	// Seal shows that the installation made it: over Sealed.
	Seal string `json:"seal"`
}

// Sealed is what the seal is over: the digest of all lines before, and the
// position, by which slots and archives are told older from newer.
func (c *Closing) Sealed() []byte {
	sum := sha256.Sum256([]byte(c.SHA256 + " " + strconv.FormatUint(c.Position.N, 10) + " " + c.Position.Incarnation))
	return sum[:]
}

// Facts are header and closing of an archive that is whole.
type Facts struct {
	Header
	Closing
}

// line is one line behind the header; exactly one member is there.
type line struct {
	Row *rowLine `json:"row,omitempty"`
	End *Closing `json:"end,omitempty"`
}

type rowLine struct {
	Table string          `json:"t"`
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v"`
}

func (r *rowLine) row() store.Row { return store.Row{Table: r.Table, Key: r.Key, Value: r.Value} }

func invalid(format string, args ...any) error {
	return identity.NewError(identity.KindValidation, "archive", fmt.Sprintf(format, args...))
}
