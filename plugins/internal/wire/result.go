package wire

import (
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
)

func toDescription(d destination.Description) *pb.DescribeResponse {
	out := &pb.DescribeResponse{
		Name:            d.Name,
		Version:         d.Version,
		ConfigSchema:    d.ConfigSchema,
		MaxBatchRecords: int64(d.MaxBatchRecords),
		MaxBatchBytes:   int64(d.MaxBatchBytes),
	}
	for _, c := range d.Capabilities {
		out.Capabilities = append(out.Capabilities, string(c))
	}
	return out
}

func fromDescription(d *pb.DescribeResponse) destination.Description {
	out := destination.Description{
		Name:            d.GetName(),
		Version:         d.GetVersion(),
		ConfigSchema:    d.GetConfigSchema(),
		MaxBatchRecords: int(max(d.GetMaxBatchRecords(), 0)),
		MaxBatchBytes:   int(max(d.GetMaxBatchBytes(), 0)),
	}
	for _, c := range d.GetCapabilities() {
		out.Capabilities = append(out.Capabilities, destination.Capability(c))
	}
	return out
}

func toResults(results []destination.Result) []*pb.Result {
	out := make([]*pb.Result, len(results))
	for i, r := range results {
		// Text from foreign systems may be anything; protobuf refuses invalid
		// UTF-8, and one such message would lose the answer for all records.
		out[i] = &pb.Result{
			Kind:       pb.ResultKind(r.Kind),
			Code:       valid(r.Code),
			Message:    valid(r.Message),
			Until:      toTime(r.Until),
			ExternalId: valid(r.ExternalID),
			Scope:      valid(string(r.Scope)),
		}
	}
	return out
}

func fromResults(results []*pb.Result) []destination.Result {
	out := make([]destination.Result, len(results))
	for i, r := range results {
		out[i] = destination.Result{
			Kind:       fromKind(r.GetKind()),
			Code:       r.GetCode(),
			Message:    r.GetMessage(),
			Until:      fromTime(r.GetUntil()),
			ExternalID: r.GetExternalId(),
			Scope:      fromScope(r.GetScope()),
		}
	}
	return out
}

// fromScope takes a scope that it does not know for the widest.
func fromScope(s string) destination.Scope {
	switch scope := destination.Scope(s); scope {
	case destination.ScopeObject, destination.ScopeAccount:
		return scope
	default:
		return destination.ScopeDestination
	}
}

// fromKind takes a number from the other end, which may be newer than this one.
// An unknown kind must be harmless, so it counts as Retry.
func fromKind(k pb.ResultKind) destination.ResultKind {
	if kind := destination.ResultKind(k); kind >= destination.Retry && kind <= destination.Misconfigured {
		return kind
	}
	return destination.Retry
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
