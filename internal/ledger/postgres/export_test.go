package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

var IsLost = isLost

// Setting is one of the server's settings as the ledger's connections have it.
func Setting(ctx context.Context, url, name string) (out string, err error) {
	c, err := poolConfig(Options{URL: url}.filled())
	if err != nil {
		return "", err
	}
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	return out, conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&out)
}

// Remembered is how many claims are held to be under way.
func (l *Ledger) Remembered() int {
	l.claims.mu.Lock()
	defer l.claims.mu.Unlock()
	return len(l.claims.ids)
}
