// Package cluster runs a Temporal cluster for tests, benchmarks and fault runs:
// Temporal's four services with PostgreSQL for histories and visibility and with
// Temporal's own settings, as an operator would set it up, in one process that
// can be killed and started again on the same database. It knows nothing of
// Sluice; command temporal beside it is the process.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluicehq/sluice/internal/proc"
)

// Options say where the cluster keeps its data and listens.
type Options struct {
	// Postgres is the URL of the database for histories. It is made when it is
	// missing, and one with the suffix _visibility beside it.
	Postgres string
	// Listen is host:port of the frontend.
	Listen string
	// Namespace is made when it is missing.
	Namespace string
}

const (
	startTimeout = 2 * time.Minute
	retention    = 24 * time.Hour
)

// Run runs the cluster until ctx ends. It calls ready once the namespace takes
// workflows.
func Run(ctx context.Context, o Options, ready func()) error {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("frontend: %w", err)
	}
	// Temporal's own log, which goes to the standard error.
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn"}))
	store, err := prepare(o, logger)
	if err != nil {
		return err
	}
	others, err := proc.FreePorts(3)
	if err != nil {
		return err
	}
	conf, hosts, err := serverConfig(store, net.JoinHostPort(host, port), others)
	if err != nil {
		return err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
	)
	if err != nil {
		return fmt.Errorf("make temporal: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start temporal: %w", err)
	}
	err = awaitNamespace(ctx, o)
	if err == nil {
		ready()
		<-ctx.Done()
	}
	return errors.Join(err, server.Stop())
}

// awaitNamespace makes the namespace and returns when workflows can be started in it.
func awaitNamespace(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	conn, err := grpc.NewClient(o.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	api := workflowservice.NewWorkflowServiceClient(conn)
	for {
		_, err := api.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: o.Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		if err == nil || status.Code(err) == codes.AlreadyExists {
			// The caches of the services learn of a namespace after a while.
			_, err = api.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
				Namespace: o.Namespace, TaskQueue: taskQueue("probe"), TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
			})
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start temporal: %w: last: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// serverConfig is what the file of a Temporal server says. The services find one
// another by a fixed list, since all of them are here.
func serverConfig(store config.Persistence, frontend string, others []string) (*config.Config, map[primitives.ServiceName]static.Hosts, error) {
	addresses := map[primitives.ServiceName]string{
		primitives.FrontendService: frontend,
		primitives.HistoryService:  others[0],
		primitives.MatchingService: others[1],
		primitives.WorkerService:   others[2],
	}
	services := make(map[string]config.Service)
	hosts := make(map[primitives.ServiceName]static.Hosts)
	for name, address := range addresses {
		host, text, err := net.SplitHostPort(address)
		if err != nil {
			return nil, nil, err
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: port: %w", address, err)
		}
		services[string(name)] = config.Service{RPC: config.RPC{BindOnIP: host, GRPCPort: port}}
		hosts[name] = static.SingleLocalHost(address)
	}
	return &config.Config{
		Persistence:         store,
		Services:            services,
		ClusterMetadata:     clusterMetadata(frontend),
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: frontend},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}, hosts, nil
}
