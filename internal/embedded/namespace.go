//go:build !slim

package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	persistenceclient "go.temporal.io/server/common/persistence/client"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	"go.temporal.io/server/common/telemetry"
	"google.golang.org/protobuf/types/known/durationpb"
)

// prepareNamespace makes the namespace as the options want it, in the store
// and before the server starts. Its caches then have everything from the
// beginning: over the API a new search attribute is usable seconds later.
func prepareNamespace(ctx context.Context, store *config.Persistence, logger log.Logger, o Options) error {
	serializer := serialization.NewSerializer()
	data := persistenceclient.DataStoreFactoryProvider(clusterName, resolver.NewNoopResolver(), store, nil,
		logger, metrics.NoopMetricsHandler, telemetry.NoopTracerProvider, serializer)
	factory := persistenceclient.FactoryProvider(persistenceclient.NewFactoryParams{
		DataStoreFactory: data,
		Cfg:              store,
		ClusterName:      clusterName,
		MetricsHandler:   metrics.NoopMetricsHandler,
		Logger:           logger,
		Serializer:       serializer,
	})
	defer factory.Close()
	namespaces, err := factory.NewMetadataManager()
	if err != nil {
		return fmt.Errorf("temporal: open store: %w", err)
	}
	defer namespaces.Close()

	ctx = headers.SetCallerInfo(ctx, headers.SystemOperatorCallerInfo)
	// A namespace belongs to the version of the list that was read before it.
	list, err := namespaces.GetMetadata(ctx)
	if err != nil {
		return fmt.Errorf("temporal: read namespaces: %w", err)
	}
	got, err := namespaces.GetNamespace(ctx, &persistence.GetNamespaceRequest{Name: o.Namespace})
	if _, missing := errors.AsType[*serviceerror.NamespaceNotFound](err); missing {
		detail := newNamespace(o)
		if _, err := adapt(detail.Config, o); err != nil {
			return err
		}
		if _, err := namespaces.CreateNamespace(ctx, &persistence.CreateNamespaceRequest{Namespace: detail}); err != nil {
			return fmt.Errorf("temporal: create namespace %s: %w", o.Namespace, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("temporal: read namespace %s: %w", o.Namespace, err)
	}
	changed, err := adapt(got.Namespace.Config, o)
	if err != nil || !changed {
		return err
	}
	got.Namespace.ConfigVersion++
	if err := namespaces.UpdateNamespace(ctx, &persistence.UpdateNamespaceRequest{
		Namespace:           got.Namespace,
		IsGlobalNamespace:   got.IsGlobalNamespace,
		NotificationVersion: list.NotificationVersion,
	}); err != nil {
		return fmt.Errorf("temporal: update namespace %s: %w", o.Namespace, err)
	}
	return nil
}

func newNamespace(o Options) *persistencespb.NamespaceDetail {
	return &persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{
			Id:          primitives.NewUUID().String(),
			Name:        o.Namespace,
			State:       enumspb.NAMESPACE_STATE_REGISTERED,
			Description: "Sluice",
		},
		Config: &persistencespb.NamespaceConfig{
			HistoryArchivalState:    enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{
			ActiveClusterName: clusterName,
			Clusters:          []string{clusterName},
		},
		FailoverVersion:             common.EmptyVersion,
		FailoverNotificationVersion: -1,
	}
}

// adapt brings a namespace to the retention and the search attributes of the
// options. Attributes that it has besides stay.
func adapt(c *persistencespb.NamespaceConfig, o Options) (changed bool, err error) {
	if c.Retention.AsDuration() != o.Retention {
		c.Retention = durationpb.New(o.Retention)
		changed = true
	}
	if c.CustomSearchAttributeAliases == nil {
		c.CustomSearchAttributeAliases = make(map[string]string)
	}
	added, err := assign(c.CustomSearchAttributeAliases, o.SearchAttributes)
	return changed || added, err
}

// assign gives every wanted attribute one of the columns that the visibility
// store has for its type. Aliases maps columns to attributes.
func assign(aliases map[string]string, wanted map[string]enumspb.IndexedValueType) (added bool, err error) {
	columns := sadefs.GetDBIndexSearchAttributes(nil).GetCustomSearchAttributes()
	have := make(map[string]string, len(aliases))
	for column, name := range aliases {
		have[name] = column
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		kind := wanted[name]
		if column, ok := have[name]; ok {
			if columns[column] != kind {
				return false, fmt.Errorf("temporal: search attribute %s: registered as %s, wanted as %s", name, columns[column], kind)
			}
			continue
		}
		column := ""
		total := 0
		for _, c := range slices.Sorted(maps.Keys(columns)) {
			if columns[c] != kind {
				continue
			}
			total++
			if _, taken := aliases[c]; !taken {
				column = c
				break
			}
		}
		if column == "" {
			return false, fmt.Errorf("temporal: search attribute %s: all %d of type %s are taken", name, total, kind)
		}
		aliases[column] = name
		added = true
	}
	return added, nil
}
