// Package kafkatest reads topics as consumers of the kafka destination should: the
// newest version of each key, and one message of each idempotency key. It is for
// tests only.
package kafkatest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Consume reads all messages of a topic, those of a partition in their order. A
// topic that is not there has none.
func Consume(ctx context.Context, topic string, opts ...kgo.Opt) ([]*kgo.Record, error) {
	c, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(topic), kgo.FetchMaxWait(50*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	missing, err := size(ctx, c, topic)
	if err != nil {
		return nil, fmt.Errorf("size of topic %s: %w", topic, err)
	}
	var out []*kgo.Record
	for int64(len(out)) < missing {
		f := c.PollFetches(ctx)
		if err := f.Err0(); err != nil {
			return nil, err
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, r) })
	}
	return out, nil
}

// size is how many messages a topic has.
func size(ctx context.Context, c *kgo.Client, topic string) (int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	meta.Topics = append(meta.Topics, t)
	found, err := meta.RequestWith(ctx, c)
	if err != nil {
		return 0, err
	}
	ends := kmsg.NewPtrListOffsetsRequest()
	ends.ReplicaID = -1
	for _, t := range found.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err == kerr.UnknownTopicOrPartition {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
		list := kmsg.NewListOffsetsRequestTopic()
		list.Topic = topic
		for _, p := range t.Partitions {
			end := kmsg.NewListOffsetsRequestTopicPartition()
			end.Partition, end.Timestamp = p.Partition, -1 // the end
			list.Partitions = append(list.Partitions, end)
		}
		ends.Topics = append(ends.Topics, list)
	}
	total := int64(0)
	for _, shard := range c.RequestSharded(ctx, ends) {
		if shard.Err != nil {
			return 0, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return 0, err
				}
				total += p.Offset
			}
		}
	}
	return total, nil
}

// Rows are the records that live, and what was appended, with key and fields as
// text and without null.
func Rows(ctx context.Context, topic string, opts ...kgo.Opt) ([]map[string]string, error) {
	messages, err := Consume(ctx, topic, opts...)
	if err != nil {
		return nil, err
	}
	newest := map[string]int64{}
	records, appended := map[string]map[string]string{}, map[string]map[string]string{}
	for _, m := range messages {
		row, err := members(m.Key, m.Value)
		if err != nil {
			return nil, err
		}
		if Header(m, "sluice-operation") == "append" {
			appended[Header(m, "sluice-idempotency-key")] = row
			continue
		}
		v, err := strconv.ParseInt(Header(m, "sluice-version"), 10, 64)
		if err != nil {
			return nil, err
		}
		if old, ok := newest[string(m.Key)]; ok && old >= v {
			continue
		}
		newest[string(m.Key)] = v
		records[string(m.Key)] = row
		if m.Value == nil {
			delete(records, string(m.Key))
		}
	}
	return append(slices.Collect(maps.Values(records)), slices.Collect(maps.Values(appended))...), nil
}

// Header is the text of a header, or nothing.
func Header(m *kgo.Record, name string) string {
	for _, h := range m.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func members(objects ...[]byte) (map[string]string, error) {
	out := map[string]string{}
	for _, object := range objects {
		if object == nil {
			continue
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(object, &raw); err != nil {
			return nil, err
		}
		for name, value := range raw {
			var text string
			switch {
			case string(value) == "null":
				continue
			case json.Unmarshal(value, &text) != nil:
				text = string(value)
			}
			out[name] = text
		}
	}
	return out, nil
}
