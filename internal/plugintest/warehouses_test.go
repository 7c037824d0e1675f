package plugintest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/sluicehq/sluice/internal/fake/bigquery"
	"github.com/sluicehq/sluice/internal/fake/redshift"
	"github.com/sluicehq/sluice/internal/fake/snowflake"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// redshiftSystem is PostgreSQL behind a proxy that refuses what Redshift lacks.
func redshiftSystem(t *testing.T) map[string]string {
	database := pgtest.URL(t)
	proxy, err := redshift.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return map[string]string{"REDSHIFT": proxy.URL(), "DATABASE_URL": database}
}

func bigquerySystem(t *testing.T) map[string]string {
	fake := bigquery.New(bigquery.Options{})
	return map[string]string{"BIGQUERY": serve(t, fake, func(path string) any {
		dataset, table, _ := strings.Cut(path, "/")
		return append(fake.Rows("project", dataset, table), fake.Rows("project", dataset, table+"_changes")...)
	}, nil, func() {})}
}

func snowflakeSystem(t *testing.T) map[string]string {
	public, key := newKey(t)
	_, wrong := newKey(t)
	fake := snowflake.New(snowflake.Options{
		Users: map[string]*rsa.PublicKey{"MYORG-PROD.SLUICE": public}, Databases: []string{"ANALYTICS"}, Warehouses: []string{"LOADING"},
	})
	rows := func(path string) any {
		schema, table, _ := strings.Cut(path, "/")
		out := []map[string]string{}
		for _, name := range []string{table, table + "_changes"} {
			for _, stored := range fake.Engine().Rows("ANALYTICS." + otherCase(schema) + "." + otherCase(name)) {
				row := map[string]string{}
				for column, value := range stored {
					row[otherCase(column)] = value
				}
				out = append(out, row)
			}
		}
		return out
	}
	return map[string]string{"SNOWFLAKE": serve(t, http.Handler(fake), rows, nil, func() {}), "SNOWFLAKE_KEY": key, "OTHER_KEY": wrong}
}

// otherCase is how the plugin names what it does not quote: Snowflake keeps that
// in capitals.
func otherCase(name string) string {
	upper, lower := strings.ToUpper(name), strings.ToLower(name)
	switch {
	case strings.IndexFunc(name, func(c rune) bool { return c > unicode.MaxASCII }) >= 0:
		return name
	case name == lower:
		return upper
	case name == upper:
		return lower
	}
	return name
}

func newKey(t *testing.T) (public *rsa.PublicKey, text string) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
