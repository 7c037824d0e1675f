package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxTopic is the longest name that Kafka takes.
const maxTopic = 249

func parseTopic(text string) (placeholder.Template, error) {
	t, err := placeholder.Parse(text, "")
	if err != nil {
		return placeholder.Template{}, err
	}
	// Whatever values come, the text between them must be right.
	if name := t.Expand("x", &destination.Record{}, nil, func(string) string { return "x" }); !isTopic(name) {
		return placeholder.Template{}, fmt.Errorf("%q: a topic has letters, digits, '.', '_' and '-'", text)
	}
	return t, nil
}

func isTopic(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxTopic && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}

// topicOf returns the topic of a record. A value that does not fit is the
// record's fault: replacing characters could join two topics.
func topicOf(t placeholder.Template, object string, r *destination.Record) (string, error) {
	name := t.Expand(object, r, nil, func(value string) string { return value })
	if !isTopic(name) {
		return "", errors.New("the topic of the record has a character that Kafka does not allow, or is empty or too long; change the setting topic or the object of the route")
	}
	return name, nil
}

// ensure creates a topic that is missing, once in the life of the process.
func (d *kafka) ensure(ctx context.Context, topic string, mode destination.Mode) error {
	d.topicsMu.Lock()
	_, known := d.topics[topic]
	if !d.options.create {
		d.topics[topic] = struct{}{}
		known = true
	}
	d.topicsMu.Unlock()
	if known {
		return nil
	}
	cleanup := d.options.cleanup
	if cleanup == "" {
		cleanup = "delete"
		if mode == destination.ModeRecords {
			cleanup = "compact"
		}
	}
	want := kmsg.NewCreateTopicsRequestTopic()
	want.Topic, want.NumPartitions, want.ReplicationFactor = topic, d.options.parts, d.options.copies
	config := kmsg.NewCreateTopicsRequestTopicConfig()
	config.Name, config.Value = "cleanup.policy", &cleanup
	want.Configs = append(want.Configs, config)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(d.options.timeout.Milliseconds())
	req.Topics = append(req.Topics, want)
	resp, err := req.RequestWith(ctx, d.client)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	d.topicsMu.Lock()
	d.topics[topic] = struct{}{}
	d.topicsMu.Unlock()
	return nil
}

// canWrite is the bit of the operation WRITE in a topic's authorized operations.
const canWrite = 1 << 4

// mayWrite asks the brokers about topics: whether this user may write there. A
// topic that is not there is no error, since routes may never use it.
func mayWrite(ctx context.Context, c *kgo.Client, topics []string) error {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	req.IncludeTopicAuthorizedOperations = true
	req.Topics = []kmsg.MetadataRequestTopic{} // none, where nil would be all
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		// The smallest number stands for brokers that do not tell.
		if known := t.AuthorizedOperations >= 0; err == nil && known && t.AuthorizedOperations&canWrite == 0 {
			err = kerr.TopicAuthorizationFailed
		}
		if err != nil && t.Topic != nil {
			return fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
	}
	return nil
}
