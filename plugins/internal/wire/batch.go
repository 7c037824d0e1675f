package wire

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func toBatch(b destination.Batch) (*pb.Batch, error) {
	out := &pb.Batch{
		Mode:      string(b.Mode),
		Object:    b.Object,
		KeyFields: b.KeyFields,
		Records:   make([]*pb.Record, len(b.Records)),
	}
	if len(b.Types) > 0 {
		out.Types = make(map[string]string, len(b.Types))
		for name, t := range b.Types {
			out.Types[name] = string(t)
		}
	}
	for i := range b.Records {
		r, err := toRecord(&b.Records[i])
		if err != nil {
			return nil, fmt.Errorf("record %d of %d: %w", i+1, len(b.Records), err)
		}
		out.Records[i] = r
	}
	return out, nil
}

func toRecord(r *destination.Record) (*pb.Record, error) {
	fields, err := encodeFields(r.Fields)
	if err != nil {
		return nil, err
	}
	return &pb.Record{
		Key:            r.Key,
		Operation:      string(r.Operation),
		Version:        r.Version,
		Fields:         fields,
		Changed:        r.Changed,
		IdempotencyKey: r.IdempotencyKey,
		OccurredAt:     toTime(r.OccurredAt),
		Origin: &pb.Origin{
			Source:      r.Origin.Source,
			CompanyId:   r.Origin.CompanyID,
			Integration: r.Origin.Integration,
			Model:       r.Origin.Model,
			PlatformId:  r.Origin.PlatformID,
			EventId:     r.Origin.EventID,
			EventKind:   r.Origin.EventKind,
			Operation:   r.Origin.Operation,
		},
	}, nil
}

func fromBatch(b *pb.Batch) (destination.Batch, error) {
	out := destination.Batch{
		Mode:      destination.Mode(b.GetMode()),
		Object:    b.GetObject(),
		KeyFields: b.GetKeyFields(),
		Types:     make(map[string]destination.FieldType, len(b.GetTypes())),
		Records:   make([]destination.Record, len(b.GetRecords())),
	}
	for name, t := range b.GetTypes() {
		out.Types[name] = destination.FieldType(t)
	}
	for i, r := range b.GetRecords() {
		fields, err := decodeFields(r.GetFields())
		if err != nil {
			return destination.Batch{}, fmt.Errorf("record %d of %d: %w", i+1, len(out.Records), err)
		}
		o := r.GetOrigin()
		out.Records[i] = destination.Record{
			Key:            r.GetKey(),
			Operation:      destination.Operation(r.GetOperation()),
			Version:        r.GetVersion(),
			Fields:         fields,
			Changed:        r.GetChanged(),
			IdempotencyKey: r.GetIdempotencyKey(),
			OccurredAt:     fromTime(r.GetOccurredAt()),
			Origin: destination.Origin{
				Source:      o.GetSource(),
				CompanyID:   o.GetCompanyId(),
				Integration: o.GetIntegration(),
				Model:       o.GetModel(),
				PlatformID:  o.GetPlatformId(),
				EventID:     o.GetEventId(),
				EventKind:   o.GetEventKind(),
				Operation:   o.GetOperation(),
			},
		}
	}
	return out, nil
}

// toTime leaves the zero time out of the message: it means "none" at both ends.
func toTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func fromTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
