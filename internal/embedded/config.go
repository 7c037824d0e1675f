//go:build !slim

package embedded

import (
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
)

const (
	clusterName     = "active"
	mainStore       = "main"
	visibilityStore = "visibility"
)

// places are the addresses of Temporal's four services.
type places struct {
	frontend, history, matching, worker endpoint
}

func (p places) all() map[primitives.ServiceName]endpoint {
	return map[primitives.ServiceName]endpoint{
		primitives.FrontendService: p.frontend,
		primitives.HistoryService:  p.history,
		primitives.MatchingService: p.matching,
		primitives.WorkerService:   p.worker,
	}
}

// hosts tells the services where the others are. A fixed list instead of
// Temporal's gossip: there is one process, and it needs no ports for that.
func (p places) hosts() map[primitives.ServiceName]static.Hosts {
	out := make(map[primitives.ServiceName]static.Hosts)
	for name, e := range p.all() {
		out[name] = static.SingleLocalHost(e.dialable())
	}
	return out
}

func serverConfig(p places, store config.Persistence) *config.Config {
	services := make(map[string]config.Service)
	for name, e := range p.all() {
		services[string(name)] = config.Service{RPC: config.RPC{BindOnIP: e.ip.String(), GRPCPort: e.port}}
	}
	return &config.Config{
		Persistence: store,
		Services:    services,
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             p.frontend.dialable(),
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: p.frontend.dialable()},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
}

func persistenceConfig(dir string, run int64) config.Persistence {
	return config.Persistence{
		DefaultStore:     mainStore,
		VisibilityStore:  visibilityStore,
		NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{
			mainStore:       {SQL: sqliteConfig(filepath.Join(dir, mainDatabase.file), run)},
			visibilityStore: {SQL: sqliteConfig(filepath.Join(dir, visibilityDatabase.file), run)},
		},
	}
}

// sqliteConfig opens one file over one connection: SQLite has one writer
// anyway, and Temporal's transactions read before they write, which in WAL mode
// fails at once, without waiting, when another connection wrote in between.
//
// The write-ahead log is not synced at every commit (synchronous NORMAL). What
// is committed is with the kernel and survives the death of the process; after
// a loss of power the file is consistent but may have lost its last moments.
// That is enough here: Temporal only drives, and the ledger, which does sync,
// drives everything undelivered again.
func sqliteConfig(file string, run int64) *config.SQL {
	return &config.SQL{
		PluginName:   sqlite.PluginName,
		DatabaseName: uri(file),
		ConnectAttributes: map[string]string{
			"mode":         "rw",
			"journal_mode": "wal",
			"synchronous":  "normal",
			"busy_timeout": "10000",
			"cache_size":   "-16384",
			// Pages that are written again and again reach the file once per so many
			// of the log, and so do the only fsyncs that there are.
			"wal_autocheckpoint": "8000",
			"journal_size_limit": "67108864",
			// Not a pragma that SQLite knows, so that it does nothing there. The
			// plugin keeps connections by these settings and never closes them: a
			// second start in the same process must not get one to a file that
			// has been replaced since.
			"sluice_run": strconv.FormatInt(run, 10),
		},
		MaxConns:     1,
		MaxIdleConns: 1,
		// This is what closes the connection after the server has stopped.
		MaxConnLifetime: 10 * time.Minute,
	}
}
