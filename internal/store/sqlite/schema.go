package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"daypass/internal/identity"
)

// schemaVersion is the number of the last migration; each one ends by setting
// user_version to its own number.
const schemaVersion = 1

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. An up-to-date one is known by its
// user_version, which costs nothing; goose looks at its own table and at every
// file.
func migrate(ctx context.Context, db *sql.DB) error {
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return failed("sqlite.open", err)
	}
	switch {
	case have == schemaVersion:
		return nil
	case have > schemaVersion:
		return &identity.Error{
			Kind: identity.KindInternal, Op: "sqlite.open",
			Err: fmt.Errorf("the database has schema %d, made by a newer version; this one knows %d", have, schemaVersion),
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return failed("sqlite.migrate", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return failed("sqlite.migrate", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return failed("sqlite.migrate", err)
	}
	return nil
}
