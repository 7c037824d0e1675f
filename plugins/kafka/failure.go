package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// quotaWait is how long to wait when a broker refuses for a quota without saying
// until when.
const quotaWait = 5 * time.Second

// kinds says what the errors of brokers mean that no repetition helps against.
// All others may pass.
var kinds = map[*kerr.Error]destination.ResultKind{
	kerr.MessageTooLarge:            destination.Rejected,
	kerr.RecordListTooLarge:         destination.Rejected,
	kerr.InvalidRecord:              destination.Rejected,
	kerr.InvalidTimestamp:           destination.Rejected,
	kerr.InvalidTopicException:      destination.Rejected,
	kerr.SaslAuthenticationFailed:   destination.Misconfigured,
	kerr.UnsupportedSaslMechanism:   destination.Misconfigured,
	kerr.IllegalSaslState:           destination.Misconfigured,
	kerr.TopicAuthorizationFailed:   destination.Misconfigured,
	kerr.ClusterAuthorizationFailed: destination.Misconfigured,
	kerr.InvalidReplicationFactor:   destination.Misconfigured,
	kerr.InvalidPartitions:          destination.Misconfigured,
	kerr.InvalidConfig:              destination.Misconfigured,
	kerr.PolicyViolation:            destination.Misconfigured,
	kerr.UnsupportedVersion:         destination.Misconfigured,
	kerr.UnsupportedCompressionType: destination.Misconfigured,
	kerr.ThrottlingQuotaExceeded:    destination.Throttled,
}

// hints say what to do about an error, beside what Kafka says.
var hints = map[*kerr.Error]string{
	kerr.UnknownTopicOrPartition:    "create the topic, or set create_topics",
	kerr.MessageTooLarge:            "the message is over the limit of this destination (max_message_bytes) or of the topic (max.message.bytes)",
	kerr.TopicAuthorizationFailed:   "give the user WRITE and DESCRIBE on the topic",
	kerr.ClusterAuthorizationFailed: "give the user IDEMPOTENT_WRITE on the cluster, and CREATE where create_topics is set",
	kerr.SaslAuthenticationFailed:   "check username, password and sasl",
	kerr.UnsupportedSaslMechanism:   "check the setting sasl",
	kerr.InvalidReplicationFactor:   "check the setting replication_factor",
}

// resultOf translates an error into the result of the message that it hit.
func resultOf(err error) destination.Result {
	if err == nil {
		return destination.Result{Kind: destination.Delivered}
	}
	r := destination.Result{Kind: destination.Retry, Code: codeOf(err), Message: err.Error()}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		r.Kind = kinds[e] // absent: the zero value, retry
		if hint := hints[e]; hint != "" {
			r.Message += " (" + hint + ")"
		}
		if r.Kind == destination.Throttled {
			r.Until = time.Now().Add(quotaWait)
		}
	} else if hint := hintOfTLS(err); hint != "" {
		r.Code, r.Message = "TLS", r.Message+" ("+hint+")"
	}
	return r
}

// hintOfTLS says which settings an error of TLS is about; "" if it is none.
func hintOfTLS(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "check tls_ca, and the names in the brokers' certificates"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "check tls: the broker does not seem to speak TLS at this port"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" { // an alert, whose type is not exported
		return "check tls_cert and tls_key: the broker refused the connection"
	}
	return ""
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return e.Message
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "TIMEOUT"
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "CANCELLED"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries):
		return "TIMEOUT"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "DNS"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, io.EOF) {
		return "NETWORK"
	}
	return "KAFKA"
}

// failureOf translates an error that holds for a whole call.
func failureOf(err error) error {
	r := resultOf(err)
	return &destination.Failure{Kind: r.Kind, Code: r.Code, Until: r.Until, Err: errors.New(r.Message)}
}

// rejected is the result of a record that can never be written.
func rejected(code string, err error) destination.Result {
	return destination.Result{Kind: destination.Rejected, Code: code, Message: err.Error()}
}

func cancelled() destination.Result {
	return destination.Result{Kind: destination.Retry, Code: "CANCELLED", Message: "the write was cancelled before the brokers answered"}
}
