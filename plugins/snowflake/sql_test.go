package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/snowflake"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

func TestStatements(t *testing.T) {
	sqltest.Golden(t, newPlace(t), &database{dialect: dialect{schema: `"ANALYTICS"."ROOTFI"`}})
}

func newPlace(t *testing.T) sqltest.Place {
	server, base := serveFake(t)
	engine := server.Engine()
	const schema = "ANALYTICS.ROOTFI."
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			o := base
			o.Delete = remove
			return start(t, o)
		},
		Rows: func(_ *testing.T, table string) []map[string]string { return rows(server, schema+swap(table)) },
		Exec: func(t *testing.T, statements ...string) {
			for _, s := range statements {
				switch s {
				case "hold", "release":
					engine.Pin(schema+"INVOICES", "PAID", s == "hold")
				case "forbid":
					engine.Ban(schema+"INVOICES", "MEMO", "bad")
				default:
					session := engine.Session()
					_, err := session.Run(spell.Replace(s), nil)
					session.Close()
					if err != nil {
						t.Fatalf("%s: %v", s, err)
					}
				}
			}
		},
		Table:      dialect{schema: `"ANALYTICS"."ROOTFI"`}.Table,
		FixedScale: true,
		// What a policy and a rule of the owner would do, which the fake has not.
		Hold:   func(_, _ string) (hold, release []string) { return []string{"hold"}, []string{"release"} },
		Forbid: func(string) string { return "forbid" },
	}
}

// spell turns the SQL of the shared tests into Snowflake's.
var spell = strings.NewReplacer(`"lines"`, "lines", "id integer, memo text", "id INTEGER, memo VARCHAR")

// rows reads a table with the names as the plugin has them.
func rows(server *fake.Server, table string) []map[string]string {
	found := server.Engine().Rows(table)
	for i, r := range found {
		swapped := map[string]string{}
		for name, value := range r {
			swapped[swap(name)] = value
		}
		found[i] = swapped
	}
	return found
}

// pair is a key for all tests: making one takes a while.
var pair = sync.OnceValue(newPair)

type keyPair struct {
	pem    string
	public *rsa.PublicKey
}

func newPair() keyPair {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return keyPair{string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), &k.PublicKey}
}

// serveFake starts an account and returns settings for it.
func serveFake(t testing.TB) (*fake.Server, settings) {
	t.Helper()
	server := newFake()
	return server, listen(t, server)
}

func newFake() *fake.Server {
	return fake.New(fake.Options{
		Users: map[string]*rsa.PublicKey{"MYORG-PROD.SLUICE": pair().public}, Databases: []string{"ANALYTICS"}, Warehouses: []string{"LOADING"},
	})
}

// listen returns the settings of a user of the account that h is.
func listen(t testing.TB, h http.Handler) settings {
	t.Helper()
	listening := httptest.NewServer(h)
	t.Cleanup(listening.Close)
	return settings{
		Account: "myorg-prod", User: "sluice", PrivateKey: pair().pem, Database: "analytics", Schema: "rootfi", Warehouse: "loading", BaseURL: listening.URL,
	}
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, o settings) *snowflake {
	t.Helper()
	s := &snowflake{}
	if err := s.Configure(t.Context(), sqltest.Settings(t, o)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
