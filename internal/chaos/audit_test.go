package chaos

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestRegressionsAreSeen(t *testing.T) {
	ctx := t.Context()
	url := pgtest.URL(t)
	if err := audit(ctx, url); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, sql := range []string{
		`CREATE SCHEMA books`,
		`CREATE TABLE books.items (_company_id text, _integration_type text, _platform_id text, _version bigint)`,
		`INSERT INTO books.items VALUES ('1', 'XERO', 'a', 1), ('1', 'XERO', 'b', 5)`,
		`UPDATE books.items SET _version = 6`,
		`UPDATE books.items SET _version = 6`,
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	found, changes, err := regressions(ctx, url)
	if err != nil || len(found) != 0 || changes != 6 {
		t.Fatalf("found %v in %d changes, %v", found, changes, err)
	}
	for _, sql := range []string{`UPDATE books.items SET _version = 4 WHERE _platform_id = 'b'`, `DELETE FROM books.items WHERE _platform_id = 'a'`} {
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	found, _, err = regressions(ctx, url)
	want := []string{"change 7: UPDATE of items 1/XERO/b at version 4 after 6", "change 8: DELETE of items 1/XERO/a at version 6 after 6"}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("found %q, %v; want %q", found, err, want)
	}
}
