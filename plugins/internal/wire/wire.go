// Package wire carries the contract of package destination over gRPC: both ends
// of the connection, the translation between Go types and protobuf, and the
// translation of errors. The host and package serve meet here and nowhere else.
// A new version of the protocol gets its own messages and its own entry in
// [Plugins]; the Go types stay.
//
// It knows nothing of processes: who starts, watches and stops them is the
// business of plugins/host.
package wire

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationpb"
	"google.golang.org/grpc"
)

// Name is the name under which a plugin process serves its destination.
const Name = "destination"

// MaxMessageBytes bounds one message in either direction. Batches are limited
// far below it; it leaves room for a batch of one very large record.
const MaxMessageBytes = 256 << 20

// The environment that the host gives a plugin besides go-plugin's own. Part of
// the protocol; never rename.
const (
	// EnvLifeline is "stdin" when the plugin's standard input ends with the
	// host's life: on end of file the plugin must stop.
	EnvLifeline = "SLUICE_PLUGIN_LIFELINE"
	// EnvLogLevel is the lowest level that the host will log.
	EnvLogLevel = "SLUICE_PLUGIN_LOG_LEVEL"
)

// ErrUnsupported is the error of Check, DryRun and CheckObject where the
// destination has no such ability.
var ErrUnsupported = errors.New("the plugin does not support this")

// Handshake keeps a plugin from being started by hand, and other programs from
// being taken for plugins. It is no security measure.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		MagicCookieKey:   "SLUICE_DESTINATION_PLUGIN",
		MagicCookieValue: "6b1c0f0e-7f3f-4c4c-9d0e-3a7c8f5d2b91",
	}
}

// Plugins lists the protocol versions that this module speaks. The plugin end
// passes its destination, the host end nil.
func Plugins(d destination.Destination) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{
		1: {Name: &grpcPlugin{destination: d}},
	}
}

// ServerOptions are the gRPC options of the plugin end.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessageBytes),
		grpc.MaxSendMsgSize(MaxMessageBytes),
		grpc.ChainUnaryInterceptor(obeyDeadline),
	}
}

// DialOptions are the gRPC options of the host end.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessageBytes),
			grpc.MaxCallSendMsgSize(MaxMessageBytes),
		),
		// A call that got lost is the caller's to repeat: only it knows whether
		// the batch is still the right one.
		grpc.WithDisableRetry(),
		grpc.WithChainUnaryInterceptor(tellDeadline),
	}
}

// grpcPlugin is protocol version 1 as go-plugin wants it.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	destination destination.Destination
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	Register(s, p.destination)
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}

// Register serves d on s.
func Register(s grpc.ServiceRegistrar, d destination.Destination) {
	destinationpb.RegisterDestinationServer(s, &server{destination: d})
}
